"""What the polls of a fleet cost one backend: the status endpoint of deploy/ on Puma, polled by bench_polls."""

import asyncio
import json
import subprocess
from pathlib import Path

from report import table
from sample import FILES, IN_PROCESS, PATH, PROJECTS, SECRET, Sample

SIDECARS = 200


class CountingRelay:
    """Passes bytes on and counts them, both ways."""

    def __init__(self, to):
        self.to = to
        self.bytes = 0
        self.connections = 0

    async def __aenter__(self):
        self.server = await asyncio.start_server(self.serve, "127.0.0.1", 0, backlog=1024)
        self.port = self.server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_):
        self.server.close()

    async def serve(self, reader, writer):
        self.connections += 1
        try:
            up_reader, up_writer = await asyncio.open_connection("127.0.0.1", self.to)
            await asyncio.gather(self.copy(reader, up_writer), self.copy(up_reader, writer))
        except (ConnectionError, asyncio.CancelledError):
            writer.close()

    async def copy(self, reader, writer):
        try:
            while data := await reader.read(65536):
                self.bytes += len(data)
                writer.write(data)
                await writer.drain()
        finally:
            writer.close()


def cpu_seconds(pids):
    """As the kernel's scheduler counts it, of all threads that live."""
    tasks = (task for pid in pids for task in Path(f"/proc/{pid}/task").glob("*/schedstat"))
    return sum(int(task.read_text().split()[0]) for task in tasks) / 1e9


async def measure(field, sample, sidecars, interval, wait, warm, seconds):
    async with CountingRelay(sample.port) as relay:
        fleet = subprocess.Popen(
            [str(field.binaries / "bench_polls"), "--url", f"http://127.0.0.1:{relay.port}{PATH}", "--secret", SECRET,
             "--sidecars", str(sidecars), "--interval", str(round(interval * 1000)), "--wait", str(wait),
             "--warm", str(warm), "--seconds", str(seconds)], stdout=subprocess.PIPE)
        line = lambda: asyncio.get_running_loop().run_in_executor(None, fleet.stdout.readline)
        figures = lambda: (cpu_seconds(sample.puma.pids()), relay.bytes, relay.connections)
        with fleet:
            if not await line():
                raise SystemExit("bench_polls ended early")
            before = figures()
            result = json.loads(await line())
            result["cpu"], result["bytes"], result["connections"] = (b - a for a, b in zip(before, figures()))
    return result


def row(title, interval, result):
    polls, seconds = result["documents"] + result["not_modified"], result["seconds"]
    return [title, f"{interval:g} s", f"{polls / seconds:.1f}", f"{result['bytes'] / seconds / 1000:.1f}",
            f"{result['cpu'] / seconds * 100:.1f} %", f"{result['cpu'] / polls * 1000:.1f}" if polls else "-",
            f"{result['connections'] / seconds:.1f}", result["failed"]]


def run(field, quick):
    rows = []
    for etag in (True, False):
        sample = Sample(field, etag)
        plan = [("with ETag" if etag else "without ETag", SIDECARS, interval, 0)
                for interval in ((1, 5) if quick else (1, 2, 5, 30))]
        if etag:
            plan += [("may be held", SIDECARS, interval, 20) for interval in ((5,) if quick else (5, 30))]
            plan += [("one sidecar", 1, 1, 0), ("one sidecar, held", 1, 1, 20)]
        for title, sidecars, interval, wait in plan:
            # By the end of the warm-up each has its document, and knows whether it is held.
            warm = 5 if quick else max(interval, 10) + 1
            seconds = 10 if quick else max(interval, 20)
            rows.append(row(title, interval, asyncio.run(measure(field, sample, sidecars, interval, wait, warm, seconds))))
        sample.close()
        field.stop_all()
    return (f"What the polls of {SIDECARS} sidecars cost one backend (the status endpoint of deploy/ in Rails on one Puma "
            f"process of 5 threads, SQLite within it; {PROJECTS} projects and {FILES} files, of which {IN_PROCESS[0]} and "
            f"{IN_PROCESS[1]} in process)",
            table(["", "interval", "polls/s", "kB/s", "CPU, of one core", "CPU ms/poll", "new connections/s", "failed"], rows))
