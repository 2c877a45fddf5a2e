#!/usr/bin/env python3
"""Plays incidents, and records what an operator sees of each: the page's banner, /status, the probes, metrics, alerts
of a real Prometheus, and the log. Each must tell the truth within ten seconds of the incident, and of its end.

  play.py SIDECAR [--only NAME...] [--shots DIRECTORY] [--write MARKDOWN] [--list]

--write puts the table between the marks in that file. Alerts wait for minutes in deploy/alerts.yaml; here a minute of
theirs is 0.6 s. Exit code 77: there is no Prometheus here.
"""

import argparse
import contextlib
import ctypes
import json
import os
import pathlib
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
sys.path[:0] = [str(HERE), str(HERE.parent / "browser")]
import backend  # noqa: E402
import chromium  # noqa: E402
from stage import Sidecar, Traffic, wait_for  # noqa: E402

WITHIN = 10  # seconds
LIVEZ_WITHIN = 15  # it fails when a worker has not turned for ten
MARKS = ("<!-- incidents: written by ./dev incidents -->", "<!-- incidents: end -->")

class Prometheus:
    """A real one, with the alerts' minutes shortened."""

    def __init__(self, directory, admin_port):
        rules = (ROOT / "deploy/alerts.yaml").read_text()
        rules = re.sub(r"\b(\d+)m\b", lambda minutes: f"{int(minutes[1]) * 600}ms", rules)
        rules = rules.replace("> 1800", "> 2").replace("> 21600", "> 4")
        (directory / "alerts.yaml").write_text(rules)
        (directory / "prometheus.yaml").write_text(f"""
global: {{scrape_interval: 500ms, scrape_timeout: 500ms, evaluation_interval: 500ms}}
rule_files: [alerts.yaml]
scrape_configs: [{{job_name: dds, static_configs: [{{targets: ["127.0.0.1:{admin_port}"]}}]}}]
""")
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self.process = subprocess.Popen(
            ["prometheus", f"--config.file={directory}/prometheus.yaml", f"--storage.tsdb.path={directory}/data",
             f"--web.listen-address=127.0.0.1:{self.port}", "--log.level=error"], cwd=directory)
        wait_for(lambda: self.get("query?query=sidecar_build_info")["result"], 20, "Prometheus to have scraped")

    def get(self, query):
        with contextlib.suppress(OSError):
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/api/v1/{query}", timeout=5) as answer:
                return json.load(answer)["data"]
        return {"result": [], "alerts": []}

    def firing(self):
        return sorted({each["labels"]["alertname"] for each in self.get("alerts")["alerts"] if each["state"] == "firing"})

    def end(self):
        self.process.terminate()
        self.process.wait(20)


class Incident:
    """`banner` must match /status's first line; each of the others must be seen as well. A `livez` of 503 takes its time."""

    def __init__(self, name, words, banner, begin, end, metric=None, alerts=(), log=None, livez=200):
        self.name, self.words, self.banner = name, words, banner
        self.begin, self.end = begin, end
        self.metric, self.alerts, self.log, self.livez = metric, set(alerts), log, livez


def incidents(at):
    api, status, sidecar, traffic = at.api, at.status, at.sidecar, at.traffic

    def mode(of, value, delay=None):
        def change():
            of.mode = value
            if delay is not None:
                of.delay = delay
        return change

    def queue():
        sidecar.configure(connections=2)
        wait_for(lambda: sidecar.metrics()['sidecar_configured_limit{limit="upstream_connections"}'] == 2, WITHIN, "the reload")
        api.delay, traffic.pause = 0.6, 0
        api.refuse()  # what is open stays open otherwise
        api.listen()

    def no_queue():
        sidecar.configure()
        api.delay, traffic.pause = 0.002, 0.1

    held = []

    def hold_connections():
        for _ in range(120):
            with contextlib.suppress(OSError):
                held.append(socket.create_connection(("127.0.0.1", sidecar.port), timeout=2))
                held[-1].sendall(b"GET /api/v1/users HTTP/1.1\r\nHost: a\r\n\r\n")

    def let_go():
        for each in held:
            each.close()
        held.clear()

    def not_ready(*ids):
        def change():
            status.not_ready = list(ids)
        return change

    hung = HungThread()
    yield Incident(
        "refused", "the backend refuses connections", r"failing: backend unreachable for .* s: ",
        api.refuse, api.listen, metric=r'sidecar_failures_total\{reason="upstream_(unreachable|connecting_failed_fast)"',
        alerts=["SidecarBackendUnavailable"], log="unreachable")
    yield Incident(
        "unresolvable", "its name does not resolve", r"failing: the backend's name does not resolve for ",
        lambda: sidecar.configure(upstream="dds.invalid:3000"), sidecar.configure,
        metric=r'sidecar_failures_total\{reason="upstream_(unreachable|connecting_failed_fast)"',
        alerts=["SidecarBackendUnavailable"], log="unresolved")
    yield Incident(
        "slow", "it takes 1.5 s for each response", r"degraded: the backend is slow for ",
        mode(api, "well", 1.5), mode(api, "well", 0.002), metric=r"sidecar_upstream_response_seconds_sum",
        alerts=["SidecarBackendSlow"], log="slow")
    yield Incident(
        "errors", "it answers each request with 500", r"failing: the backend responds with errors for .* s: every request gets its 5xx",
        mode(api, "errors"), mode(api, "well"), metric=r'sidecar_requests_total\{.*action="(forward|augment)",code="5xx"',
        alerts=["SidecarBackendErrors"], log="backend_errors")
    yield Incident(
        "resetting", "it resets the connection of each request", r"failing: the backend breaks responses off for ",
        mode(api, "reset"), mode(api, "well"), metric=r'sidecar_failures_total\{reason="no_response"',
        alerts=["SidecarBackendUnavailable"], log="breaks_off")
    yield Incident(
        "poll failing", "the status endpoint answers 500, readiness still counts", r"degraded: status polls fail for .* readiness is .* old and counts until",
        mode(status, "errors"), mode(status, "well"), metric=r'sidecar_status_poll_failures_total\{reason="status"', log="polls_fail")
    yield Incident(
        "stale", "it refuses connections for longer than status.max_age", r"degraded: readiness is unknown for ",
        status.refuse, status.listen, metric=r'sidecar_status_poll_failures_total\{reason="connect"',
        alerts=["SidecarReadinessStale", "SidecarStatusPollFailing"], log="stale")
    yield Incident(
        "poll slow", "it takes 2.5 s for each poll", r"degraded: status polls are slow for ",
        mode(status, "well", 2.5), mode(status, "well", 0), metric=r"sidecar_status_poll_duration_seconds_sum", log="polls_slow")
    yield Incident(
        "gate closed", "a project is not ready for long, and its uploads are sent away", r"ok: ",
        not_ready(backend.PROJECT), not_ready(), metric=r'sidecar_decisions_total\{reason="not_ready"',
        alerts=["SidecarGateClosedLong"])
    yield Incident(
        "queue full", "more requests than upstream.max_connections and upstream.max_pending", r"(degraded|failing): too many requests for the connections to the backend for ",
        queue, no_queue, metric=r'sidecar_failures_total\{reason="(pending_limit|queue_timeout)"',
        alerts=["SidecarRefusing", "SidecarLimitHit"], log="queue_full")
    yield Incident(
        "connections", "more clients than downstream.max_connections", r"(degraded|failing): client connections are at their limit for ",
        hold_connections, let_go, metric=r"sidecar_client_connections_refused_total", alerts=["SidecarLimitHit"], log="connections_full")
    yield Incident(
        "bad reload", "the file is changed to one that can't be used", r"degraded: the changed configuration can't be used for ",
        lambda: sidecar.configure(text="upstream: {adress: here}\n"), sidecar.configure,
        metric=r'sidecar_config_reloads_total\{outcome="failed"', alerts=["SidecarReloadFailed"], log="bad_reload")
    yield Incident(
        "hung worker", "one of two workers does not turn", r"(degraded|failing): a worker hangs for ",
        lambda: hung.stop(sidecar.threads("worker-0")), hung.go_on, metric=r'sidecar_trouble\{trouble="worker_stuck"',
        alerts=["SidecarWorkerStuck"], log="worker_stuck", livez=503)


class HungThread:
    """One thread of another process, stopped as a debugger does it: the others go on."""

    SEIZE, INTERRUPT, DETACH = 0x4206, 0x4207, 17

    def __init__(self):
        self.libc = ctypes.CDLL(None, use_errno=True)
        self.libc.ptrace.argtypes = [ctypes.c_long] + [ctypes.c_void_p] * 3
        self.libc.ptrace.restype = ctypes.c_long

    def ask(self, what):
        if self.libc.ptrace(what, self.thread, None, None) != 0:
            raise OSError(ctypes.get_errno(), "ptrace")

    def stop(self, thread):
        self.thread = thread
        self.ask(self.SEIZE)
        self.ask(self.INTERRUPT)
        os.waitpid(thread, 0x40000000)  # __WALL

    def go_on(self):
        self.ask(self.DETACH)


class Cast:
    """All that plays along."""

    def __init__(self, program, directory, shots):
        self.shots = shots
        self.stack = contextlib.ExitStack()
        self.api, self.status = backend.Api(), backend.Status()
        self.stack.callback(self.api.end)
        self.stack.callback(self.status.end)
        self.sidecar = Sidecar(program, directory, self.api, self.status)
        self.stack.callback(self.sidecar.end)
        self.traffic = Traffic(self.sidecar.port)
        self.stack.callback(self.traffic.end)
        self.prometheus = Prometheus(directory, self.sidecar.admin_port)
        self.stack.callback(self.prometheus.end)
        self.browser = self.stack.enter_context(chromium.Browser()) if shots and chromium.find() else None

    def shoot(self, name):
        if not self.browser:
            return
        for look, width, scheme in (("wide", 1280, "light"), ("phone", 390, "dark")):
            page = self.browser.page()
            page.look_like(width, 1500, scheme)
            page.go(self.sidecar.admin)
            page.shoot(str(self.shots / f"{name.replace(' ', '-')}-{look}.png"))
            page.close()

    def play(self, incident):
        wait_for(lambda: self.sidecar.banner().startswith("ok: "), 30, f"all to be well before it: {self.sidecar.banner()}")
        wait_for(lambda: not self.prometheus.firing(), 30, "no alert before it")
        before, begun = self.sidecar.metrics(), time.monotonic()
        incident.begin()
        row = {"name": incident.name, "words": incident.words}

        def told():
            row.update(banner=self.sidecar.banner(), livez=self.sidecar.get("livez")[0], readyz=self.sidecar.get("readyz")[0],
                       alerts=self.prometheus.firing())
            now = self.sidecar.metrics()
            # Histograms' sums rise by less than one.
            row["metrics"] = sorted(name for name, value in now.items()
                                    if incident.metric and re.match(incident.metric, name) and value > before.get(name, 0))
            row["log"] = [entry for entry in self.sidecar.logged_since(begun)
                          if entry["msg"] == "trouble" and entry["trouble"] == incident.log]
            return (re.match(incident.banner, row["banner"])
                    and incident.alerts <= set(row["alerts"]) and (row["metrics"] or not incident.metric)
                    and (row["log"] or not incident.log))

        try:
            row["after"] = wait_for(told, WITHIN, "")
        except AssertionError:
            row["complaint"] = f"not told within {WITHIN} s"
        row["exit"] = self.sidecar.status_command()
        if row["livez"] != incident.livez:
            wait_for(lambda: self.sidecar.get("livez")[0] == incident.livez, LIVEZ_WITHIN, f"/livez to be {incident.livez}")
            row["livez"] = f"{incident.livez} after {time.monotonic() - begun:.1f} s"
        self.shoot(incident.name)
        incident.end()
        try:
            row["over"] = wait_for(lambda: self.sidecar.banner().startswith("ok: ") and not self.prometheus.firing(), WITHIN, "")
        except AssertionError:
            row["complaint"] = row.get("complaint", "") + f" not over within {WITHIN} s: {self.sidecar.banner()}, {self.prometheus.firing()}"
        return row


def table(rows):
    lines = ["| Incident | `/status`, and the page's banner | `sidecar status` | `/readyz` | `/livez` | Metrics that rise | Alerts | Log (`trouble`) | Told after | Over after |",
             "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |"]
    for row in rows:
        cells = [f"**{row['name']}**: {row['words']}", row["banner"], f"exit {row['exit']}", row["readyz"], row["livez"],
                 ", ".join(f"`{shortened(each)}`" for each in row["metrics"][:2]), ", ".join(row["alerts"]) or "none",
                 ", ".join(sorted({f"{entry['level']} `{entry['trouble']}`" for entry in row["log"]})) or "nothing",
                 f"{row.get('after', float('nan')):.1f} s", f"{row.get('over', float('nan')):.1f} s"]
        lines.append("| " + " | ".join(str(cell).replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines)


def shortened(metric):
    """Its name, and the one label that tells."""
    name, _, labels = metric.partition("{")
    telling = re.search(r'(?:reason|outcome|trouble|limit)="([^"]+)"', labels)
    return f"{name}{{{telling[0]}}}" if telling else name


def write(file, text):
    begin, end = MARKS
    whole = file.read_text()
    before, _, rest = whole.partition(begin)
    _, _, after = rest.partition(end)
    file.write_text(f"{before}{begin}\n\n{text}\n\n{end}{after}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sidecar")
    parser.add_argument("--only", nargs="+", default=[])
    parser.add_argument("--shots", type=pathlib.Path)
    parser.add_argument("--write", type=pathlib.Path)
    given = parser.parse_args()
    if not shutil.which("prometheus"):
        print("no Prometheus: skipped")
        return 77
    if given.shots:
        given.shots.mkdir(parents=True, exist_ok=True)
    subprocess.run(["promtool", "test", "rules", "alerts_test.yaml"], cwd=ROOT / "deploy/tests", check=True,
                   stdout=subprocess.DEVNULL)
    rows = []
    with tempfile.TemporaryDirectory() as directory:
        cast = Cast(given.sidecar, pathlib.Path(directory), given.shots)
        with cast.stack:
            for incident in incidents(cast):
                if given.only and incident.name not in given.only:
                    continue
                rows.append(cast.play(incident))
                print(json.dumps({key: value for key, value in rows[-1].items() if key != "words"}), flush=True)
    if given.write:
        write(given.write, table(rows))
    bad = [f"{row['name']}: {row['complaint']}" for row in rows if "complaint" in row]
    print(f"{len(rows)} incidents, {len(bad)} not told right", *bad, sep="\n")
    return bool(bad)


if __name__ == "__main__":
    sys.exit(main())
