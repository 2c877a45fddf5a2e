#!/usr/bin/env python3
"""Compares the sidecar with what a user would pick instead, in one run: interleaved rounds, medians, spread.

The proxy has one core to itself, the load and the backend another. The main figure is the CPU time, user and system, of
all of a proxy's threads for each request, as the kernel's scheduler counts it. Ratios are of figures of the same round.
Prints tables and writes them to build/bench/report.md, all figures to build/bench/report.json."""

import argparse
import json
import os
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
import counted
import report
from cases import CASES
from proxies import Field, Missing, snapshots_taken

PAUSE = 0.05  # lets the last run's connections end before the next one's begin


def run_load(field, arguments, port, pids=(), cores=None):
    cpu_of = [x for pid in pids for x in ("--cpu-of", str(pid))]
    done = subprocess.run([str(field.binaries / "bench_load"), "--port", str(port), *arguments, *cpu_of],
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, check=False,
                          preexec_fn=lambda: os.sched_setaffinity(0, cores or field.load_cores))
    if done.returncode != 0:
        raise SystemExit(f"the load ended with {done.returncode}: {' '.join(arguments)}")
    result = json.loads(done.stdout)
    if result["unexpected"] or result["lost"]:
        raise SystemExit(f"wrong answers: {result['unexpected']} unexpected, {result['lost']} lost of "
                         f"{result['answers']}: {' '.join(arguments)}")
    return result


def check_answer(case, label, port):
    """A contender that does not do the work must not win."""
    if not case.contains or label in case.own_load:
        return
    target = case.load[case.load.index("--target") + 1]
    give_up_at = time.monotonic() + 10  # its first poll may not have been answered yet
    while time.monotonic() < give_up_at:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{target}", timeout=5) as answer:
            if case.contains.encode() in answer.read():
                return
        time.sleep(PAUSE)
    raise SystemExit(f"{label} answers without {case.contains}")


def figures(case, proxy, result):
    """What one run says, by name; lower is better but for requests_per_second."""
    threads = proxy.threads_named("worker") if case.workers_only else None
    cpu_ns = sum(ns for task, ns in result["cpu_ns"].items() if not threads or task in threads)
    of = {"requests_per_second": result["answers"] / result["seconds"],
          "us/request": cpu_ns / 1e3 / max(result["answers"], 1),
          "ms/GiB": cpu_ns / 1e6 / (result["bytes"] / 2**30),
          "mib_per_second": result["bytes"] / 2**20 / result["seconds"],
          "cpu_share": cpu_ns / 1e9 / result["seconds"]}
    of.update({quantile: value for quantile, value in result["latency_us"].items()})
    return of


class Spinning:
    """Keeps cores busy. One that gives way to everything lets them never sleep: what a request costs is then not what
    waking costs. One that doesn't takes half of what the proxy would have: then it is always the proxy that limits, never
    the load, whose core does as much in the kernel as a raw relay; a proxy that waits for its load wakes more often, for
    less each time, and all of them look as dear as the load."""

    def __init__(self, cores, gives_way):
        spin = "import os\nwhile os.getppid() != 1: pass"
        if gives_way:
            spin = spin.replace("\n", "\nos.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))\n")
        self.running = [subprocess.Popen([sys.executable, "-c", spin], stdin=subprocess.DEVNULL,
                                         preexec_fn=lambda core=core: os.sched_setaffinity(0, {core}))
                        for core in cores]

    def stop(self):
        for one in self.running:
            one.kill()
            one.wait()


def run_case(field, case, rounds, seconds):
    spinning = Spinning(field.all_cores, True) if case.awake else Spinning(field.proxy_cores if case.limits else (), False)
    try:
        return run_rounds(field, case, rounds, seconds)
    finally:
        spinning.stop()


def run_rounds(field, case, rounds, seconds):
    cores = field.all_cores if case.all_cores else None
    backend = field.backend(cores=cores)
    contenders, missing = {}, {}
    for contender in case.contenders:
        label, _, name = contender.rpartition("=")
        try:
            contenders[label or name] = field.contender(name, backend, cores)
            check_answer(case, label or name, contenders[label or name].port)
        except Missing as why:
            missing[label or name] = str(why)
    timing = ["--warm", f"{min(0.5, seconds / 2):g}", "--seconds", f"{seconds:g}"]
    measured = {label: [] for label in contenders}
    snapshots = -snapshots_taken(contenders["replaced"]) if "replaced" in contenders else 0
    order = list(contenders)
    rounds = rounds if order else 0
    for round_number in range(rounds):
        for label in order[round_number % len(order):] + order[:round_number % len(order)]:
            proxy = contenders[label]
            load = [*case.own_load.get(label, case.load), *timing]
            result = run_load(field, load, proxy.port, proxy.pids(), cores)
            measured[label].append(figures(case, proxy, result))
            time.sleep(PAUSE)
    if "replaced" in contenders:
        snapshots += snapshots_taken(contenders["replaced"])
    field.stop_all()
    return {"name": case.name, "title": case.title, "unit": case.unit, "rounds": measured, "missing": missing,
            "snapshots": snapshots,
            "goals": [report.judge(case, goal, measured) for goal in case.goals] if rounds else []}


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--build", type=Path, required=True, help="the folder of the bench_ programs")
    options.add_argument("--out", type=Path, default=Path("build/bench"))
    options.add_argument("--case", action="append", default=[], help="only cases whose name contains this")
    options.add_argument("--quick", action="store_true", help="3 rounds of 0.5 s: a first look")
    options.add_argument("--rounds", type=int)
    options.add_argument("--seconds", type=float)
    options.add_argument("--before", type=Path, help="the program of another version, as one more contender")
    options.add_argument("--list", action="store_true")
    chosen = options.parse_args()
    names = [case.name for case in CASES] + list(counted.CASES)
    if chosen.list:
        print("\n".join(names))
        return
    wanted = [n for n in names if not chosen.case or any(part in n for part in chosen.case)]
    if not wanted:
        raise SystemExit("no such case; there are: " + " ".join(names))
    rounds = chosen.rounds or (3 if chosen.quick else 9)
    seconds = chosen.seconds or (0.5 if chosen.quick else 2.0)

    chosen.out.mkdir(parents=True, exist_ok=True)
    field = Field(chosen.build.resolve(), chosen.out.resolve(), os.sched_getaffinity(0),
                  chosen.before.resolve() if chosen.before else None)
    page = report.Page(chosen.out, rounds, seconds)
    page.say(report.machine(field))
    try:
        for case in CASES:
            if case.name in wanted:
                page.add(run_case(field, case, rounds, seconds))
        for name, measure in counted.CASES.items():
            if name in wanted:
                page.add_counted(name, measure(field, run_load))
    finally:
        field.stop_all()
    page.finish()


if __name__ == "__main__":
    main()
