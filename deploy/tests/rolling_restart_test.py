"""A rolling restart under load, which must lose nothing.

Two pods, each a backend and a sidecar, serve clients of every habit (clients.py). One after the other is replaced as a
Deployment does it: a new pod is started, gets its connections when it is ready, and only then the old one is told to
end. What a Service does is played here, worst case included: it hears of each change late, so that new connections go
on arriving at a sidecar that is draining; kept ones stay where they are. All on loopback.
"""

import asyncio
import json
import pathlib
import random
import signal
import tempfile
import time
import urllib.request

import workshop
from clients import Clients
from workshop import Case

PROPAGATION = 1.0  # seconds until the Service has heard of a change; below drain.accept_for
HABITS = {"busy": 6, "fresh": 3, "idle": 24, "upload": 4, "download": 4}
CONFIG = """
listen: {{address: "127.0.0.1:0"}}
upstream: {{address: "127.0.0.1:{backend}"}}
status: {{url: "http://127.0.0.1:{backend}/internal/consistency", interval: 200ms, wait: 0s}}
admin: {{address: "127.0.0.1:0"}}
log: {{access: off}}
drain: {{accept_for: 2s, timeout: 40s}}
"""


class Backend:
    """Answers anything with JSON, /slow in the course of five seconds, and counts the POSTs that came in whole."""

    posts = 0

    async def start(self):
        self.server = await asyncio.start_server(self.serve, "127.0.0.1", 0)
        return self.server.sockets[0].getsockname()[1]

    async def serve(self, reader, writer):
        try:
            while await self.serve_one(reader, writer):
                pass
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            writer.close()

    async def serve_one(self, reader, writer):
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        method, target, _ = head.split(" ", 2)
        fields = dict(line.lower().split(": ", 1) for line in head.split("\r\n")[1:] if ": " in line)
        if fields.get("transfer-encoding") == "chunked":
            while size := int(await reader.readuntil(b"\r\n"), 16):
                await reader.readexactly(size + 2)
            await reader.readexactly(2)
        else:
            await reader.readexactly(int(fields.get("content-length", 0)))
        Backend.posts += method == "POST"
        if target == "/slow":
            return await self.answer_slowly(writer)
        body = b'{"projects":[],"files":[]}' if target.startswith("/internal/") else b'{"name":"x"}'
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        await writer.drain()
        return True

    async def answer_slowly(self, writer):
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n")
        for _ in range(50):
            await asyncio.sleep(0.1)
            writer.write(b"2710\r\n" + b"x" * 10_000 + b"\r\n")
            await writer.drain()
        writer.write(b"7\r\nthe end\r\n0\r\n\r\n")
        await writer.drain()
        return True


class Pod:
    def __init__(self, sidecar, directory, number):
        self.program, self.config, self.name = sidecar, directory / f"{number}.yaml", f"pod {number}"

    async def start(self):
        self.config.write_text(CONFIG.format(backend=await Backend().start()))
        self.process = await asyncio.create_subprocess_exec(
            self.program, "--config", self.config, stdout=asyncio.subprocess.PIPE
        )
        async with asyncio.timeout(10):
            while True:
                line = json.loads(await self.process.stdout.readline())
                if line["msg"] == "serving":
                    break
            self.address, self.admin = ("127.0.0.1", line["port"]), line["admin_port"]
            self.reading = asyncio.ensure_future(self.process.stdout.read())
            while await asyncio.to_thread(self.status_of, "/readyz") != 200:
                await asyncio.sleep(0.05)

    def status_of(self, path):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.admin}{path}", timeout=2) as answer:
                return answer.status
        except urllib.error.HTTPError as error:
            return error.code

    async def end(self):
        """Seconds that the drain took."""
        began = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        while await asyncio.to_thread(self.status_of, "/readyz") != 503:
            if time.monotonic() > began + 2:
                raise AssertionError(f"{self.name}: /readyz goes on saying that it is ready")
            await asyncio.sleep(0.05)
        if (live := await asyncio.to_thread(self.status_of, "/livez")) != 200:
            raise AssertionError(f"{self.name}: while draining /livez says {live}")
        async with asyncio.timeout(60):
            code = await self.process.wait()
        if code != 0:
            raise AssertionError(f"{self.name}: exit code {code}")
        return time.monotonic() - began


class RollingRestart(Case):
    def test_two_rolling_restarts_under_load_lose_nothing_and_double_nothing(self):
        count, drained = asyncio.run(main(workshop.program("sidecar")))
        self.assertEqual((count.answered, count.lost[:20]), (count.sent, []))
        self.assertEqual(set(count.habits), set(HABITS), "each habit had its turn")
        self.assertEqual(Backend.posts, count.posts, "as many POSTs came to a backend as were sent")
        by_habit = ", ".join(f"{many} {habit}" for habit, many in sorted(count.habits.items()))
        self.figure(f"{count.sent} requests ({by_habit}), 0 lost; {count.posts} POSTs, 0 doubled")
        self.figure(f"drained in {drained[0]:.1f} s and {drained[1]:.1f} s")


async def main(sidecar):
    with tempfile.TemporaryDirectory() as directory:
        pods = [Pod(sidecar, pathlib.Path(directory), number) for number in range(4)]
        try:
            return await restart(pods)
        finally:
            for pod in pods:
                if getattr(pod, "process", None) and pod.process.returncode is None:
                    pod.process.kill()


async def restart(pods):
    old, new = pods[:2], pods[2:]
    for pod in old:
        await pod.start()
    endpoints, drained = [pod.address for pod in old], []
    clients = Clients(lambda: random.choice(endpoints))
    running = asyncio.ensure_future(clients.run(HABITS))
    await asyncio.sleep(2)
    for gone, come in zip(old, new):
        await come.start()
        await asyncio.sleep(PROPAGATION)
        endpoints.append(come.address)
        ending = asyncio.ensure_future(gone.end())
        await asyncio.sleep(PROPAGATION)
        endpoints.remove(gone.address)
        drained.append(await ending)
    clients.stop()
    await running
    return clients.count, drained
