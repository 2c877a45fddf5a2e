"""The admin page in a real browser: python3 admin_page_test.py SIDECAR [DIRECTORY FOR SCREENSHOTS]

Exit code 77: there is no Chromium here.
"""

import pathlib
import sys
import tempfile
import unittest
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "incidents"))
import backend  # noqa: E402
import chromium  # noqa: E402
from stage import Sidecar, Traffic  # noqa: E402

sidecar_program, shots = sys.argv[1], (sys.argv[2:] or [None])[0]
SECRET = "a-secret-value"
OTHERS = [f"{i:08x}-0000-4000-8000-000000000000" for i in range(48)]


class Running:
    """The sidecar in front of a backend, with some traffic."""

    def __init__(self):
        self.directory = tempfile.TemporaryDirectory()
        self.api, self.status = backend.Api(), backend.Status()
        self.status.not_ready = [backend.PROJECT, *OTHERS]
        self.sidecar = Sidecar(sidecar_program, pathlib.Path(self.directory.name), self.api, self.status, secret=SECRET)
        self.traffic = Traffic(self.sidecar.port, clients=4)

    def well(self):
        self.api.listen()
        self.status.listen()
        self.sidecar.configure()
        chromium.wait_until(lambda: self.sidecar.banner().startswith("ok: "), "all to be well")

    def end(self):
        self.traffic.end()
        self.sidecar.end()
        self.api.end()
        self.status.end()
        self.directory.cleanup()


class AdminPage(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.running = Running()
        cls.addClassCleanup(cls.running.end)
        cls.browser = cls.enterClassContext(chromium.Browser())

    def setUp(self):
        self.running.well()

    def new_page(self):
        page = self.browser.page()
        self.addCleanup(page.close)
        return page

    def open(self, path="", width=1280, height=1400, scheme="light"):
        page = self.new_page()
        page.look_like(width, height, scheme)
        page.go(self.running.sidecar.admin + path)
        return page

    def text(self, page, selector):
        return page.run(f"document.querySelector({selector!r}).innerText")

    def until_state(self, page, state):
        chromium.wait_until(lambda: page.run("document.documentElement.dataset.state") == state, f"the page to be {state}")

    def icon_colour(self, page):
        return page.run("decodeURIComponent(document.getElementById('icon').href).match(/fill='(.*?)'/)[1]")

    def assert_clean(self, page):
        self.assertEqual(page.errors, [])

    def shoot_all(self, name):
        """The state as it is seen wide and narrow, light and dark, and without the script."""
        for look, width, scheme, scripts in (("light", 1280, "light", True), ("dark", 1280, "dark", True),
                                             ("phone", 390, "light", True), ("no-script", 1280, "light", False)):
            page = self.new_page()
            page.command("Emulation.setScriptExecutionDisabled", value=not scripts)
            page.look_like(width, 1400, scheme)
            page.go(self.running.sidecar.admin)
            self.assertGreaterEqual(self.contrast(page), 4.5, f"{name}, {look}")
            self.assertLessEqual(page.run("document.documentElement.scrollWidth"), width, f"{name}, {look}")
            if shots:
                page.shoot(f"{shots}/{name}-{look}.png")

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
                if (![...e.childNodes].some(n => n.nodeType === 3 && n.data.trim()) || e.matches('script, title')) continue;
                const a = light(getComputedStyle(e).color), b = light(behind(e));
                least = Math.min(least, (Math.max(a, b) + .05) / (Math.min(a, b) + .05));
            }
            return least; })()""")

    def test_healthy(self):
        page = self.open()
        self.until_state(page, "ok")
        self.assertEqual(self.text(page, "#banner h1"), "Healthy")
        self.assertIn("the backend responds, readiness is", self.text(page, "#banner"))
        self.assertIn("dds-6f7c9b-x2x4k · research", self.text(page, "#identity"))
        self.assertEqual(page.run("document.querySelectorAll('.lamp .dot.ok').length"), 3)
        self.assertRegex(self.text(page, "#path"), r"[\d.]+ requests/s")
        before = page.run("document.querySelector('#rate polygon.area-good')?.getAttribute('points') || ''")
        chromium.wait_until(lambda: page.run("document.querySelector('#rate polygon.area-good')?.getAttribute('points')")
                            not in (None, before), "the plot to go on by itself")
        self.assertEqual(page.run("document.title"), "ok: sidecar dds-6f7c9b-x2x4k")
        self.assertEqual(self.icon_colour(page), "#19752f")
        self.shoot_all("healthy")
        self.assert_clean(page)

    def test_backend_down(self):
        page = self.open()
        self.running.api.refuse()
        self.until_state(page, "failing")
        chromium.wait_until(lambda: "requests fail" in self.text(page, "#banner h1"), "what it does to clients")
        # Not all of them: the gate decides without the backend.
        self.assertRegex(self.text(page, "#banner h1"), r"^Backend unreachable for .* s: \d+ % of requests fail$")
        self.assertIn(f"127.0.0.1:{self.running.api.port}: Connection refused", self.text(page, "#banner"))
        self.assertEqual(self.icon_colour(page), "#c4232b")
        self.assertIn("backend unreachable", self.text(page, "#events"))
        self.shoot_all("down")
        self.running.api.listen()
        self.until_state(page, "ok")
        self.assertIn("over after", self.text(page, "#events"))
        self.assert_clean(page)

    def test_stale(self):
        page = self.open()
        self.running.status.refuse()
        chromium.wait_until(lambda: "Readiness is unknown" in self.text(page, "#banner h1"), "readiness to be unknown")
        self.assertEqual(page.run("document.documentElement.dataset.state"), "degraded")
        self.assertIn("uploads pass unchecked", self.text(page, "#banner h1"))
        self.assertEqual(self.text(page, "#not-ready"), "Readiness is unknown.")
        self.assertEqual(self.icon_colour(page), "#d98a00")
        self.shoot_all("stale")

    def test_bad_reload(self):
        page = self.open()
        self.running.sidecar.configure(text="upstream: {adress: <b>here</b>}\n")
        chromium.wait_until(lambda: "configuration can't be used" in self.text(page, "#banner h1"), "the bad reload")
        self.assertRegex(self.text(page, "#banner"), r"sidecar.yaml:1:\d+: .*adress")
        self.shoot_all("bad-reload")
        self.running.sidecar.configure()
        self.until_state(page, "ok")
        self.assertIn("configuration reloaded", self.text(page, "#events"))

    def test_gone(self):
        page = self.open()
        self.until_state(page, "ok")
        page.command("Network.enable")
        page.command("Network.emulateNetworkConditions", offline=True, latency=0, downloadThroughput=-1, uploadThroughput=-1)
        self.until_state(page, "lost")
        self.assertRegex(self.text(page, "#lost h1"), r"^No answer from the sidecar for \d+ s$")
        self.assertFalse(page.run("!!document.getElementById('banner').getClientRects().length"))
        self.assertEqual(self.icon_colour(page), "#8a939c")
        self.assertEqual(page.run("document.title"), "no answer: sidecar")
        self.assertGreaterEqual(self.contrast(page), 4.5)
        if shots:
            page.shoot(f"{shots}/gone.png")
        page.command("Network.emulateNetworkConditions", offline=False, latency=0, downloadThroughput=-1, uploadThroughput=-1)
        self.until_state(page, "ok")

    def test_not_ready_longest_first_and_the_search_beside_it(self):
        page = self.open()
        rows = "document.querySelectorAll('#not-ready > .scroll tbody tr').length"
        self.assertEqual(page.run(rows), 5)
        self.assertIn("44 more", self.text(page, "#more-not-ready summary"))
        page.run("document.querySelector('#more-not-ready summary').click()")
        before = self.text(page, "#not-ready .for + td")
        chromium.wait_until(lambda: page.run("document.querySelector('#not-ready td.for').innerText") != before, "time to pass")
        self.assertTrue(page.run("document.getElementById('more-not-ready').open"), "what was unfolded stays so")

        def search(words):
            page.run(f"document.querySelector('[name=id]').value = {words!r}; document.querySelector('#search button').click()")

        search(backend.PROJECT)
        chromium.wait_until(lambda: backend.PROJECT in self.text(page, "#found"), "what is known of it")
        self.assertIn("✕ upload", self.text(page, "#found"))
        self.assertRegex(self.text(page, "#found"), r"as a project not ready for \d")
        self.assertRegex(self.text(page, "#found"), r"as a file ready .*not listed")
        self.assertEqual(page.run("location.search"), "")  # no other page was needed
        top = page.run("document.getElementById('found').getBoundingClientRect().top - document.getElementById('search').getBoundingClientRect().bottom")
        self.assertLess(top, 40, "its result is in view")
        search("<img src=x onerror=alert(1)>")
        chromium.wait_until(lambda: "is no id" in self.text(page, "#found"), "the refusal")
        self.assertEqual(page.run("document.images.length"), 0)
        search("")
        chromium.wait_until(lambda: self.text(page, "#found") == "", "no result")
        self.assert_clean(page)

    def test_without_scripts_the_first_look_is_whole(self):
        page = self.new_page()
        page.command("Emulation.setScriptExecutionDisabled", value=True)
        page.look_like(1280, 1400, "light")
        page.go(self.running.sidecar.admin + "?id=" + backend.PROJECT)
        self.assertIn("Healthy", self.text(page, "#banner"))
        self.assertIn("What requests are told of " + backend.PROJECT, self.text(page, "#found"))
        self.assertEqual(page.run("getComputedStyle(document.querySelector('header')).borderLeftColor"), "rgb(25, 117, 47)")
        self.assertTrue(page.run("!!document.querySelector('#rate svg').getClientRects().length"))

    def test_no_secret_and_nothing_from_elsewhere(self):
        page = self.open()
        self.assertNotIn(SECRET, page.run("document.documentElement.outerHTML"))
        loaded = page.run("performance.getEntriesByType('resource').map(e => e.name)")
        self.assertTrue(all(name.startswith(self.running.sidecar.admin) for name in loaded), loaded)
        for path in ("config", "readiness", "status", "metrics"):
            with urllib.request.urlopen(self.running.sidecar.admin + path) as answer:
                self.assertNotIn(SECRET.encode(), answer.read())


if __name__ == "__main__":
    if not chromium.find():
        print("no chromium: skipped")
        sys.exit(77)
    unittest.main(argv=sys.argv[:1], verbosity=2)
