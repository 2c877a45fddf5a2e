#!/usr/bin/env python3
"""Every query of dashboard.json and alerts.yaml against what the sidecar exposes: do the metrics exist, with these
labels and label values, and does Prometheus take each query?

  queries.py --metrics FILE        the text of a sidecar's /metrics; promtool parses the queries
  queries.py --prometheus URL      each query put to a Prometheus that scrapes a sidecar
"""

import argparse
import json
import pathlib
import re
import subprocess
import sys
import tempfile
import urllib.error
import urllib.parse
import urllib.request

import yaml

DEPLOY = pathlib.Path(__file__).resolve().parent.parent
ADDED_BY_THE_SCRAPE = {"job", "instance", "namespace", "pod"}
# A query that ends so shows nothing while all is well.
SILENT_IF_WELL = re.compile(r"[<>=]=? *[\d.]+$")


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--metrics", type=pathlib.Path)
    arguments.add_argument("--prometheus")
    given = arguments.parse_args()
    queries = list(dashboard_queries()) + list(alert_queries())
    complaints = []
    if given.metrics:
        exposed = read_exposition(given.metrics.read_text())
        for name, query in queries:
            complaints += [f"{name}: {each}" for each in unexposed(query, exposed)]
        complaints += parse_with_promtool(queries)
    if given.prometheus:
        for name, query in queries:
            complaints += [f"{name}: {each}" for each in ask(given.prometheus, query)]
    print(*complaints, f"{len(queries)} queries, {len(complaints)} complaints", sep="\n")
    sys.exit(bool(complaints) or not queries)


def dashboard_queries():
    dashboard = json.loads((DEPLOY / "dashboard.json").read_text())
    for panel in dashboard["panels"]:
        for target in panel.get("targets", []):
            yield f"dashboard.json, {panel['title']}", substitute(target["expr"])


def substitute(query):
    for variable, value in {"$__rate_interval": "1m", "$namespace": ".*", "$pod": ".*", "$job": ".*", "$instance": ".*"}.items():
        query = query.replace(variable, value)
    if "$" in query:
        sys.exit(f"a variable that this check does not know: {query}")
    return query


def alert_queries():
    for group in yaml.safe_load((DEPLOY / "alerts.yaml").read_text())["groups"]:
        for rule in group["rules"]:
            yield f"alerts.yaml, {rule['alert']}", rule["expr"].strip()


def read_exposition(text):
    """{metric: {label: set of values}}"""
    exposed = {}
    for line in text.splitlines():
        if line.startswith("#") or not line:
            continue
        name, labels = re.fullmatch(r"([\w:]+)(?:\{(.*)\})? \S+", line).groups()
        known = exposed.setdefault(name, {})
        for label, value in re.findall(r'(\w+)="((?:[^"\\]|\\.)*)"', labels or ""):
            known.setdefault(label, set()).add(value)
    return exposed


def unexposed(query, exposed):
    names = re.findall(r"\b(?:sidecar|process)_\w+", re.sub(r'"[^"]*"', "", query))
    if not names:
        yield "names no metric of the sidecar"
    for name in names:
        if name not in exposed:
            yield f"{name} is not exposed"
    for name, matchers in re.findall(r"\b((?:sidecar|process)_\w+)\{([^}]*)\}", query):
        for label, operator, value in re.findall(r'(\w+)(=~|!~|!=|=)"([^"]*)"', matchers):
            if label in ADDED_BY_THE_SCRAPE or name not in exposed:
                continue
            values = exposed[name].get(label)
            if values is None:
                yield f"{name} has no label {label}"
            # Each word of an alternative must be one that occurs: a misspelt one would never match.
            elif missing := [w for w in value.split("|") if not any(re.fullmatch(w, v) for v in values)]:
                yield f"{name} has no {label} {operator} {missing}, but {sorted(values)}"
    labels = set().union(*(exposed.get(name, {}) for name in names)) | ADDED_BY_THE_SCRAPE
    for listed in re.findall(r"\b(?:by|without|on) \(([^)]*)\)", query):
        for label in re.findall(r"\w+", listed):
            if label not in labels:
                yield f"groups by {label}, which {', '.join(names)} do not have"


def parse_with_promtool(queries):
    rules = [{"record": f"query:{i}", "expr": query} for i, (_, query) in enumerate(queries)]
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
        yaml.safe_dump({"groups": [{"name": "queries", "rules": rules}]}, file)
        file.flush()
        ran = subprocess.run(["promtool", "check", "rules", file.name], capture_output=True, text=True, check=False)
    return [] if ran.returncode == 0 else [f"promtool: {ran.stdout}{ran.stderr}"]


def ask(prometheus, query):
    url = f"{prometheus}/api/v1/query?{urllib.parse.urlencode({'query': query})}"
    try:
        with urllib.request.urlopen(url, timeout=10) as response:
            answer = json.load(response)
    except urllib.error.HTTPError as error:
        return [f"{error.code} {error.read().decode()}"]
    if answer["status"] != "success":
        return [str(answer)]
    if not answer["data"]["result"] and not SILENT_IF_WELL.search(query):
        return [f"no result: {query}"]
    return []


if __name__ == "__main__":
    main()
