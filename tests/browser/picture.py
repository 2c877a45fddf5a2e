#!/usr/bin/env python3
"""Takes docs/page.png: the admin page after a while of calm traffic.

  picture.py SIDECAR FILE [MINUTES]

Clients ask for what DukeDSClient asks for, more of them and fewer; now and then the backend says 404; projects are made,
take no uploads for some seconds, and then do. Fifteen minutes fill the plots.
"""

import contextlib
import http.client
import json
import math
import pathlib
import random
import sys
import tempfile
import threading
import time
import uuid

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "incidents"))
import backend  # noqa: E402
import chromium  # noqa: E402
from stage import Sidecar  # noqa: E402

CLIENTS = 6
STUCK = "777be35a-98e0-4c2e-9a17-7bc009f9b111"  # a file that does not get ready


class Api(backend.Api):
    async def answer(self, method, target):
        self.delay = random.lognormvariate(math.log(0.0015), 0.5)
        status, body = await super().answer(method, target)
        if method == "POST" and target.endswith("/projects"):
            made = str(uuid.uuid4())
            self.status.made(made)
            return 201, json.dumps({"id": made, "kind": "dds-project"}).encode()
        return (404, b'{"error":404}') if random.random() < 0.02 else (status, body)


class Status(backend.Status):
    """What was made is ready some seconds later."""

    def __init__(self):
        self.until = {str(uuid.uuid4()): time.monotonic() + wait for wait in (20, 45, 90)}
        super().__init__()

    def made(self, one):
        self.until[one] = time.monotonic() + random.expovariate(1 / 12)

    def some(self):
        return list(self.until) or [backend.PROJECT]

    async def answer(self, method, target):
        now = time.monotonic()
        self.until = {one: at for one, at in self.until.items() if at > now}
        projects = [{"id": one, "is_upload_ready": False, "is_download_ready": at - now < 8}
                    for one, at in self.until.items()]
        return 200, json.dumps({"projects": projects, "files": [{"id": STUCK, "is_download_ready": False}]}).encode()


def ask(port, status, ending):
    begun = time.monotonic()
    while not ending.is_set():
        client = http.client.HTTPConnection("127.0.0.1", port, timeout=8)
        with contextlib.suppress(OSError, http.client.HTTPException):
            while not ending.is_set():
                project = random.choice(status.some() + [backend.PROJECT] * 3)
                method, target = random.choices(
                    [("GET", "/api/v1/users"), ("GET", f"/api/v1/projects/{project}?info"), ("GET", f"/api/v1/files/{STUCK}/url?info"),
                     ("POST", f"/api/v1/projects/{project}/uploads"), ("POST", "/api/v1/projects")], (50, 24, 12, 10, 1.2))[0]
                client.request(method, target, body=b"{}" if method == "POST" else None,
                               headers={"Authorization": "a-token"})
                client.getresponse().read()
                busy = 1 + 0.4 * math.sin((time.monotonic() - begun) / 90)
                ending.wait(random.expovariate(8 * busy))
        client.close()


def main():
    program, file = sys.argv[1:3]
    minutes = float(sys.argv[3]) if len(sys.argv) > 3 else 15.2
    status, ending = Status(), threading.Event()
    api = Api()
    api.status = status
    with tempfile.TemporaryDirectory() as directory, chromium.Browser() as browser:
        sidecar = Sidecar(program, pathlib.Path(directory), api, status)
        clients = [threading.Thread(target=ask, args=(sidecar.port, status, ending)) for _ in range(CLIENTS)]
        for each in clients:
            each.start()
        ending.wait(minutes * 60 / 2)
        sidecar.configure()  # a reload: its mark
        ending.wait(minutes * 60 / 2)
        page = browser.page()
        page.look_like(1200, 1000, "light")
        page.go(sidecar.admin)
        page.shoot(file)
        page.close()
        ending.set()
        for each in clients:
            each.join(20)
        sidecar.end()
    api.end()
    status.end()


if __name__ == "__main__":
    main()
