#!/usr/bin/env python3
"""What the sidecar takes from many clients that want it ill or are merely slow, and what the others notice of it
(`dev pressure`): the resident set with nobody and at its highest, and the latency of well-behaved clients meanwhile."""

import argparse
import json
import os
import select
import socket
import subprocess
import time
from pathlib import Path

from cases import READY, TOKEN
from proxies import Field
from report import table

HOST = "Host: dds.example\r\n"
HALF_A_HEAD = f"GET /api/v1/projects HTTP/1.1\r\n{HOST}X-Slow: ".encode()
UPLOAD = f"PUT /upload HTTP/1.1\r\n{HOST}Content-Length: 1000000000\r\n\r\n".encode() + b"x" * 100
CHUNK_LINE = f"PUT /upload HTTP/1.1\r\n{HOST}Transfer-Encoding: chunked\r\n\r\n5;slow=".encode()
DOWNLOAD = f"GET /bytes/10485760 HTTP/1.1\r\n{HOST}\r\n".encode()
BOMB = f"GET / HTTP/1.1\r\n{HOST}".encode() + b"X-Bomb: " + b"b" * (1 << 20)


class Crowd:
    """Connections that have sent their bytes and go no further; `drip` sends one byte more on each."""

    def __init__(self, port, count, first_bytes):
        self.all = []
        for _ in range(count):
            one = socket.create_connection(("127.0.0.1", port))
            one.setblocking(False)
            self.all.append(one)
            self.send(one, first_bytes)

    @staticmethod
    def send(one, data):
        try:
            one.send(data)
        except (BlockingIOError, ConnectionError):
            pass

    def drip(self, byte):
        for one in self.all:
            self.send(one, byte)

    def unanswered(self):
        """How many got nothing yet, no end either."""
        poll = select.poll()
        for one in self.all:
            poll.register(one, select.POLLIN | select.POLLRDHUP)
        return len(self.all) - len(poll.poll(0))

    def close(self):
        for one in self.all:
            one.close()


def others(field, port, seconds):
    """The latency of well-behaved clients: 500 requests a second over 16 connections."""
    load = subprocess.run([str(field.binaries / "bench_load"), "--port", str(port), "--target", READY, *TOKEN,
                           "--connections", "16", "--rate", "500", "--seconds", str(seconds)],
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, check=True)
    found = json.loads(load.stdout)
    if found["unexpected"] or found["lost"]:
        raise SystemExit(f"others were harmed: {found}")
    return found["latency_us"]


def resident_mib(proxy, key):
    for line in Path(f"/proc/{proxy.process.pid}/status").read_text().splitlines():
        if line.startswith(key + ":"):
            return int(line.split()[1]) / 1024
    raise SystemExit(f"no {key}")


def run(field, name, count, first_bytes, drip, seconds):
    backend = field.backend(cores=field.all_cores)
    proxy = field.start_sidecar("sidecar", backend.port, 2, field.all_cores)
    others(field, proxy.port, 0.5)
    before = resident_mib(proxy, "VmRSS")
    crowd = Crowd(proxy.port, count, first_bytes) if count else None
    if crowd and drip:
        crowd.drip(drip)
    if crowd:
        time.sleep(1)  # what was asked for is under way or refused
    latency = others(field, proxy.port, seconds)
    row = [name, count, crowd.unanswered() if crowd else 0, len(os.listdir(f"/proc/{proxy.process.pid}/fd")), f"{before:.1f}",
           f"{resident_mib(proxy, 'VmHWM'):.1f}", f"{latency['p50']:.0f}", f"{latency['p99']:.0f}"]
    if crowd:
        crowd.close()
    again = others(field, proxy.port, 0.5)
    field.stop_all()
    return [*row, f"{again['p50']:.0f}"]


def main():
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--build", type=Path, required=True, help="the folder of the bench_ programs")
    options.add_argument("--out", type=Path, default=Path("build/bench"))
    options.add_argument("--count", type=int, default=9000, help="connections; two descriptors each in the sidecar")
    options.add_argument("--seconds", type=float, default=5)
    chosen = options.parse_args()
    chosen.out.mkdir(parents=True, exist_ok=True)
    field = Field(chosen.build.resolve(), chosen.out.resolve(), os.sched_getaffinity(0))
    many, some = chosen.count, chosen.count // 9
    few = chosen.count // 90  # more would use up what the kernel grants to all sockets together (tcp_mem)
    rows = []
    try:
        for name, count, first_bytes, drip in (
                ("nobody", 0, b"", b""), ("half a head, then byte by byte", many, HALF_A_HEAD, b"s"),
                ("an upload that stands still, with its backend connection", many, UPLOAD, b"y"),
                ("within the line of a chunk", many, CHUNK_LINE, b"z"),
                ("10 MiB asked for and never read", few, DOWNLOAD, b""), ("a header of 1 MiB", some, BOMB, b"b")):
            rows.append(run(field, name, count, first_bytes, drip, chosen.seconds))
            print(rows[-1], flush=True)
    finally:
        field.stop_all()
    page = "# Under pressure\n\n" + table(["", "clients", "without an answer", "descriptors", "MiB before", "MiB at most",
                                           "others: p50 us", "p99 us", "p50 afterwards"], rows) + "\n"
    (chosen.out / "pressure.md").write_text(page)
    print(page)


if __name__ == "__main__":
    main()
