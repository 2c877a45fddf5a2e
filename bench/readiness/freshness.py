"""From a change at the backend to the first request that sees it: as a distribution."""

import asyncio
import contextlib
import random
import re
import time

from proxies import first_free_port
from report import table
from sample import PATH, SECRET, Sample

PROJECT = "ca29f7df-33ca-46dd-a015-92c46fdb6fd1"


class StatusEndpoint:
    """Knows of a change at once. May hold polls that ask for it (RFC 7240)."""

    def __init__(self, holds):
        self.holds = holds
        self.ready = False
        self.version = 0
        self.connections = set()
        self.changed = asyncio.Condition()
        self.project = PROJECT

    async def __aenter__(self):
        self.server = await asyncio.start_server(self.serve, "127.0.0.1", 0)
        self.port = self.server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_):
        self.server.close()
        for connection in list(self.connections):
            connection.cancel()
        await asyncio.gather(*self.connections)

    async def change(self, ready):
        """Returns when the change took place."""
        async with self.changed:
            self.ready, self.version = ready, self.version + 1
            at = time.monotonic()
            self.changed.notify_all()
        return at

    async def serve(self, reader, writer):
        self.connections.add(asyncio.current_task())
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
                known = re.search(r'\r\nif-none-match: "(\d+)"', head)
                wait = re.search(r"\r\nprefer: wait=(\d+)", head) if self.holds else None
                applied = "Preference-Applied: wait\r\n" if wait else ""
                if known and wait:
                    async with self.changed:
                        with contextlib.suppress(TimeoutError):
                            await asyncio.wait_for(self.changed.wait_for(lambda: int(known[1]) != self.version), int(wait[1]))
                if known and int(known[1]) == self.version:
                    writer.write(f'HTTP/1.1 304 Not Modified\r\nETag: "{self.version}"\r\n{applied}\r\n'.encode())
                else:
                    body = f'{{"projects":[{{"id":"{PROJECT}","is_upload_ready":{str(self.ready).lower()}}}]}}'
                    writer.write(f'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nETag: "{self.version}"\r\n'
                                 f"{applied}Content-Length: {len(body)}\r\n\r\n{body}".encode())
                await writer.drain()
        writer.close()
        self.connections.discard(asyncio.current_task())


class SampleEndpoint:
    """The one of deploy/: looks at its database."""

    def __init__(self, sample):
        self.sample = sample
        self.port, self.project = sample.port, sample.project

    async def __aenter__(self):
        return self

    async def __aexit__(self, *_):
        self.sample.close()

    async def change(self, ready):
        at = time.monotonic()  # it is not yet: what is measured can only be too long, by the commit
        self.sample.set_upload_ready(ready)
        return at


class Client:
    """Asks again and again, without a pause, until the answer shows it."""

    async def open(self, port, project):
        self.reader, self.writer = await asyncio.open_connection("127.0.0.1", port)
        self.request = f"GET /api/v1/projects/{project}?info HTTP/1.1\r\nHost: api.example.org\r\n\r\n".encode()

    async def sees(self, ready, within=90):
        """When the first answer that shows it had come."""
        expected = f'"is_upload_ready":{str(ready).lower()}'.encode()
        end = time.monotonic() + within
        while time.monotonic() < end:
            self.writer.write(self.request)
            head = await self.reader.readuntil(b"\r\n\r\n")
            length = int(re.search(rb"\r\ncontent-length: (\d+)", head, re.I)[1])
            if expected in await self.reader.readexactly(length):
                return time.monotonic()
        raise SystemExit(f"no request saw the change in {within} s")


def start_sidecar(field, backend, status, project, interval, wait):
    port = first_free_port()
    config = field.run_folder("freshness") / "sidecar.yaml"
    config.write_text(f"""listen: {{address: "127.0.0.1:{port}"}}
workers: 1
upstream: {{address: "127.0.0.1:{backend}"}}
status:
  url: "http://127.0.0.1:{status}{PATH}"
  interval: {round(interval * 1000)}ms
  wait: {wait}s
  headers: [{{name: X-Sidecar-Secret, value: {SECRET}}}, {{name: X-Forwarded-Proto, value: https}}]
admin: {{address: off}}
log: {{level: error, access: off}}
drain: {{accept_for: 0s, timeout: 1s}}
""")
    return field.start("freshness", [field.binaries.parent / "sidecar", "--config", config], field.all_cores, port)


async def trials(field, endpoint, interval, wait, span, count):
    """`count` changes, at phases spread evenly over `span`, in random order. A phase begins when the last change has been
    seen, so where polls are not held at a poll."""
    backend = field.backend(cores=field.all_cores)
    async with endpoint:
        sidecar = start_sidecar(field, backend.port, endpoint.port, endpoint.project, interval, wait)
        client = Client()
        await client.open(sidecar.port, endpoint.project)
        phases = [(i + 0.5) / count * span for i in range(count)]
        random.Random(1).shuffle(phases)
        ready, took = False, []
        for _ in range(3):  # not measured: the first polls, before it is known whether they are held
            ready = not ready
            await endpoint.change(ready)
            await client.sees(ready)
        for phase in phases:
            await asyncio.sleep(phase)
            ready = not ready
            changed = await endpoint.change(ready)
            took.append(await client.sees(ready) - changed)
        client.writer.close()
    field.stop_all()
    return sorted(took)


def run(field, quick):
    count = 20 if quick else 200
    plan = [("held; the endpoint knows of the change at once", lambda: StatusEndpoint(holds=True), 1, 20, 1),
            ("held by the endpoint of deploy/, which looks each 0.5 s", lambda: SampleEndpoint(Sample(field)), 1, 20, 1),
            ("polled", lambda: StatusEndpoint(holds=False), 0.2, 0, 0.2),
            ("polled", lambda: StatusEndpoint(holds=False), 1, 0, 1)]
    rows = []
    for title, endpoint, interval, wait, span in plan:
        took = asyncio.run(trials(field, endpoint(), interval, wait, span, count))
        quantile = lambda q: f"{took[round(q * (len(took) - 1))] * 1000:.1f}"
        rows.append([title, f"{interval:g} s", *[quantile(q) for q in (0, 0.25, 0.5, 0.75, 0.9, 0.99, 1)], len(took)])
    return ("From a change at the backend to the end of the first answer that shows it, ms (a client that asks without a pause; "
            "changes at phases spread evenly over an interval, which begin when the last one has been seen; "
            "jitter 10 % of the interval, as by default)",
            table(["", "interval", "least", "25 %", "median", "75 %", "90 %", "99 %", "most", "trials"], rows))
