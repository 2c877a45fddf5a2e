"""The admin page in a real browser: python3 admin_page_test.py SIDECAR DEMO_BACKEND [DIRECTORY FOR SCREENSHOTS]

Exit code 77: there is no Chromium here.
"""

import http.client
import json
import os
import re
import subprocess
import sys
import tempfile
import threading
import unittest
import urllib.request

import chromium

sidecar_program, backend_program, shots = sys.argv[1], sys.argv[2], (sys.argv[3:] or [None])[0]
NOT_READY = "ca29f7df-33ca-46dd-a015-92c46fdb6fd1"  # of the demo, for ever


class Running:
    """The sidecar in front of the demo backend, with some traffic."""

    def __init__(self):
        self.backend = subprocess.Popen([backend_program], stdout=subprocess.PIPE, text=True)
        backend_port = json.loads(self.backend.stdout.readline())["port"]
        self.directory = tempfile.TemporaryDirectory()
        file = os.path.join(self.directory.name, "sidecar.yaml")
        with open(file, "w") as out:
            out.write(f"""
listen: {{address: "127.0.0.1:0"}}
admin: {{address: "127.0.0.1:0"}}
upstream: {{address: "127.0.0.1:{backend_port}"}}
status:
  url: "http://127.0.0.1:{backend_port}/internal/consistency"
  headers: [{{name: X-Token, value: a-secret-value}}]
drain: {{accept_for: 0s}}
""")
        self.sidecar = subprocess.Popen([sidecar_program, "--config", file], stdout=subprocess.PIPE, text=True)
        started = None
        while not started or started["msg"] != "serving":
            started = json.loads(self.sidecar.stdout.readline())
        self.port, self.admin = started["port"], f"http://127.0.0.1:{started['admin_port']}/"
        threading.Thread(target=self.sidecar.stdout.read, daemon=True).start()
        self.ending = threading.Event()
        self.traffic = threading.Thread(target=self.send)
        self.traffic.start()

    def send(self):
        client = http.client.HTTPConnection("127.0.0.1", self.port, timeout=chromium.PATIENCE)
        while not self.ending.wait(0.02):
            client.request("GET", f"/api/v1/projects/{NOT_READY}?info", headers={"Authorization": "demo-token"})
            client.getresponse().read()
        client.close()

    def end(self):
        self.ending.set()
        self.traffic.join()
        for process in (self.sidecar, self.backend):
            process.terminate()
            process.wait(chromium.PATIENCE)
            process.stdout.close()
        self.directory.cleanup()


class AdminPage(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.running = Running()
        cls.addClassCleanup(cls.running.end)
        cls.browser = cls.enterClassContext(chromium.Browser())

    def new_page(self):
        page = self.browser.page()
        self.addCleanup(page.close)
        return page

    def open(self, path="", width=1280, height=1600, scheme="light"):
        page = self.new_page()
        page.look_like(width, height, scheme)
        page.go(self.running.admin + path)
        return page

    def figure(self, page, key):
        return page.run(f"document.querySelector('[data-figure=\"{key}\"]').textContent")

    def assert_clean(self, page):
        self.assertEqual(page.errors, [])

    def shoot(self, page, name):
        if shots:
            page.shoot(os.path.join(shots, name + ".png"))

    def test_figures_and_plots_move(self):
        page = self.open()
        before = self.figure(page, "requests")
        chromium.wait_until(lambda: self.figure(page, "requests") != before, "another figure")
        points = "document.querySelector('#rate .first').getAttribute('points')"
        chromium.wait_until(lambda: len((page.run(points) or "").split()) >= 3, "a plot of three points")
        self.assertRegex(page.run("document.getElementById('rate-first').textContent"), r"^[1-9]\d*\.\d$")
        self.assertRegex(page.run("document.getElementById('latency-second').textContent"), r"^[\d.]+ (ms|s)$")
        self.assertEqual(page.run("document.title"), "sidecar: healthy")
        self.shoot(page, "light")
        self.assert_clean(page)

    def test_it_says_when_its_figures_are_old(self):
        page = self.open()
        page.command("Network.enable")
        page.command("Network.emulateNetworkConditions", offline=True, latency=0, downloadThroughput=-1, uploadThroughput=-1)
        chromium.wait_until(lambda: not page.run("document.getElementById('lost').hidden"), "the word that it is lost")
        page.command("Network.emulateNetworkConditions", offline=False, latency=0, downloadThroughput=-1, uploadThroughput=-1)
        chromium.wait_until(lambda: page.run("document.getElementById('lost').hidden"), "the end of that")

    def test_the_search(self):
        page = self.open()
        rows = "document.getElementById('resources').tBodies[0].innerText"
        self.assertIn(NOT_READY, page.run(rows))
        page.run("document.querySelector('[name=id]').value = '00000000-0000-4000-8000-000000000000';"
                 "document.querySelector('#search button').click()")
        chromium.wait_until(lambda: "not listed" in page.run(rows), "what is known of it")
        self.assertIn("is_upload_ready: ready", page.run(rows))
        self.assertEqual(page.run("location.search"), "")  # no other page was needed
        page.run("document.querySelector('[name=id]').value = ''; document.querySelector('#search button').click()")
        chromium.wait_until(lambda: NOT_READY in page.run(rows), "the list again")
        page.run("document.querySelector('[name=id]').value = '<img src=x onerror=alert(1)>';"
                 "document.querySelector('#search button').click()")
        chromium.wait_until(lambda: "is no id" in page.run("document.getElementById('what').textContent"), "the refusal")
        self.assertEqual(page.run("document.images.length"), 0)
        self.assert_clean(page)

    def test_light_and_dark(self):
        colours = []
        for scheme in ("light", "dark"):
            page = self.open(scheme=scheme)
            colours.append(page.run("getComputedStyle(document.body).backgroundColor"))
            self.assertGreaterEqual(self.contrast(page), 4.5)
            self.shoot(page, scheme + "-wide")
        self.assertNotEqual(*colours)

    def contrast(self, page):
        """The least of all texts, by WCAG 2."""
        return page.run("""(() => {
            const light = c => c.match(/[\\d.]+/g).slice(0, 3).map(v => v / 255)
                .map(v => v <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4)
                .reduce((sum, v, i) => sum + v * [.2126, .7152, .0722][i], 0);
            const behind = e => { for (; e; e = e.parentElement) { const c = getComputedStyle(e).backgroundColor;
                if (c !== 'rgba(0, 0, 0, 0)') return c; } return 'rgb(255, 255, 255)'; };
            let least = 21;
            for (const e of document.body.querySelectorAll('*')) {
                if (![...e.childNodes].some(n => n.nodeType === 3 && n.data.trim()) || e.matches('script')) continue;
                const a = light(getComputedStyle(e).color), b = light(behind(e));
                least = Math.min(least, (Math.max(a, b) + .05) / (Math.min(a, b) + .05));
            }
            return least; })()""")

    def test_a_phone_scrolls_one_way_only(self):
        page = self.open(width=360, height=740, scheme="dark")
        self.assertEqual(page.run("document.documentElement.scrollWidth"), 360)
        self.shoot(page, "phone")

    def test_without_scripts_it_shows_the_figures(self):
        page = self.new_page()
        page.command("Emulation.setScriptExecutionDisabled", value=True)
        page.look_like(1280, 1600, "light")
        page.go(self.running.admin + "?id=" + NOT_READY)
        text = page.run("document.body.innerText")
        self.assertIn("What is known of " + NOT_READY, text)
        self.assertIn("is_upload_ready: not ready", text)
        self.assertGreater(int(re.sub(r"\D", "", self.figure(page, "requests"))), 0)
        self.assertFalse(page.run("!!document.getElementById('rate').getClientRects().length"))  # plots would be empty
        self.shoot(page, "no-script")

    def test_no_secret_and_nothing_from_elsewhere(self):
        page = self.open()
        self.assertNotIn("a-secret-value", page.run("document.documentElement.outerHTML"))
        loaded = page.run("performance.getEntriesByType('resource').map(e => e.name)")
        self.assertTrue(all(name.startswith(self.running.admin) for name in loaded), loaded)
        for path in ("config", "readiness", "summary.json", "metrics"):
            with urllib.request.urlopen(self.running.admin + path) as answer:
                self.assertNotIn(b"a-secret-value", answer.read())


if __name__ == "__main__":
    if not chromium.find():
        print("no chromium: skipped")
        sys.exit(77)
    unittest.main(argv=sys.argv[:1], verbosity=2)
