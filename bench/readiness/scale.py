"""The delay of a forwarded request while snapshots of a million entries are replaced, against none being replaced."""

import json
import os
import subprocess
from pathlib import Path
from statistics import median

from cases import READY, TOKEN
from proxies import snapshots_taken, wait_for_snapshots
from report import table

ENTRIES = 1_000_000
RATE, CONNECTIONS = 1000, 64


def load(field, port, seconds):
    command = [str(field.binaries / "bench_load"), "--port", str(port), "--target", READY, *TOKEN, "--connections", str(CONNECTIONS),
               "--rate", str(RATE), "--warm", "0.5", "--seconds", str(seconds)]
    result = json.loads(subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, check=True,
                                       preexec_fn=lambda: os.sched_setaffinity(0, field.all_cores)).stdout)
    if result["unexpected"] or result["lost"]:
        raise SystemExit(f"wrong answers: {result}")
    return result["latency_us"]


def waited(sidecar):
    """Seconds for which the threads of the data plane were ready to run and got no core."""
    return sum(int(Path(f"/proc/{sidecar.process.pid}/task/{task}/schedstat").read_text().split()[1])
               for task in sidecar.threads_named("worker")) / 1e9


def measure(field, replaced, seconds):
    """{route: figures} of one round: through the sidecar, and past it at the same time of day, which tells what the
    cores' being shared does to the load itself."""
    backend = field.backend(cores=field.all_cores)
    options = ["--entries", str(ENTRIES), *(["--vary"] if replaced else [])]
    documents = field.backend(*options, cores=field.all_cores)
    sidecar = field.start_sidecar("sidecar", backend.port, 1, field.all_cores, status=documents.port, interval="100ms")
    wait_for_snapshots(sidecar, 2 if replaced else 1)
    found = {}
    for route, port in (("sidecar", sidecar.port), ("direct", backend.port)):
        snapshots, waiting = snapshots_taken(sidecar), waited(sidecar)
        found[route] = load(field, port, seconds)
        found[route]["snapshots"] = snapshots_taken(sidecar) - snapshots
        found[route]["waited"] = (waited(sidecar) - waiting) / (seconds + 0.5)
        if replaced != (found[route]["snapshots"] > 0):
            raise SystemExit(f"{found[route]['snapshots']} snapshots were taken")
    field.stop_all()
    return found


def run(field, quick):
    rounds, seconds = (2, 3) if quick else (5, 10)
    measured = {(route, replaced): [] for replaced in (False, True) for route in ("sidecar", "direct")}
    for number in range(rounds):
        for replaced in ((False, True), (True, False))[number % 2]:
            for route, figures in measure(field, replaced, seconds).items():
                measured[route, replaced].append(figures)
    rows = []
    for (route, replaced), runs in measured.items():
        of = lambda key: median(one[key] for one in runs)
        rows.append([("through the sidecar" if route == "sidecar" else "past it") + (", replaced" if replaced else ", none replaced"),
                     *[f"{of(key) / 1000:.2f}" for key in ("p50", "p99", "p999")], f"{max(one['max'] for one in runs) / 1000:.2f}",
                     sum(one["snapshots"] for one in runs), f"{of('waited') * 1000:.1f}" if route == "sidecar" else "-"])
    return (f"The delay of a forwarded request, ms, while snapshots of {ENTRIES:,} entries are replaced ({RATE} requests/s in an open "
            f"loop over {CONNECTIONS} connections, one worker, {rounds} rounds of {seconds} s; medians of the rounds, the longest of all)",
            table(["", "p50", "p99", "p99.9", "longest", "snapshots", "worker waited for a core, ms/s"], rows))
