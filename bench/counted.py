"""What is counted once instead of timed in rounds: resident sets, system calls, instructions."""

import json
import os
import re
import shutil
import signal
import subprocess
import time

from cases import COUNTED, IDLE
from proxies import Missing, wait_for_snapshots
from report import name_of


def idle_connections(field, run_load):
    """Resident set after start, and with many idle kept client connections. Each proxy alone."""
    rows, figures = [], {}
    for name in IDLE["contenders"]:
        backend = field.backend()
        try:
            proxy = field.contender(name, backend)
        except Missing as why:
            rows.append([name_of(name), str(why), ""])
            continue
        time.sleep(1.5)  # its first poll, its workers' start
        at_rest = proxy.resident_kib()
        load = subprocess.Popen([str(field.binaries / "bench_load"), "--port", str(proxy.port), "--hold",
                                 *COUNTED["load"], "--connections", str(IDLE["connections"])],
                                stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                preexec_fn=lambda: os.sched_setaffinity(0, field.load_cores))
        opened = json.loads(load.stdout.readline())
        time.sleep(0.5)
        held = proxy.resident_kib()
        load.stdin.close()
        load.wait()
        field.stop_all()
        per_connection = (held[1] - at_rest[1]) * 1024 / max(opened["answers"], 1)
        rows.append([name_of(name), f"{at_rest[0] / 1024:.1f} ({at_rest[1] / 1024:.1f})",
                     f"{held[0] / 1024:.1f} ({held[1] / 1024:.1f})", opened["answers"], f"{per_connection:.0f}"])
        figures[name] = {"at_rest_kib": at_rest, "held_kib": held, "connections": opened["answers"]}
    return (f"Resident set, MiB (in brackets: shared pages once), at rest and with {IDLE['connections']} idle clients",
            ["", "at rest", "with idle clients", "open", "bytes/connection"], rows, figures)


def documents(field, run_load):
    """Resident set by the size of the status document, each of a few being another one."""
    rows, figures = [], {}
    for entries in (1_000, 100_000, 300_000, 1_000_000):
        backend = field.backend("--entries", str(entries), "--vary")
        for name in ("before", "sidecar"):
            try:
                proxy = field.contender(name, backend)
            except Missing:
                continue
            wait_for_snapshots(proxy, 12)  # what grows from one to the next is seen
            between, most = (proxy.memory(which) for which in ("VmRSS", "VmHWM"))
            rows.append([f"{name_of(name)}, {entries} entries", f"{between / 1024:.1f}", f"{most / 1024:.1f}"])
            figures[f"{name} {entries}"] = {"between_kib": between, "most_kib": most}
            proxy.stop()
        field.stop_all()
    return "Resident set by status documents, MiB", ["", "between polls", "at most"], rows, figures


def system_calls(field, run_load):
    """By strace. It slows the proxy down, so batches are larger and epoll_wait's share is a little less than at speed."""
    if not shutil.which("strace"):
        return "System calls", [""], [["strace is not installed"]], {}
    rows, figures = [], {}
    backend = field.backend()
    for name in COUNTED["contenders"]:
        try:
            proxy = field.contender(name, backend)
        except Missing as why:
            rows.append([name_of(name), str(why), ""])
            continue
        run_load(field, [*COUNTED["load"], "--seconds", "0.3"], proxy.port)
        output = field.run_folder(name) / "strace.txt"
        attach = [x for pid in proxy.pids() for x in ("-p", str(pid))]
        trace = subprocess.Popen(["strace", "-f", "-c", "-o", str(output), *attach], stderr=subprocess.DEVNULL)
        time.sleep(0.5)
        answers = run_load(field, [*COUNTED["load"], "--warm", "0", "--seconds", "2"], proxy.port)["answers"]
        trace.send_signal(signal.SIGINT)
        trace.wait()
        calls = {}
        for line in output.read_text().splitlines():
            found = re.match(r"\s*[\d.]+\s+[\d.]+\s+\d+\s+(\d+)\s+(?:\d+\s+)?(\w+)$", line)
            if found and found[2] != "total":
                calls[found[2]] = int(found[1]) / answers
        figures[name] = calls
        most = sorted(calls.items(), key=lambda call: -call[1])
        rows.append([name_of(name), f"{sum(calls.values()):.2f}",
                     ", ".join(f"{call} {n:.2f}" for call, n in most if n >= 0.005)])
    field.stop_all()
    return "System calls for a forwarded small GET, 32 kept connections", ["", "in all", "of which"], rows, figures


def control(*arguments):
    subprocess.run(["callgrind_control", *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)


def instructions(field, run_load):
    """User-space instructions by callgrind. What runs beside the requests (a poll a second) is in it, so an idle machine
    tells more: there are more requests then."""
    if not shutil.which("valgrind"):
        return "Instructions", [""], [["valgrind is not installed"]], {}
    rows, figures = [], {}
    backend = field.backend()
    for name in COUNTED["one_process"]:
        run = field.run_folder(name)
        for old in run.glob("callgrind.*"):
            old.unlink()
        field.prefix = ["valgrind", "--tool=callgrind", "--instr-atstart=no",
                        f"--callgrind-out-file={run}/callgrind.%p"]
        try:
            proxy = field.contender(name, backend)
        except Missing as why:
            rows.append([name_of(name), str(why), ""])
            continue
        finally:
            field.prefix = []
        run_load(field, [*COUNTED["load"], "--seconds", "2"], proxy.port)
        pids = [str(pid) for pid in proxy.pids()]
        control("-i", "on", *pids)
        answers = run_load(field, [*COUNTED["load"], "--warm", "0", "--seconds", "4"], proxy.port)["answers"]
        control("-i", "off", *pids)
        control("-d", *pids)
        total = 0
        for dump in run.glob("callgrind.*"):
            total += sum(int(n) for n in re.findall(r"^totals: (\d+)", dump.read_text(), re.M))
        figures[name] = total / answers
        rows.append([name_of(name), f"{total / answers:.0f}", answers])
        proxy.stop()
    field.stop_all()
    return ("Instructions in user space for a forwarded small GET (callgrind), 32 kept connections",
            ["", "instructions/request", "requests counted"], rows, figures)


CASES = {"idle-connections": idle_connections, "documents": documents, "system-calls": system_calls, "instructions": instructions}
