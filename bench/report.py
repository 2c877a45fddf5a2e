"""Turns figures into tables: medians, spread, ratios of the same round, goals."""

import json
import os
import platform
import subprocess
from pathlib import Path
from statistics import median

NAMES = {"floor": "raw byte relay (floor)", "floor_keep": "raw byte relay (floor)",
         "floor_splice": "raw byte relay, splice(2)", "haproxy": "HAProxy",
         "haproxy_splice": "HAProxy, splice-auto", "nginx": "nginx", "nginx_unbuffered": "nginx, unbuffered",
         "haproxy_lua": "HAProxy+Lua", "nginx_lua": "nginx+Lua", "nginx_lua_encode": "nginx+Lua, decodes and encodes",
         "sidecar": "**sidecar**", "plain": "sidecar, plain forward", "log": "sidecar, access log on",
         "replaced": "sidecar, snapshot being replaced", "direct": "no proxy", "before": "the version before",
         "haproxy_map": "HAProxy, a map and http-request return", "sidecar_unix": "sidecar, backend on a Unix socket"}


def name_of(label):
    kind, _, threads = label.partition(":")
    return NAMES.get(kind, kind) + (f", {threads} thread{'s' if threads != '1' else ''}" if threads else "")


def key_of(unit):
    return {"latency": "p50", "requests/s": "requests_per_second"}.get(unit, unit)


def values(rounds, key):
    return [one[key] for one in rounds]


def ratios(measured, subject, peer, key):
    return [a / b for a, b in zip(values(measured[subject], key), values(measured[peer], key)) if b]


def judge(case, goal, measured):
    """One goal; a latency goal holds for p50 and p99."""
    subject, peers, limit = goal
    peers = [p for p in ([peers] if isinstance(peers, str) else peers) if p in measured]
    if subject not in measured or not peers:
        return {"goal": limit, "of": str(goal[1]), "measured": None}
    if case.unit == "latency":
        return judge_latency(measured, subject, peers[0], limit)
    key = key_of(case.unit)
    peer = min(peers, key=lambda p: median(values(measured[p], key)))
    of = ratios(measured, subject, peer, key)
    floor = median(ratios(measured, "floor", peer, key)) if "floor" in measured and peer != "floor" else None
    return {"subject": subject, "of": peer, "goal": limit, "measured": median(of), "least": min(of), "most": max(of),
            "met": median(of) <= limit, "floor": floor}


def judge_latency(measured, subject, peer, limit):
    """What both add to the same latency without a proxy is compared by comparing the whole."""
    of = {q: median(values(measured[subject], q)) / median(values(measured[peer], q)) for q in ("p50", "p99")}
    return {"subject": subject, "of": peer, "goal": limit, "measured": max(of.values()), "least": min(of.values()),
            "most": max(of.values()), "met": max(of.values()) <= limit, "quantiles": of}


def machine(field):
    def first_line(*command):
        try:
            done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False, text=True)
            return done.stdout.splitlines()[0]
        except (OSError, IndexError):
            return None
    cpu = next((l.partition(":")[2].strip() for l in Path("/proc/cpuinfo").read_text().splitlines()
                if l.startswith("model name")), platform.machine())
    path = os.environ["PATH"]
    os.environ["PATH"] = path + ":/usr/sbin"
    versions = [first_line("haproxy", "-v"), first_line("nginx", "-v")]
    os.environ["PATH"] = path
    return (f"{cpu}, {os.cpu_count()} cores, Linux {platform.release()}; proxy on core {sorted(field.proxy_cores)[0]}, "
            "half of it taken by another process where CPU is compared, so that it is the proxy that limits; "
            f"load and backend on core {sorted(field.load_cores)[0]}; " + "; ".join(v for v in versions if v))


def table(head, rows):
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return "\n".join(lines + ["| " + " | ".join(str(cell) for cell in row) + " |" for row in rows])


def spread(numbers, form="{:.1f}"):
    return f"{form.format(median(numbers))} ({form.format(min(numbers))}-{form.format(max(numbers))})"


def case_table(case):
    measured = case["rounds"]
    if case["unit"] == "latency":
        rows = [[name_of(label), *(spread(values(rounds, q), "{:.0f}") for q in ("p50", "p99", "p999"))]
                for label, rounds in measured.items()]
        return table(["", "p50 us", "p99 us", "p99.9 us"], rows)
    key = key_of(case["unit"])
    if key == "requests_per_second":
        rows = [[name_of(label), spread(values(rounds, key), "{:.0f}"), spread(values(rounds, "us/request"))]
                for label, rounds in measured.items()]
        return table(["", "requests/s", "CPU us/request"], rows)
    speed, speed_name = ("mib_per_second", "MiB/s") if key == "ms/GiB" else ("requests_per_second", "requests/s")
    rows = []
    for label, rounds in measured.items():
        ratio = "" if label == "sidecar" or "sidecar" not in measured else spread(
            ratios(measured, "sidecar", label, key), "{:.2f}")
        rows.append([name_of(label), spread(values(rounds, key)), ratio,
                     spread(values(rounds, speed), "{:.0f}")])
    return table(["", f"CPU {case['unit']}", "sidecar / this", speed_name], rows)


class Page:
    def __init__(self, out, rounds, seconds):
        self.out, self.text, self.cases, self.counts = out, [], [], {}
        self.say(f"# Side by side\n\n{rounds} interleaved rounds of {seconds:g} s; median (least-most).")

    def say(self, text):
        print(text + "\n", flush=True)
        self.text.append(text)

    def add(self, case):
        self.cases.append(case)
        self.say(f"## {case['title']}\n\n{case_table(case)}")
        if case["snapshots"]:
            self.say(f"{case['snapshots']} snapshots were replaced meanwhile.")
        for label, why in case["missing"].items():
            self.say(f"Left out: {name_of(label)}: {why}.")

    def add_counted(self, name, found):
        title, head, rows, figures = found
        self.counts[name] = figures
        self.say(f"## {title}\n\n{table(head, rows)}")

    def finish(self):
        rows = []
        for case in self.cases:
            for goal in case["goals"]:
                if goal["measured"] is None:
                    rows.append([case["title"], f"{goal['goal']:.2f} of {goal['of']}", "not measured", "", ""])
                    continue
                rows.append([case["title"], f"{goal['goal']:.2f} of {name_of(goal['of'])}",
                             f"{goal['measured']:.2f} ({goal['least']:.2f}-{goal['most']:.2f})",
                             "yes" if goal["met"] else "**no**",
                             f"{goal['floor']:.2f}" if goal.get("floor") else ""])
        if rows:
            self.say("## Goals\n\n" + table(["", "at most", "measured", "met", "the raw relay"], rows))
        (self.out / "report.md").write_text("\n\n".join(self.text) + "\n")
        (self.out / "report.json").write_text(json.dumps({"cases": self.cases, "counts": self.counts}, indent=1))
        print(f"written: {self.out}/report.md and report.json")
