#!/usr/bin/env python3
"""`kubectl kustomize DIRECTORY` for machines without kubectl: as much of it as deploy/ uses, and an error for the rest.

The order of the output differs from kubectl's; the documents do not, which deploy/test checks where kubectl is there.
"""

import base64
import pathlib
import sys

import yaml

KNOWN = {"apiVersion", "kind", "resources", "configMapGenerator", "secretGenerator", "generatorOptions", "patches"}


def render(directory):
    kustomization = yaml.safe_load((directory / "kustomization.yaml").read_text())
    if unknown := set(kustomization) - KNOWN:
        sys.exit(f"{directory}/kustomization.yaml: this renderer does not know {', '.join(sorted(unknown))}")
    generators = kustomization.get("configMapGenerator", []) + kustomization.get("secretGenerator", [])
    if generators and not kustomization.get("generatorOptions", {}).get("disableNameSuffixHash"):
        sys.exit(f"{directory}/kustomization.yaml: this renderer makes no name suffixes")

    documents = []
    for resource in kustomization.get("resources", []):
        path = directory / resource
        documents += render(path) if path.is_dir() else list(yaml.safe_load_all(path.read_text()))
    for generator in kustomization.get("configMapGenerator", []):
        documents.append(generated("ConfigMap", generator, data(directory, generator)))
    for generator in kustomization.get("secretGenerator", []):
        encoded = {k: base64.b64encode(v.encode()).decode() for k, v in data(directory, generator).items()}
        documents.append(generated("Secret", generator, encoded) | {"type": "Opaque"})
    for each in kustomization.get("patches", []):
        target = each["target"]
        found = [d for d in documents if d["kind"] == target["kind"] and d["metadata"]["name"] == target["name"]]
        if len(found) != 1:
            sys.exit(f"{directory}/kustomization.yaml: {len(found)} documents for the patch's target {target}")
        for operation in yaml.safe_load(each["patch"]):
            apply(operation, found[0])
    return documents


def data(directory, generator):
    files = {name: (directory / name).read_text() for name in generator.get("files", [])}
    return files | dict(literal.split("=", 1) for literal in generator.get("literals", []))


def generated(kind, generator, entries):
    return {"apiVersion": "v1", "kind": kind, "metadata": {"name": generator["name"]}, "data": entries}


def apply(operation, document):
    """One operation of RFC 6902."""
    op, path = operation["op"], operation["path"]
    if op == "move":
        value = take(document, operation["from"])
        return put(document, path, value)
    if op == "add":
        return put(document, path, operation["value"])
    if op == "remove":
        return take(document, path)
    if op == "replace":
        take(document, path)
        return put(document, path, operation["value"])
    parent, key = locate(document, path)
    if op != "test" or parent[key] != operation["value"]:
        sys.exit(f"patch: {operation} does not hold")


def locate(document, path):
    parts = [p.replace("~1", "/").replace("~0", "~") for p in path.split("/")[1:]]
    for part in parts[:-1]:
        document = document[int(part) if isinstance(document, list) else part]
    last = parts[-1]
    if isinstance(document, list):
        last = len(document) if last == "-" else int(last)
    return document, last


def put(document, path, value):
    parent, key = locate(document, path)
    if isinstance(parent, list):
        parent.insert(key, value)
    else:
        parent[key] = value


def take(document, path):
    parent, key = locate(document, path)
    return parent.pop(key)


if __name__ == "__main__":
    print(yaml.safe_dump_all(render(pathlib.Path(sys.argv[1])), sort_keys=False), end="")
