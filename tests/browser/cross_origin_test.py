"""A portal in a real browser, served from another origin than the API: it reads what the sidecar adds and what the
sidecar answers itself, in front of the legacy API's stack (Rails, Grape, rack-cors on Puma).

usage: python3 cross_origin_test.py SIDECAR CONFIG_RU. Exit code 77: there is no Chromium or no Puma here.
"""

import http.server
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import unittest
import urllib.request

import chromium

sidecar_program, config_ru = sys.argv[1:3]
SECRET = "status-secret"
GATE = {"error": 404, "code": "resource_not_consistent",
        "reason": "resource changes are still being processed by system",
        "suggestion": "this is a temporary state that will eventually be resolved by the system; please retry request"}


class Portal:
    """Serves an empty page, on an origin of its own."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            page = b"<!doctype html><title>portal</title><link rel=icon href=data:,>"
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.send_header("Content-Length", str(len(page)))
            self.end_headers()
            self.wfile.write(page)

        def log_message(self, *_):
            pass

    def __init__(self):
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), self.Handler)
        self.origin = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def end(self):
        self.server.shutdown()
        self.server.server_close()


class Api:
    """Puma with the sidecar in front, and what a test does in the place of the job queue."""

    def __init__(self, cors_origins=None, own_answers="{}"):
        self.directory = tempfile.TemporaryDirectory()
        self.processes = []
        environment = {**os.environ, "DATABASE_URL": f"sqlite3:{self.path('dds.sqlite')}?pool=1&checkout_timeout=30",
                       "SIDECAR_SECRET": SECRET, "SIDECAR_LOOK_EVERY": "0.05", "RACK_ENV": "production",
                       "RAILS_ENV": "production", **({"CORS_ORIGINS": cors_origins} if cors_origins else {})}
        puma = ["puma", "-b", "tcp://127.0.0.1:0", "-t", "5:5", config_ru]
        self.backend = self.start("puma", puma, environment, r"Listening on http://127\.0\.0\.1:(\d+)")
        configuration = self.path("sidecar.yaml")
        with open(configuration, "w") as out:
            out.write(f"""
listen: {{address: "127.0.0.1:0"}}
admin: {{address: off}}
upstream: {{address: "127.0.0.1:{self.backend}", connect_retry: 0s}}
status:
  url: "http://127.0.0.1:{self.backend}/internal/consistency"
  headers: [{{name: X-Sidecar-Secret, value: {SECRET}}}, {{name: X-Forwarded-Proto, value: https}}]
forward: {{x_forwarded_proto: https}}
own_answers: {own_answers}
drain: {{accept_for: 0s}}
""")
        port = self.start("sidecar", [sidecar_program, "--config", configuration], os.environ, r'"serving".*"port":(\d+)')
        self.url = f"http://127.0.0.1:{port}"
        owner = {"agent_key": "owner-agent", "user_key": "owner-key"}
        self.token = self.ask("POST", "/api/v1/software_agents/api_token", owner)["api_token"]

    def path(self, name):
        return os.path.join(self.directory.name, name)

    def start(self, name, command, environment, says):
        with open(self.path(name), "wb") as output:
            self.processes.append(subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, stdout=output,
                                                   stderr=subprocess.STDOUT))
        return int(chromium.wait_until(lambda: re.search(says, self.output(name)), name + "'s start")[1])

    def output(self, name):
        with open(self.path(name)) as lines:
            return lines.read()

    def wait_for_access(self, *expected):
        """These lines of the access log, one after the other: (method, target, action, status)."""
        def written():
            lines = [json.loads(line) for line in self.output("sidecar").splitlines(keepends=True) if line.endswith("\n")]
            done = [(line["method"], line["target"], line["action"], line["status"]) for line in lines if line["msg"] == "request"]
            return any(tuple(done[i:i + len(expected)]) == expected for i in range(len(done)))
        chromium.wait_until(written, f"{expected} in the access log")

    def ask(self, method, path, body=None):
        """Past the sidecar."""
        request = urllib.request.Request(f"http://127.0.0.1:{self.backend}{path}", json.dumps(body).encode() if body else None,
                                         {"Content-Type": "application/json", "Authorization": getattr(self, "token", ""),
                                          "X-Forwarded-Proto": "https"},
                                         method=method)
        with urllib.request.urlopen(request, timeout=chromium.PATIENCE) as answer:
            return json.load(answer)

    def project(self):
        return self.ask("POST", "/api/v1/projects", {"name": "genome", "description": "a project"})["id"]

    def file(self, project):
        """In a project that takes uploads; its upload is under check, so it can't be downloaded yet."""
        upload = self.ask("POST", f"/api/v1/projects/{project}/uploads", {"name": "reads", "content_type": "text/plain", "size": 9})
        self.ask("PUT", f"/api/v1/uploads/{upload['id']}/complete", {"hash": {"value": "a", "algorithm": "md5"}})
        return self.ask("POST", "/api/v1/files/", {"parent": {"kind": "dds-project", "id": project}, "upload": {"id": upload["id"]}})["id"]

    def initialize(self, project):
        self.ask("POST", "/test/projects", {"id": project, "is_initialized": True})

    def end(self):
        for process in reversed(self.processes):
            process.terminate()
            process.wait(chromium.PATIENCE)
        self.directory.cleanup()


class FromAnotherOrigin(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.portal, cls.stranger = Portal(), Portal()
        cls.addClassCleanup(cls.portal.end)
        cls.addClassCleanup(cls.stranger.end)
        cls.browser = cls.enterClassContext(chromium.Browser())

    def api(self, **options):
        api = Api(**options)
        self.addCleanup(api.end)
        return api

    def page(self, portal):
        page = self.browser.page()
        self.addCleanup(page.close)
        page.go(portal.origin)
        return page

    def fetch(self, page, api, path, method="GET", body=None, token=True):
        """As the portal asks: with a token and a type on each request, so that each one is preflighted."""
        headers = {"Authorization": api.token, "Content-Type": "application/json"} if token else {}
        options = {"method": method, "headers": headers, **({"body": json.dumps(body)} if body else {})}
        return page.run(f"""fetch({json.dumps(api.url + path)}, {json.dumps(options)}).then(
            async answer => ({{status: answer.status, text: answer.statusText, type: answer.type, json: await answer.json(),
                               retry_after: answer.headers.get('Retry-After'), tag: answer.headers.get('ETag')}}),
            error => ({{error: error.name}}))""")

    def wait_for(self, asked, expected, what):
        chromium.wait_until(lambda: asked() == expected, what)

    def info(self, page, api, path):
        return self.fetch(page, api, path).get("json", {}).get("info", {}).get("resource_consistency")

    def upload(self, page, api, project):
        body = {"name": "reads.fastq", "content_type": "text/plain", "size": 4096}
        return self.fetch(page, api, f"/api/v1/projects/{project}/uploads", "POST", body)

    def test_a_script_reads_what_is_added(self):
        api = self.api()
        page = self.page(self.portal)
        project = api.project()
        target = f"/api/v1/projects/{project}?info"
        self.wait_for(lambda: self.info(page, api, target), {"is_upload_ready": False, "is_download_ready": True}, "the first poll")
        answer = self.fetch(page, api, target)
        self.assertEqual((answer["status"], answer["type"], answer["json"]["id"]), (200, "cors", project))
        # By then the browser has it in its cache, and asks whether it still holds.
        path = target.removesuffix("?info")
        api.wait_for_access(("OPTIONS", path, "forward", 200), ("GET", path, "augment", 304))
        api.initialize(project)
        self.wait_for(lambda: self.info(page, api, target), {"is_upload_ready": True, "is_download_ready": True}, "the change")

        api.ask("POST", "/test/urls", {"before_consistency": True})
        file = api.file(project)
        target = f"/api/v1/files/{file}/url?info"
        self.wait_for(lambda: self.info(page, api, target), {"is_download_ready": False}, "the file's state")
        self.assertIn("url", self.fetch(page, api, target)["json"])
        self.assertEqual(page.errors, [])

    def test_a_script_reads_the_gates_answer(self):
        api = self.api()
        page = self.page(self.portal)
        project = api.project()
        self.wait_for(lambda: self.upload(page, api, project)["json"], GATE, "the gate's answer")
        answer = self.upload(page, api, project)
        self.assertEqual((answer["status"], answer["text"], answer["type"]), (404, "Not Found", "cors"))
        # The backend's own policy shows a script the fields for paging only.
        self.assertIsNone(answer["retry_after"])
        uploads = f"/api/v1/projects/{project}/uploads"
        api.wait_for_access(("OPTIONS", uploads, "forward", 200), ("POST", uploads, "reply", 404))
        api.initialize(project)
        self.wait_for(lambda: self.upload(page, api, project)["status"], 201, "the gate to open")

    def test_retry_after_is_shown_if_it_is_exposed(self):
        api = self.api(own_answers="{retry_after: 7s, cors: {expose_headers: [Retry-After]}}")
        page = self.page(self.portal)
        project = api.project()
        self.wait_for(lambda: self.upload(page, api, project).get("json"), GATE, "the gate's answer")
        self.assertEqual(self.upload(page, api, project)["retry_after"], "7")

    def test_a_script_reads_that_the_backend_can_not_be_reached(self):
        api = self.api()
        page = self.page(self.portal)
        puma = api.processes[0]
        puma.terminate()
        puma.wait(chromium.PATIENCE)
        answer = self.fetch(page, api, "/api/v1/app/status", token=False)  # else the preflight would fail
        self.assertEqual((answer["status"], answer["json"]["error"]), (503, 503))

    def test_an_origin_that_the_backend_does_not_allow_reads_nothing(self):
        allowed = f'{{cors: {{allow_origins: ["{self.portal.origin}"]}}}}'
        api = self.api(cors_origins=self.portal.origin, own_answers=allowed)
        project = api.project()
        page, stranger = self.page(self.portal), self.page(self.stranger)
        target = f"/api/v1/projects/{project}?info"
        self.wait_for(lambda: self.info(page, api, target), {"is_upload_ready": False, "is_download_ready": True}, "the first poll")
        self.assertEqual(self.upload(page, api, project)["json"], GATE)
        self.assertEqual(self.fetch(stranger, api, target), {"error": "TypeError"})
        self.assertEqual(self.upload(stranger, api, project), {"error": "TypeError"})
        # Without a preflight the request arrives, and its answer is hidden all the same.
        self.assertEqual(self.fetch(stranger, api, "/internal/consistency", token=False), {"error": "TypeError"})
        self.assertEqual(self.fetch(page, api, "/internal/consistency", token=False)["status"], 404)


if __name__ == "__main__":
    if not chromium.find() or not shutil.which("puma"):
        print("no chromium or no puma: skipped")
        sys.exit(77)
    unittest.main(argv=sys.argv[:1], verbosity=2)
