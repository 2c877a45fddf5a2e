#!/usr/bin/env python3
"""An upload as DukeDSClient 3.4.0 makes it: the same requests in the same order, the same headers, the same patience.

  dds_client.py URL [--files N] [--size BYTES] [--large N] [--large-size BYTES] [--chunk BYTES] [--workers N] [--store URL]
                [--header LINE]

URL is the API's, up to /api/v1. It makes a project, uploads small files into it (one task each, with a session and a token
of its own) and large ones (in chunks, by several workers at once), then asks for all files until they are consistent.

What it does not live through ends it, as it ends the client: exit code 1, and 2 for a large file. Prints what it did as
JSON. It has no timeout anywhere, so whoever runs it has one.

| it gets                       | from the API                          | from the store          |
|-------------------------------|---------------------------------------|-------------------------|
| a refused or broken connection| once more after 1 s, five times       | after 20 s, four tries  |
| 503                           | once more after 60 s, for ever        | ends                    |
| 404 resource_not_consistent   | uploads, chunks: after 2 s, for ever; files: after 5 s | ends   |
| anything else but a success   | ends                                  | a 403: a new URL, once  |
"""

import argparse
import concurrent.futures
import gzip
import hashlib
import http.client
import json
import select
import sys
import threading
import time
import urllib.parse

CONNECTION_RETRIES, CONNECTION_PAUSE = 5, 1
DOWN_PAUSE = 60
INCONSISTENT_PAUSE = 2
FILES_PAUSE = 5
STORE_TRIES, STORE_PAUSE = 4, 20
KEYS = {"agent_key": "owner-agent", "user_key": "owner-key"}


class ApiError(Exception):
    def __init__(self, response, method, suffix):
        super().__init__(f"{response.status} on {method} {suffix}: {response.body[:200]!r}")
        self.status = response.status


class NotConsistent(ApiError):
    pass


class Broken(Exception):
    """No connection, or one that ended before the response did."""


class Response:
    def __init__(self, response):
        self.status, self.headers = response.status, response.headers
        self.body = response.read()
        if self.body and self.headers.get("Content-Encoding") == "gzip":
            self.body = gzip.decompress(self.body)
        self.closes = response.will_close

    def json(self):
        return json.loads(self.body)


class Figures:
    def __init__(self):
        self.lock = threading.Lock()
        self.counts = {"requests": 0, "connections": 0, "broken": 0, "unavailable": 0, "inconsistent": 0, "files": 0}
        self.statuses = {}

    def add(self, name):
        with self.lock:
            self.counts[name] += 1

    def add_status(self, status):
        with self.lock:
            self.statuses[status] = self.statuses.get(status, 0) + 1

    def report(self):
        return {**self.counts, "statuses": dict(sorted(self.statuses.items()))}


class Session:
    """One kept connection to each host, looked at before it is used again, and never a second try of its own."""

    def __init__(self, figures, headers=None):
        self.figures, self.headers, self.kept = figures, headers or {}, {}

    def ask(self, method, url, headers, body=None):
        parts = urllib.parse.urlsplit(url)
        target = parts.path + ("?" + parts.query if parts.query else "")
        connection = self.connection(parts.netloc)
        self.figures.add("requests")
        try:
            # The head leaves in one write, the body in another.
            connection.request(method, target, body, {"Accept-Encoding": "gzip, deflate", "Accept": "*/*", "Connection": "keep-alive", **self.headers, **headers})
            response = Response(connection.getresponse())
        except (OSError, http.client.HTTPException) as error:
            self.drop(parts.netloc)
            raise Broken(f"{method} {url}: {type(error).__name__}: {error}") from error
        if response.closes:
            self.drop(parts.netloc)
        return response

    def connection(self, host):
        kept = self.kept.get(host)
        if kept and select.select([kept.sock], [], [], 0)[0]:
            self.drop(host)
        if host not in self.kept:
            self.figures.add("connections")
            connection = http.client.HTTPConnection(host)
            try:
                connection.connect()
            except OSError as error:
                raise Broken(f"connect to {host}: {error}") from error
            self.kept[host] = connection
        return self.kept[host]

    def drop(self, host):
        if host in self.kept:
            self.kept.pop(host).close()

    def close(self):
        for host in list(self.kept):
            self.drop(host)


class Api:
    def __init__(self, url, figures, token=None, headers=None):
        self.url, self.figures, self.token, self.headers = url, figures, token, headers
        self.session = Session(figures, headers)

    def retried(self, attempt):
        broken = 0
        while True:
            try:
                return attempt()
            except Broken:
                self.figures.add("broken")
                broken += 1
                if broken > CONNECTION_RETRIES:
                    raise
                time.sleep(CONNECTION_PAUSE)
            except ApiError as error:
                if error.status != 503:
                    raise
                self.figures.add("unavailable")
                time.sleep(DOWN_PAUSE)

    def ask(self, method, suffix, data=None, form=False):
        content_type = "application/x-www-form-urlencoded" if form else "application/json"
        encoded = urllib.parse.urlencode(data or {}) if form else json.dumps(data or {})
        in_body = method in ("POST", "PUT")
        query = "" if in_body else "?" + (encoded if form else urllib.parse.quote(encoded))

        def attempt():
            headers = {"Content-Type": content_type, "User-Agent": "DukeDSClient/3.4.0", "Authorization": self.authorization()}
            response = self.session.ask(method, self.url + suffix + query, headers, encoded.encode() if in_body else None)
            return self.checked(response, method, suffix, paged=form and not in_body)

        return self.retried(attempt)

    def authorization(self):
        if not self.token:
            self.token = self.retried(self.claim_token)
        return self.token

    # On a connection of its own, which is not kept.
    def claim_token(self):
        suffix, session = "/software_agents/api_token", Session(self.figures, self.headers)
        try:
            response = session.ask("POST", self.url + suffix, {"Content-Type": "application/json", "User-Agent": "DukeDSClient/3.4.0"}, json.dumps(KEYS).encode())
        finally:
            session.close()
        self.figures.add_status(response.status)
        if response.status != 201:
            raise ApiError(response, "POST", suffix)
        return response.json()["api_token"]

    def checked(self, response, method, suffix, paged):
        self.figures.add_status(response.status)
        if response.headers.get("X-Total-Pages") and not paged:
            raise ApiError(response, method, suffix + " (pages that nobody asked for)")
        if 200 <= response.status < 300:
            return response
        # What is not JSON here is an exception that nobody catches.
        if response.status == 404 and response.json().get("code") == "resource_not_consistent":
            raise NotConsistent(response, method, suffix)
        if response.status == 400:
            response.json()
        raise ApiError(response, method, suffix)

    def until_consistent(self, pause, attempt):
        while True:
            try:
                return attempt()
            except NotConsistent:
                self.figures.add("inconsistent")
                time.sleep(pause)

    def pages(self, suffix):
        results, page, last = [], 1, 1
        while page <= last:
            response = self.ask("GET", suffix, {"page": page, "per_page": 100}, form=True)
            last = int(response.headers.get("X-Total-Pages") or 1)
            results += response.json()["results"]
            page += 1
        return results

    def close(self):
        self.session.close()


class Upload:
    """`store`: the origin that takes the bytes, instead of the one that the API names. `headers`: of the router before the API."""

    def __init__(self, url, figures, store=None, chunk=100_000_000, workers=2, headers=None):
        self.url, self.figures, self.store, self.chunk, self.workers, self.headers = url, figures, store, chunk, workers, headers
        self.project = None

    def api(self, token=None):
        return Api(self.url, self.figures, token, self.headers)

    def run(self, name, small, large):
        """`small`, `large`: sizes."""
        looking = self.api()
        looking.pages("/projects")  # is there one of this name?
        self.project = self.in_a_task(lambda api: api.ask("POST", "/projects", {"name": name, "description": name}).json()["id"])
        with concurrent.futures.ThreadPoolExecutor(self.workers) as pool:
            tasks = [pool.submit(self.small_file, f"small-{i}", size) for i, size in enumerate(small)]
            for task in tasks:
                task.result()
        api = self.api()
        for i, size in enumerate(large):
            self.large_file(api, f"large-{i}", size)
        looking.pages("/projects")  # for the report
        looking.until_consistent(FILES_PAUSE, lambda: looking.pages(f"/projects/{self.project}/files"))
        looking.close()
        api.close()

    # As a process of its own: with a session, and a token.
    def in_a_task(self, work):
        api = self.api()
        try:
            return work(api)
        finally:
            api.close()

    def small_file(self, name, size):
        def work(api):
            data = b"x" * size
            upload = self.create_upload(api, name, data, chunked=False)
            self.send(api.session, upload["signed_url"], data)
            self.finish(api, upload["id"], data)

        self.in_a_task(work)

    def large_file(self, api, name, size):
        data = b"x" * size
        upload = self.create_upload(api, name, data, chunked=True)["id"]
        count = -(-size // self.chunk)
        each = -(-count // self.workers)
        parcels = [range(first, min(first + each, count)) for first in range(0, count, each)]
        try:
            with concurrent.futures.ThreadPoolExecutor(self.workers) as pool:
                for task in [pool.submit(self.send_chunks, api.token, upload, data, parcel) for parcel in parcels]:
                    task.result()
        except (ApiError, Broken, OSError) as error:
            raise LargeFileFailed(str(error)) from error
        self.finish(api, upload, data)

    def send_chunks(self, token, upload, data, parcel):
        api = self.api(token)
        for index in parcel:
            piece = data[index * self.chunk : (index + 1) * self.chunk]
            wanted = {"number": index + 1, "size": len(piece), "hash": digest(piece)}
            for attempt in (1, 2):
                url = api.until_consistent(INCONSISTENT_PAUSE, lambda: api.ask("PUT", f"/uploads/{upload}/chunks", wanted)).json()
                if self.send(api.session, url, piece, forbidden=attempt == 1) != 403:
                    break
        api.close()

    def create_upload(self, api, name, data, chunked):
        wanted = {"name": name, "content_type": "text/plain", "size": len(data), "hash": digest(data), "chunked": chunked}
        return api.until_consistent(INCONSISTENT_PAUSE, lambda: api.ask("POST", f"/projects/{self.project}/uploads", wanted)).json()

    def send(self, session, url, data, forbidden=False):
        for attempt in range(1, STORE_TRIES + 1):
            try:
                status = session.ask(url["http_verb"], (self.store or url["host"]) + url["url"], {}, data).status
                break
            except Broken:
                if attempt == STORE_TRIES:
                    raise
                time.sleep(STORE_PAUSE)
        if status not in (200, 201) and not (forbidden and status == 403):
            raise OSError(f"the store says {status}")
        return status

    def finish(self, api, upload, data):
        api.ask("GET", f"/uploads/{upload}")
        value = digest(data)
        api.ask("PUT", f"/uploads/{upload}/complete", {"hash[value]": value["value"], "hash[algorithm]": "md5"}, form=True)
        api.ask("POST", "/files/", {"parent": {"kind": "dds-project", "id": self.project}, "upload": {"id": upload}})
        self.figures.add("files")


class LargeFileFailed(Exception):
    pass


def digest(data):
    return {"value": hashlib.md5(data).hexdigest(), "algorithm": "md5"}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("url")
    for name, default in (("files", 10), ("size", 10_000), ("large", 0), ("large-size", 3_000_000), ("chunk", 100_000_000), ("workers", 2)):
        parser.add_argument("--" + name, type=int, default=default)
    parser.add_argument("--store", help="origin that takes the bytes, instead of the one that the API names")
    parser.add_argument("--header", action="append", default=[], help="as a router before the API adds it: 'X-Forwarded-Proto: https'")
    parser.add_argument("--name", default="genome")
    given = parser.parse_args()
    figures = Figures()
    upload = Upload(given.url, figures, given.store, given.chunk, given.workers, dict(line.split(": ", 1) for line in given.header))
    code, ended = 0, None
    try:
        upload.run(given.name, [given.size] * given.files, [given.large_size] * given.large)
    except LargeFileFailed as error:
        code, ended = 2, str(error)
    except (ApiError, Broken, OSError, ValueError) as error:
        code, ended = 1, f"{type(error).__name__}: {error}"
    print(json.dumps({"exit": code, "ended_by": ended, "project": upload.project, **figures.report()}), flush=True)
    return code


if __name__ == "__main__":
    sys.exit(main())
