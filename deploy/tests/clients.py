#!/usr/bin/env python3
"""Clients of different habits that count what they sent, what was answered, and what was lost.

They are as careful as real ones and no more: a kept connection that the other side has closed is seen before it is used
again; what was sent is never sent again, and what is not answered whole, or with anything but a success, is lost.

  clients.py HOST:PORT busy=8,idle=4,fresh=2,upload=2

SIGTERM: HOST stops being an endpoint of the Service: no new connections from then on, and the kept ones are used as
long as they last. SIGINT: all finish what they are at. Then the count is printed as JSON.
"""

import asyncio
import dataclasses
import json
import random
import select
import signal
import sys

PROJECT = "2f4d1c53-6f0e-4b6a-9a3f-5c1b7e80d2a1"  # ready in the demo backend
TOKEN = "demo-token"
PATIENCE = 60


@dataclasses.dataclass
class Count:
    sent: int = 0
    posts: int = 0
    answered: int = 0
    lost: list = dataclasses.field(default_factory=list)
    habits: dict = dataclasses.field(default_factory=dict)

    def note_answer(self, habit):
        self.answered += 1
        self.habits[habit] = self.habits.get(habit, 0) + 1


class Lost(Exception):
    pass


class Connection:
    def __init__(self, reader, writer):
        self.reader, self.writer = reader, writer
        self.keep = True

    @staticmethod
    async def open(address):
        return Connection(*await asyncio.open_connection(*address))

    def usable(self):
        """Whoever has nothing to say and yet is readable has closed; the socket itself knows it first."""
        if not self.keep or self.reader.at_eof() or self.reader.exception() is not None:
            return False
        return not select.select([self.writer.get_extra_info("socket")], [], [], 0)[0]

    def close(self):
        self.writer.close()

    async def exchange(self, head, pieces=(), pause=0.0):
        """The answer's body; raises Lost for anything less than a whole success."""
        try:
            self.writer.write(head)
            sending = asyncio.ensure_future(self.send(pieces, pause))
            try:
                async with asyncio.timeout(PATIENCE):
                    status, body = await self.read_answer()
                    await sending
            finally:
                sending.cancel()
        except (OSError, EOFError, asyncio.IncompleteReadError, TimeoutError) as error:
            self.keep = False
            raise Lost(f"{type(error).__name__}: {error}") from error
        if not 200 <= status < 300:
            raise Lost(f"status {status}: {body[:200]!r}")
        return body

    async def send(self, pieces, pause):
        for piece in pieces:
            await asyncio.sleep(pause)
            self.writer.write(piece)
            await self.writer.drain()

    async def read_answer(self):
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
        status = int(head.split()[1])
        fields = dict(line.split(": ", 1) for line in head.split("\r\n")[1:] if ": " in line)
        if fields.get("connection") == "close":
            self.keep = False
        if fields.get("transfer-encoding") == "chunked":
            return status, await self.read_chunks()
        return status, await self.reader.readexactly(int(fields.get("content-length", 0)))

    async def read_chunks(self):
        body = b""
        while size := int(await self.reader.readuntil(b"\r\n"), 16):
            body += await self.reader.readexactly(size)
            await self.reader.readexactly(2)
        await self.reader.readexactly(2)
        return body


def request(method, target, fields=""):
    return f"{method} {target} HTTP/1.1\r\nHost: dds\r\nAuthorization: {TOKEN}\r\n{fields}\r\n".encode()


UPLOAD = b'{"name":"a.txt","content_type":"text/plain","size":5,"padding":"%s"}'
SMALL = UPLOAD % b"x"
SHORT_ONES = [
    (request("GET", f"/api/v1/projects/{PROJECT}?info"), (), b"resource_consistency"),
    (request("GET", "/api/v1/projects"), (), b""),
    (request("POST", f"/api/v1/projects/{PROJECT}/uploads", f"Content-Length: {len(SMALL)}\r\n"), (SMALL,), b""),
]


class Clients:
    """`pick` names the address for a new connection, each time anew, as a Service does; None: there is none any more."""

    def __init__(self, pick):
        self.pick, self.count, self.stopping = pick, Count(), asyncio.Event()

    async def run(self, habits):
        """{habit: how many}; until stop()."""
        await asyncio.gather(*(getattr(self, habit)() for habit, many in habits.items() for _ in range(many)))

    def stop(self):
        self.stopping.set()

    def over(self, connection):
        return self.stopping.is_set() or not (self.pick() or (connection and connection.usable()))

    async def rest(self, seconds):
        try:
            await asyncio.wait_for(self.stopping.wait(), seconds)
        except TimeoutError:
            pass

    async def busy(self):
        """One kept connection, hardly a pause."""
        await self.keep_on("busy", lambda: 0.01, keep=True)

    async def idle(self):
        """One kept connection, long pauses."""
        await self.keep_on("idle", lambda: random.uniform(0.5, 4), keep=True)

    async def fresh(self):
        """A new connection for each request, as the Python client makes them."""
        await self.keep_on("fresh", lambda: 0.02, keep=False)

    async def keep_on(self, habit, pause, keep):
        connection, turn = None, random.randrange(len(SHORT_ONES))
        while not self.over(connection):
            head, pieces, wanted = SHORT_ONES[turn % len(SHORT_ONES)]
            turn += 1
            connection = await self.one(habit, connection, head, pieces, wanted)
            if connection and not keep:
                connection.close()
                connection = None
            await self.rest(pause())
        if connection:
            connection.close()

    async def upload(self):
        """A body that takes five seconds; by its length and in chunks by turns."""
        padding = UPLOAD % (b"x" * 500_000)
        pieces = [padding[i : i + 10_000] for i in range(0, len(padding), 10_000)]
        chunks = [b"%x\r\n%s\r\n" % (len(p), p) for p in pieces] + [b"0\r\n\r\n"]
        target = f"/api/v1/projects/{PROJECT}/uploads"
        by_turns = [
            (request("POST", target, f"Content-Length: {len(padding)}\r\n"), pieces),
            (request("POST", target, "Transfer-Encoding: chunked\r\n"), chunks),
        ]
        turn, connection = 0, None
        while not self.over(connection):
            head, body = by_turns[turn % 2]
            turn += 1
            connection = await self.one("upload", connection, head, body, b"", pause=5 / len(pieces))
        if connection:
            connection.close()

    async def download(self):
        """An answer that takes five seconds; only tests/rolling_restart.py's backend has one."""
        connection = None
        while not self.over(connection):
            connection = await self.one("download", connection, request("GET", "/slow"), (), b"the end")
        if connection:
            connection.close()

    async def one(self, habit, connection, head, pieces, wanted, pause=0.0):
        """Sends one request, on the connection given if it is still open; the connection, if it can be used again."""
        if connection and not connection.usable():
            connection.close()
            connection = None
        self.count.sent += 1
        try:
            if not connection:
                try:
                    connection = await Connection.open(self.pick())
                except OSError as error:
                    raise Lost(f"connect: {error}") from error
            self.count.posts += head.startswith(b"POST")
            body = await connection.exchange(head, pieces, pause)
            if wanted not in body:
                raise Lost(f"the answer lacks {wanted!r}: {body[:200]!r}")
            self.count.note_answer(habit)
        except Lost as error:
            self.count.lost.append(f"{habit}: {head.split(b' HTTP')[0].decode()}: {error}")
            if connection:
                connection.close()
            return None
        return connection


async def main(address, habits):
    host, port = address.rsplit(":", 1)
    endpoints = [(host, int(port))]
    clients = Clients(lambda: endpoints[0] if endpoints else None)
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, endpoints.clear)
    asyncio.get_running_loop().add_signal_handler(signal.SIGINT, clients.stop)
    await clients.run({habit: int(many) for habit, many in (each.split("=") for each in habits.split(","))})
    print(json.dumps(dataclasses.asdict(clients.count)))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
