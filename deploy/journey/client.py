"""DukeDSClient 3.4.0 as its server sees it: what it sends, over which connections, and above all what it makes of an answer.

Nothing at all, or a connection that ends: five more tries, a second apart, whatever the method. 404
resource_not_consistent: every two seconds, for ever, when it creates an upload or asks for a chunk's URL. 503: every 60 s.
Everything else that is no success ends the upload.
"""

import asyncio
import dataclasses
import json
import random
import time
import uuid

TRIES, PAUSE, NOT_CONSISTENT_PAUSE, UNAVAILABLE_PAUSE = 5, 1.0, 2.0, 60.0
SILENCE = 90.0  # it has no timeout; the journey ends one day


@dataclasses.dataclass
class Count:
    requests: int = 0  # as the client sees them: tries of one are one
    answered: int = 0
    ids: list = dataclasses.field(default_factory=list)  # of each try: (id, method, whether it was answered)
    cut: int = 0  # tries that ended without an answer
    waited_for_consistency: int = 0
    uploads: int = 0
    ended: list = dataclasses.field(default_factory=list)  # why an upload, or another task, ended badly
    slowest: float = 0.0


class Ended(Exception):
    pass


class Session:
    """A requests.Session: connections are kept, and looked at before they are used again."""

    def __init__(self, address, count):
        self.address, self.count = address, count
        self.kept, self.token = None, ""

    async def call(self, method, path, body=None, waits=False):
        """The decoded answer; raises Ended when the client would give up."""
        self.count.requests += 1
        began = time.monotonic()
        refused = 0
        while True:
            try:
                status, answer = await self.attempt(method, path, body)
            except (OSError, EOFError, asyncio.IncompleteReadError) as error:
                self.count.cut += 1
                refused += 1
                if refused > TRIES:
                    raise Ended(f"{method} {path}: {type(error).__name__} {TRIES + 1} times") from error
                await asyncio.sleep(PAUSE)
                continue
            code = answer.get("code") if isinstance(answer, dict) else None
            if 200 <= status < 300:
                self.count.answered += 1
                self.count.slowest = max(self.count.slowest, time.monotonic() - began)
                return answer
            if waits and status == 404 and code == "resource_not_consistent":
                self.count.waited_for_consistency += 1
                await asyncio.sleep(NOT_CONSISTENT_PAUSE)
                began = time.monotonic()
            elif status == 503:
                await asyncio.sleep(UNAVAILABLE_PAUSE)
            else:
                raise Ended(f"{method} {path}: {status} {answer}")

    async def attempt(self, method, path, body):
        request_id = str(uuid.uuid4())
        note = [request_id, method, False]
        self.count.ids.append(note)
        reader, writer = await self.connection()
        content = json.dumps(body).encode() if body is not None else b""
        lines = [f"{method} /api/v1{path} HTTP/1.1", "Host: dds.example", "User-Agent: DukeDSClient/3.4.0", f"Authorization: {self.token}"]
        lines += ["Accept-Encoding: gzip, deflate", "Accept: */*", "Connection: keep-alive", f"X-Request-Id: {request_id}"]
        if body is not None:
            lines += ["Content-Type: application/json", f"Content-Length: {len(content)}"]
        try:
            writer.write(("\r\n".join(lines) + "\r\n\r\n").encode())
            await writer.drain()
            await asyncio.sleep(0)
            writer.write(content)  # in a write of its own
            async with asyncio.timeout(SILENCE):
                status, keep, answer = await read_answer(reader)
        except BaseException:
            writer.transport.abort()
            raise
        note[2] = True
        if keep:
            self.kept = (reader, writer)
        else:
            writer.close()
        return status, json.loads(answer)

    async def connection(self):
        if self.kept:
            (reader, writer), self.kept = self.kept, None
            await asyncio.sleep(0)
            if not reader.at_eof() and reader.exception() is None and not writer.is_closing():
                return reader, writer
            writer.close()
        return await asyncio.open_connection(*self.address)

    def close(self):
        if self.kept:
            self.kept[1].close()

    async def sign_in(self):
        answer = await self.call("POST", "/software_agents/api_token", {"agent_key": "a", "user_key": "u"})
        self.token = answer["api_token"]


async def read_answer(reader):
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
    status = int(head.split()[1])
    fields = dict(line.split(": ", 1) for line in head.split("\r\n")[1:] if ": " in line)
    keep = fields.get("connection") != "close"
    if fields.get("transfer-encoding") != "chunked":
        return status, keep, await reader.readexactly(int(fields.get("content-length", 0)))
    body = b""
    while size := int(await reader.readuntil(b"\r\n"), 16):
        body += await reader.readexactly(size)
        await reader.readexactly(2)
    await reader.readexactly(2)
    return status, keep, body


class Clients:
    def __init__(self, address):
        self.address, self.count, self.stopping = address, Count(), asyncio.Event()
        self.last_version = self.last_project = None

    async def run(self, uploaders, lookers):
        await asyncio.gather(*(self.upload_on() for _ in range(uploaders)), *(self.look_on() for _ in range(lookers)))

    async def upload_on(self):
        """One `ddsclient upload` after the other."""
        while not self.stopping.is_set():
            try:
                await self.upload_project(files=3)
                self.count.uploads += 1
            except Ended as error:
                self.count.ended.append(str(error))

    async def task(self, work, *arguments):
        """A worker's task: a session and a token of its own."""
        session = Session(self.address, self.count)
        try:
            await session.sign_in()
            return await work(session, *arguments)
        finally:
            session.close()

    async def upload_project(self, files):
        project = (await self.task(self.create_project))["id"]
        await asyncio.gather(*(self.task(self.upload_file, project, number) for number in range(files)))
        await self.task(self.check, project)
        self.last_project = project

    async def create_project(self, session):
        return await session.call("POST", "/projects", {"name": "a project", "description": "of the journey"})

    async def upload_file(self, session, project, number):
        wanted = {"name": f"{number}.dat", "content_type": "application/octet-stream", "size": 1000, "chunked": True}
        upload = (await session.call("POST", f"/projects/{project}/uploads", wanted, waits=True))["id"]
        await session.call("PUT", f"/uploads/{upload}/chunks", {"number": 1, "size": 1000}, waits=True)
        await asyncio.sleep(random.uniform(0.05, 0.3))  # the bytes go to the store, past the API
        await session.call("GET", f"/uploads/{upload}?%7B%7D")
        await session.call("PUT", f"/uploads/{upload}/complete", {"hash": {"value": "x", "algorithm": "md5"}})
        parent = {"kind": "dds-project", "id": project}
        file = await session.call("POST", "/files/", {"parent": parent, "upload": {"id": upload}})
        self.last_version = file["current_version"]["id"]

    async def check(self, session, project):
        """What `upload` does at its end: it waits until the files can be downloaded."""
        await session.call("GET", f"/projects/{project}/files?page=1&per_page=100", waits=True)

    async def look_on(self):
        """As a portal's tab: one connection, a look each now and then."""
        session = Session(self.address, self.count)
        session.token = "journey-token"
        while not self.stopping.is_set():
            try:
                await session.call("GET", "/projects")
            except Ended as error:
                self.count.ended.append(str(error))
            await asyncio.sleep(random.uniform(0.05, 1.5))
        session.close()
