"""A backend and its status endpoint that misbehave when told to. The standard library only.

Each serves on a port of its own, in one thread: so many connections as there are, one request after the other.
"""

import asyncio
import json
import socket
import struct
import threading

PROJECT = "ca29f7df-33ca-46dd-a015-92c46fdb6fd1"


class Server:
    """HTTP/1.1 with keep-alive, as far as the incidents need it; `answer` decides what comes back."""

    def __init__(self):
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()
        self.server = None
        self.writers = set()
        self.port = 0
        self.listen()

    def call(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(10)

    def listen(self):
        self.call(self._listen())

    def refuse(self):
        """Nothing listens any more, and what was open is reset."""
        self.call(self._refuse())

    def end(self):
        self.refuse()
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(10)

    async def _listen(self):
        if not self.server:
            self.server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
            self.port = self.server.sockets[0].getsockname()[1]

    async def _refuse(self):
        if self.server:
            self.server.close()
            self.server = None
        for writer in list(self.writers):
            reset(writer)

    async def _serve(self, reader, writer):
        self.writers.add(writer)
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                lines = head.split("\r\n")
                fields = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}
                await reader.readexactly(int(fields.get("content-length", 0)))
                answer = await self.answer(*lines[0].split(" ")[:2])
                if answer is None:
                    reset(writer)
                    return
                status, body = answer
                writer.write(f"HTTP/1.1 {status} X\r\nContent-Type: application/json\r\n"
                             f"Content-Length: {len(body)}\r\n\r\n".encode() + body)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.LimitOverrunError):
            pass
        finally:
            self.writers.discard(writer)
            writer.close()

    async def answer(self, method, target):
        raise NotImplementedError


def reset(writer):
    """The client sees ECONNRESET, not an end."""
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


class Api(Server):
    def __init__(self):
        self.mode = "well"
        self.delay = 0.002
        super().__init__()

    async def answer(self, method, target):
        await asyncio.sleep(self.delay)
        if self.mode == "reset":
            return None
        if self.mode == "errors":
            return 500, b'{"error":500}'
        return 200, json.dumps({"id": target.split("/")[-1], "kind": "dds-project"}).encode()


class Status(Server):
    def __init__(self):
        self.mode = "well"
        self.delay = 0
        self.not_ready = []
        super().__init__()

    async def answer(self, method, target):
        await asyncio.sleep(self.delay)
        if self.mode == "errors":
            return 500, b"no"
        entries = [{"id": each, "is_upload_ready": False, "is_download_ready": False} for each in self.not_ready]
        return 200, json.dumps({"projects": entries, "files": []}).encode()
