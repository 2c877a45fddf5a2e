"""The sidecar in front of a backend and a status endpoint that misbehave when told to, with clients that ask again and
again: for the incidents, and for the tests of the page.
"""

import contextlib
import http.client
import json
import os
import pathlib
import subprocess
import threading
import time
import urllib.error
import urllib.request

import backend

CONFIG = """
listen: {{address: "127.0.0.1:0"}}
admin: {{address: "127.0.0.1:0"}}
workers: 2
upstream:
  address: "{upstream}"
  connect_retry: 1s
  response_timeout: 6s
  max_connections: {connections}
  max_pending: 2
  queue_timeout: 1s
downstream: {{max_connections: 64}}
status: {{url: "http://127.0.0.1:{status}/internal/consistency", interval: 200ms, wait: 0s, timeout: 3500ms, max_age: 4s{headers}}}
drain: {{accept_for: 0s}}
log: {{access: errors}}
"""


class Sidecar:
    def __init__(self, program, directory, api, status, secret=None):
        self.program, self.directory = program, directory
        self.api, self.status = api, status
        self.headers = f", headers: [{{name: X-Token, value: {secret}}}]" if secret else ""
        self.file = directory / "sidecar.yaml"
        self.configure()
        self.process = subprocess.Popen([program, "--config", str(self.file)], stdout=subprocess.PIPE, text=True,
                                        env={**os.environ, "POD_NAME": "dds-6f7c9b-x2x4k", "POD_NAMESPACE": "research"})
        self.lines = []
        self.serving = threading.Event()
        self.reader = threading.Thread(target=self.read)
        self.reader.start()
        assert self.serving.wait(20), "it does not serve"
        self.admin = f"http://127.0.0.1:{self.admin_port}/"

    def configure(self, upstream=None, connections=64, text=None):
        written = text or CONFIG.format(upstream=upstream or f"127.0.0.1:{self.api.port}", connections=connections,
                                        status=self.status.port, headers=self.headers)
        new = self.file.with_suffix(".new")
        new.write_text(written)
        new.rename(self.file)  # seen as a change; nobody reads half of it

    def read(self):
        for line in self.process.stdout:
            entry = json.loads(line)
            self.lines.append((time.monotonic(), entry))
            if entry["msg"] == "serving":
                self.port, self.admin_port = entry["port"], entry["admin_port"]
                self.serving.set()

    def get(self, path):
        try:
            with urllib.request.urlopen(self.admin + path, timeout=5) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as refused:
            return refused.code, refused.read().decode()

    def banner(self):
        return self.get("status")[1].split("\n")[0]

    def metrics(self):
        values = {}
        for line in self.get("metrics")[1].splitlines():
            if not line.startswith("#"):
                name, value = line.rsplit(" ", 1)
                values[name] = float(value)
        return values

    def status_command(self):
        ran = subprocess.run([self.program, "status", "--config", str(self.file), "--set", f"admin.address=127.0.0.1:{self.admin_port}"],
                             capture_output=True, text=True, timeout=10, check=False)
        return ran.returncode

    def logged_since(self, moment):
        return [entry for at, entry in list(self.lines) if at >= moment]

    def threads(self, name):
        for task in pathlib.Path(f"/proc/{self.process.pid}/task").iterdir():
            if (task / "comm").read_text().strip() == name:
                return int(task.name)
        raise AssertionError(f"no thread {name}")

    def end(self):
        self.process.terminate()
        self.process.wait(40)
        self.reader.join(10)


class Traffic:
    """Clients that ask again and again, and mind nothing."""

    def __init__(self, port, clients=8):
        self.port, self.pause = port, 0.1
        self.ending = threading.Event()
        self.threads = [threading.Thread(target=self.ask) for _ in range(clients)]
        for each in self.threads:
            each.start()

    def ask(self):
        targets = [("GET", f"/api/v1/projects/{backend.PROJECT}?info"), ("GET", "/api/v1/users"),
                   ("POST", f"/api/v1/projects/{backend.PROJECT}/uploads")]
        n = 0
        while not self.ending.is_set():
            client = http.client.HTTPConnection("127.0.0.1", self.port, timeout=8)
            with contextlib.suppress(OSError, http.client.HTTPException):
                while not self.ending.wait(self.pause):
                    method, target = targets[n % len(targets)]
                    n += 1
                    client.request(method, target, body=b"{}" if method == "POST" else None,
                                   headers={"Authorization": "a-token"})
                    client.getresponse().read()
            client.close()
            self.ending.wait(self.pause)

    def end(self):
        self.ending.set()
        for each in self.threads:
            each.join(20)


def wait_for(happened, seconds, what):
    """How long it took; what is last missing, if it did not happen."""
    begun = time.monotonic()
    while True:
        found = happened()
        if found:
            return time.monotonic() - begun
        if time.monotonic() - begun > seconds:
            raise AssertionError(f"not within {seconds} s: {what}")
        time.sleep(0.1)
