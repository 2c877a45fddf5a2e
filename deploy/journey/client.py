"""Those who use the API during the journey: uploads as DukeDSClient makes them (../tests/dds_client.py), one after the other,
each in a thread; and some who look. What each of them sent, and what came of it, is counted by an id of its own.
"""

import concurrent.futures
import dataclasses
import http.client
import http.server
import json
import pathlib
import random
import sys
import threading
import time
import uuid

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "tests"))

import dds_client  # noqa: E402

FILES, SIZE = 4, 2000


@dataclasses.dataclass
class Count:
    requests: int = 0  # as their sender sees them: tries of one are one
    answered: int = 0
    tries: dict = dataclasses.field(default_factory=dict)  # id: method
    cut: int = 0  # tries that ended without an answer
    uploads: int = 0
    ended: list = dataclasses.field(default_factory=list)  # why an upload ended before its time
    slowest: float = 0.0
    lock: threading.Lock = dataclasses.field(default_factory=threading.Lock)


count = Count()


class CountedSession(dds_client.Session):
    def ask(self, method, url, headers, body=None):
        if "/api/v1" not in url:
            return super().ask(method, url, headers, body)  # the store's
        request_id = str(uuid.uuid4())
        with count.lock:
            count.tries[request_id] = method
        try:
            return super().ask(method, url, headers | {"X-Request-Id": request_id}, body)
        except dds_client.Broken:
            with count.lock:
                count.cut += 1
            raise


class CountedApi(dds_client.Api):
    def retried(self, attempt):
        began = time.monotonic()
        with count.lock:
            count.requests += 1
        try:
            result = super().retried(attempt)
        except dds_client.NotConsistent:
            self.note(began)
            raise
        self.note(began)
        return result

    @staticmethod
    def note(began):
        with count.lock:
            count.answered += 1
            count.slowest = max(count.slowest, time.monotonic() - began)


dds_client.Session, dds_client.Api = CountedSession, CountedApi


class Store(http.server.BaseHTTPRequestHandler):
    """Takes the files' bytes, past the API."""

    protocol_version = "HTTP/1.1"

    def do_PUT(self):  # pylint: disable=invalid-name
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(201)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


class Clients:
    def __init__(self, address):
        self.url = f"http://{address[0]}:{address[1]}/api/v1"
        self.stopping = threading.Event()
        self.figures = dds_client.Figures()
        self.last_project = None
        self.store = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Store)

    def run(self, uploaders, lookers):
        """Until `stopping`; then each ends what it is at."""
        threading.Thread(target=self.store.serve_forever, daemon=True).start()
        with concurrent.futures.ThreadPoolExecutor(uploaders + lookers) as pool:
            tasks = [pool.submit(self.upload_on) for _ in range(uploaders)] + [pool.submit(self.look_on) for _ in range(lookers)]
            for task in tasks:
                task.result()
        self.store.shutdown()

    def upload_on(self):
        while not self.stopping.is_set():
            upload = dds_client.Upload(self.url, self.figures, f"http://127.0.0.1:{self.store.server_port}")
            try:
                upload.run("a project", [SIZE] * FILES, [])
            except (dds_client.ApiError, dds_client.Broken, OSError, ValueError) as error:
                with count.lock:
                    count.ended.append(f"{type(error).__name__}: {error}")
                continue
            self.last_project = upload.project
            with count.lock:
                count.uploads += 1

    def look_on(self):
        """As a tab of the portal: one connection, a look now and then."""
        api = dds_client.Api(self.url, self.figures)
        while not self.stopping.wait(random.uniform(0.05, 1.5)):
            api.pages("/projects")
        api.close()

    def asked(self, path):
        """A GET of the journey's own."""
        connection = http.client.HTTPConnection(self.url.split("/")[2])
        try:
            connection.request("GET", f"/api/v1{path}", headers={"Authorization": "journey-token"})
            return json.loads(connection.getresponse().read())
        finally:
            connection.close()
