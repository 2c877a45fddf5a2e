#!/usr/bin/env python3
"""One process of a DDS of its own, for the journey: as much of the API as its main client's uploads need, in the real
one's words. Several share a database, so that any of them may be killed and another goes on.

  dds.py HOST PORT DATABASE

It notes each request that it has read whole, by its X-Request-Id: what came twice is seen afterwards.
"""

import asyncio
import hashlib
import http
import json
import random
import re
import signal
import sqlite3
import sys
import time
import uuid

AT_A_TIME = 10  # Puma's workers and threads
TAKES = 0.02, 0.15  # seconds that a request is worked on
PROJECT_READY_AFTER = 1.0  # seconds: a background job sets its storage up
UPLOAD_READY_AFTER = 1.5  # likewise: what was uploaded is checked
SCHEMA = """
CREATE TABLE IF NOT EXISTS projects (id TEXT PRIMARY KEY, ready_at REAL);
CREATE TABLE IF NOT EXISTS uploads (id TEXT PRIMARY KEY, project TEXT, name TEXT, size INTEGER, ready_at REAL);
CREATE TABLE IF NOT EXISTS files (id TEXT PRIMARY KEY, project TEXT, upload TEXT, version TEXT);
CREATE TABLE IF NOT EXISTS seen (request TEXT, method TEXT, target TEXT);
"""
FILES = "FROM files f JOIN uploads u ON u.id = f.upload"
NOT_CONSISTENT = {
    "error": "404",
    "code": "resource_not_consistent",
    "reason": "resource changes are still being processed by system",
    "suggestion": "this is a temporary state that will eventually be resolved by the system; please retry request",
}
NO_ROUTE = {"error": "404", "code": "not_provided", "reason": "no route"}


class Api:
    def __init__(self, database):
        # Every statement is its own transaction, and a killed process takes nothing of the others' with it.
        self.database = sqlite3.connect(database, isolation_level=None, timeout=10)
        self.database.executescript("PRAGMA journal_mode=WAL; PRAGMA synchronous=OFF;" + SCHEMA)
        self.ending, self.threads = asyncio.Event(), asyncio.Semaphore(AT_A_TIME)
        self.busy = set()

    def rows(self, statement, *values):
        return self.database.execute(statement, values).fetchall()

    # --- HTTP ---------------------------------------------------------------------------------------------------------

    async def serve(self, reader, writer):
        try:
            while not self.ending.is_set() and await self.serve_one(reader, writer):
                pass
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            self.busy.discard(writer)
            writer.close()

    async def serve_one(self, reader, writer):
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        self.busy.add(writer)
        method, target, _ = head.split(" ", 2)
        fields = {}
        for line in head.split("\r\n")[1:-2]:
            name, _, value = line.partition(":")
            fields[name.lower()] = value.strip()
        body = await reader.readexactly(int(fields.get("content-length", 0)))
        path, _, _ = target.partition("?")
        if path.startswith("/api/"):
            self.rows("INSERT INTO seen VALUES (?, ?, ?)", fields.get("x-request-id", ""), method, target)
            async with self.threads:
                await asyncio.sleep(random.uniform(*TAKES))
        given = json.loads(body) if fields.get("content-type") == "application/json" and body else {}
        status, answer = self.answer(method, path, fields, given)
        keep = fields.get("connection", "").lower() != "close" and not self.ending.is_set()
        writer.write(rendered(status, answer, fields, keep, paged="page=" in target))
        await writer.drain()
        self.busy.discard(writer)
        return keep

    # --- the API ------------------------------------------------------------------------------------------------------

    def answer(self, method, path, fields, given):
        if path == "/apidocs":
            return 200, {"apidocs": True}
        if path == "/internal/consistency":
            return self.consistency() if fields.get("x-sidecar-secret") == "not-a-secret" else (401, {"error": "401"})
        parts = [p for p in path.removeprefix("/api/v1").split("/") if p]
        if (method, parts) == ("POST", ["software_agents", "api_token"]):
            return 201, {"api_token": "journey-token", "expires_on": "2099-01-01T00:00:00Z", "time_to_live": 7200}
        if not fields.get("authorization"):
            return 401, {"error": 401, "code": "not_provided", "reason": "no api_token"}
        route = " ".join([method] + [p if i % 2 == 0 else "_" for i, p in enumerate(parts)])
        handler = getattr(self, re.sub(r"[^a-z]+", "_", route.lower()).strip("_"), None)
        return handler(given, *parts[1:2]) if handler else (404, NO_ROUTE)

    def post_projects(self, given):
        project = str(uuid.uuid4())
        self.rows("INSERT INTO projects VALUES (?, ?)", project, time.time() + PROJECT_READY_AFTER)
        return 202, {"kind": "dds-project", "id": project, "name": given.get("name"), "is_deleted": False}

    def get_projects(self, _given, project=None):
        if project is None:
            return 200, {"results": [{"id": p} for (p,) in self.rows("SELECT id FROM projects LIMIT 20")]}
        return 200, {"kind": "dds-project", "id": project, "name": "a project", "is_deleted": False}

    def post_projects_uploads(self, given, project):
        ready = self.rows("SELECT ready_at <= ? FROM projects WHERE id = ?", time.time(), project)
        if not ready or not ready[0][0]:
            return 404, NOT_CONSISTENT
        upload = str(uuid.uuid4())
        self.rows("INSERT INTO uploads VALUES (?, ?, ?, ?, NULL)", upload, project, given["name"], given["size"])
        signed = {"http_verb": "PUT", "host": "https://store.example", "url": f"/{project}/{upload}", "http_headers": []}
        return 201, {"id": upload, "project": {"id": project}, "name": given["name"], "size": given["size"], "signed_url": signed}

    def get_uploads(self, _given, upload):
        ((name, size, ready_at),) = self.rows("SELECT name, size, ready_at FROM uploads WHERE id = ?", upload)
        consistent = None if ready_at is None else ready_at <= time.time()
        return 200, {"id": upload, "name": name, "size": size, "status": {"is_consistent": consistent}}

    def put_uploads_complete(self, _given, upload):
        ready_at = time.time() + UPLOAD_READY_AFTER
        done = self.database.execute("UPDATE uploads SET ready_at = ? WHERE id = ? AND ready_at IS NULL", (ready_at, upload))
        if done.rowcount == 0:
            return 400, {"error": "400", "code": "not_provided", "reason": "validation failed"}
        return 202, self.get_uploads({}, upload)[1]

    def post_files(self, given):
        file, version, upload = str(uuid.uuid4()), str(uuid.uuid4()), given["upload"]["id"]
        ((project,),) = self.rows("SELECT project FROM uploads WHERE id = ?", upload)
        self.rows("INSERT INTO files VALUES (?, ?, ?, ?)", file, project, upload, version)
        return 201, {"kind": "dds-file", "id": file, "current_version": {"id": version}}

    def get_projects_files(self, _given, project):
        files = self.rows(f"SELECT f.id, f.version, u.ready_at <= ? {FILES} WHERE f.project = ?", time.time(), project)
        if not all(ready for _, _, ready in files):
            return 404, NOT_CONSISTENT
        return 200, {"results": [{"id": file, "current_version": {"id": version}} for file, version, _ in files]}

    def get_files_url(self, _given, file):
        return self.url("f.id", file)

    def get_file_versions_url(self, _given, version):
        return self.url("f.version", version)

    def url(self, column, value):
        found = self.rows(f"SELECT u.ready_at <= ? {FILES} WHERE {column} = ?", time.time(), value)
        if not found or not found[0][0]:
            return 404, NOT_CONSISTENT
        return 200, {"http_verb": "GET", "host": "https://store.example", "url": f"/{value}"}

    def consistency(self):
        now = time.time()
        files = self.rows(f"SELECT f.id, f.version, f.project {FILES} WHERE u.ready_at > ?", now)
        setting_up = {project for (project,) in self.rows("SELECT id FROM projects WHERE ready_at > ?", now)}
        projects = setting_up | {project for _, _, project in files}
        return 200, {
            "projects": [{"id": p, "is_upload_ready": p not in setting_up, "is_download_ready": False} for p in sorted(projects)],
            "files": [{"id": file, "is_download_ready": False} for file, _, _ in files],
            "file_versions": [{"id": version, "is_download_ready": False} for _, version, _ in files],
        }


def rendered(status, answer, fields, keep, paged):
    """As Puma does: successes chunked, with a weak ETag; errors and 202 by their length."""
    body = json.dumps(answer, separators=(",", ":")).encode()
    tag = 'W/"' + hashlib.md5(body).hexdigest() + '"'
    if status == 200 and fields.get("if-none-match") == tag:
        return head(304, [f"ETag: {tag}"], keep)
    lines = ["Content-Type: application/json", "X-Rack-CORS: miss; no-origin", "Vary: Origin"]
    if paged:
        lines += ["X-Total-Pages: 1", "X-Page: 1", "X-Next-Page: ", "X-Prev-Page: "]
    if status in (200, 201):
        lines += [f"ETag: {tag}", "Cache-Control: max-age=0, private, must-revalidate", "Transfer-Encoding: chunked"]
        return head(status, lines, keep) + b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)
    return head(status, lines + ["Cache-Control: no-cache", f"Content-Length: {len(body)}"], keep) + body


def head(status, lines, keep):
    lines = [f"HTTP/1.1 {status} {http.HTTPStatus(status).phrase}", *lines] + ([] if keep else ["Connection: close"])
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


async def main(host, port, database):
    api = Api(database)
    server = await asyncio.start_server(api.serve, host, int(port), backlog=1024)
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, api.ending.set)
    await api.ending.wait()
    server.close()  # what it has begun it ends, as Puma does
    while api.busy:
        await asyncio.sleep(0.01)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
