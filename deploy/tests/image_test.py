"""The image, and one container of it: read-only, under any uid, without capabilities."""

import json
import pathlib
import random
import re
import subprocess
import time

import images
import workshop
from workshop import Case, run

ANY_UID = random.randrange(1_000_000_000, 1_001_000_000)
EXPECTED = re.compile(
    r"\./(sidecar|etc/(sidecar/sidecar\.yaml|nsswitch\.conf|ssl/certs/ca-certificates\.crt)"
    r"|usr/share/doc/sidecar/sbom\.spdx\.json|(usr/)?lib(64)?/.*\.so[.0-9]*)"
)
LABELS = ["title", "description", "version", "revision", "created", "licenses", "source", "documentation", "vendor", "base.name"]


class Image(Case):
    def setUp(self):
        images.images()

    def field(self, template):
        return self.succeeds("podman", "image", "inspect", "-f", template, images.SIDECAR).strip()

    def once(self, *arguments):
        confined = ("--network", "none", "--read-only", "--cap-drop", "all", "--user", f"{ANY_UID}:0")
        return self.succeeds("podman", "run", "--rm", *confined, images.SIDECAR, *arguments)

    def test_it_is_small(self):
        size = int(self.field("{{.Size}}"))
        self.assertLess(size, 25_000_000)
        self.figure(f"{size / 1e6:.1f} MB")

    def test_a_numeric_user_ports_and_a_health_check(self):
        self.assertEqual(self.field("{{.User}}"), "10001:0")
        self.assertEqual(json.loads(self.field("{{json .Config.ExposedPorts}}")), {"8080/tcp": {}, "9090/tcp": {}})
        self.assertEqual(json.loads(self.field("{{json .HealthCheck.Test}}")), ["CMD", "/sidecar", "healthcheck"])

    def test_its_labels_are_complete(self):
        labels = json.loads(self.field("{{json .Labels}}"))
        missing = [each for each in LABELS if not labels.get(f"org.opencontainers.image.{each}")]
        self.assertEqual(missing, [])
        self.assertEqual(labels["org.opencontainers.image.source"], images.SOURCE)
        self.assertEqual(labels["org.opencontainers.image.licenses"], "MIT")
        self.assertTrue((workshop.ROOT / "LICENSE").read_text().startswith("MIT License"))

    def test_its_labels_and_its_binary_are_of_one_version_and_one_revision(self):
        version, revision = (self.label(name) for name in ("version", "revision"))
        self.assertEqual(revision, images.revision())
        self.assertEqual(self.once("--version").strip(), f"sidecar {version} ({revision})")

    def label(self, name):
        return self.field(f'{{{{index .Labels "org.opencontainers.image.{name}"}}}}')

    def test_a_binary_its_libraries_certificates_a_configuration_and_nothing_else(self):
        root = self.succeeds("podman", "image", "mount", images.SIDECAR).strip()
        files = self.succeeds("find", ".", "-type", "f", cwd=root).split()
        self.assertEqual([each for each in files if not EXPECTED.fullmatch(each)], [])
        self.succeeds("podman", "image", "unmount", images.SIDECAR)

    def test_no_shell(self):
        ran = run("podman", "run", "--rm", "--network", "none", "--entrypoint", "/bin/sh", images.SIDECAR, "-c", "true")
        self.assertNotEqual(ran.returncode, 0)

    def test_version_and_its_own_configuration_under_any_uid(self):
        self.assertRegex(self.once("--version"), r"sidecar \d+\.\d+\.\d+")
        self.once("--check")


class Container(Case):
    NAME = "sidecar-test"

    def setUp(self):
        images.images()
        run("podman", "rm", "-f", self.NAME)
        confined = ["--network", "none", "--read-only", "--read-only-tmpfs=false", "--user", f"{ANY_UID}:0", "--cap-drop", "all"]
        confined += ["--security-opt", "no-new-privileges", "--memory", "256m"]
        self.succeeds("podman", "run", "-d", "--name", self.NAME, *confined, images.SIDECAR)
        self.process = self.succeeds("podman", "inspect", "-f", "{{.State.Pid}}", self.NAME).strip()

    def tearDown(self):
        run("podman", "rm", "-f", self.NAME)

    def get(self, url):
        return run("nsenter", "-t", self.process, "-n", "curl", "-s", "-i", "-m", "20", url).stdout

    def test_from_its_start_without_a_backend_to_its_drain(self):
        self.eventually(lambda: " 200 " in self.get("http://127.0.0.1:9090/readyz").partition("\n")[0], what="it is ready")
        with open(f"/proc/{self.process}/status", encoding="utf-8") as file:
            status = file.read()
        for wanted in (rf"Uid:\s+{ANY_UID}\s", r"CapEff:\s+0+$", r"CapBnd:\s+0+$", r"NoNewPrivs:\s+1$", r"Seccomp:\s+2$"):
            self.assertRegex(status, f"(?m)^{wanted}")
        self.assertIn(f'revision="{images.revision()}"', self.get("http://127.0.0.1:9090/metrics"))
        self.assertEqual(run("podman", "healthcheck", "run", self.NAME).returncode, 0, "its health check succeeds")
        answer = self.get("http://127.0.0.1:8080/api/v1/projects")
        self.assertRegex(answer, r"(?s)^HTTP/1.1 503 .*\nRetry-After: ", "without a backend it answers 503")
        began = time.monotonic()
        self.succeeds("podman", "kill", "--signal", "TERM", self.NAME)
        self.eventually(lambda: run("podman", "healthcheck", "run", self.NAME).returncode != 0, 4, "its health check fails")
        self.assertEqual(self.succeeds("podman", "wait", self.NAME).strip(), "0")
        self.figure(f"drained in {time.monotonic() - began:.1f} s, exit code 0")


class StatusProcess(Case):
    """The image of the process that reads the API's database (tests/grape has the database)."""

    IMAGE, NAME = "localhost/sidecar-status:test", "sidecar-status-test"

    def test_it_runs_confined_and_without_a_database_it_says_so(self):
        images.podman()
        images.base_image()
        images.build("deploy/status_process/Containerfile", self.IMAGE)
        run("podman", "rm", "-f", self.NAME)
        confined = ["--network", "none", "--read-only", "--read-only-tmpfs=false", "--cap-drop", "all"]
        confined += ["--user", f"{ANY_UID}:0", "--memory", "128m"]
        environment = ["-e", "SIDECAR_SECRET=not-a-secret", "-e", "DATABASE_URL=postgres://nobody@127.0.0.1:1/dds"]
        try:
            self.succeeds("podman", "run", "-d", "--name", self.NAME, *confined, *environment, self.IMAGE)
            network = ["nsenter", "-t", self.succeeds("podman", "inspect", "-f", "{{.State.Pid}}", self.NAME).strip(), "-n"]
            self.eventually(lambda: status_of("http://127.0.0.1:3100/livez", *network) == "200", 30, "it lives")
            document = "http://127.0.0.1:3100/internal/consistency"
            self.assertNotIn(status_of(document, *network), ("200", "503"), "not without the secret")
            self.assertEqual(status_of(document, *network, fields=["X-Sidecar-Secret: not-a-secret"]), "503")
        finally:
            run("podman", "rm", "-f", self.NAME)


class Arm64(Case):
    """The image for the other processor, compiled across here and run by an emulator."""

    IMAGE = "localhost/sidecar:arm64"

    def setUp(self):
        images.podman()
        self.emulator = workshop.tool("qemu-aarch64-static", "qemu-user-static")
        if run("podman", "image", "exists", self.IMAGE).returncode != 0 or workshop.rebuild:
            images.base_image()
            across = ("--platform", "linux/arm64", "--build-arg", "TARGETARCH=arm64", "--build-arg", "BUILDPLATFORM=linux/amd64")
            images.build("deploy/Containerfile", self.IMAGE, *across)
        self.root = self.succeeds("podman", "image", "mount", self.IMAGE).strip()

    def tearDown(self):
        run("podman", "image", "unmount", self.IMAGE)

    def test_it_says_what_it_is_and_what_is_in_it(self):
        self.assertEqual(self.succeeds("podman", "image", "inspect", "-f", "{{.Architecture}}", self.IMAGE).strip(), "arm64")
        self.assertRegex(self.succeeds("readelf", "-h", f"{self.root}/sidecar"), r"Machine: +AArch64")
        bill = workshop.as_json(pathlib.Path(self.root, "usr/share/doc/sidecar/sbom.spdx.json").read_text(encoding="utf-8"))
        locators = [p["externalRefs"][0]["referenceLocator"] for p in bill["packages"][1:]]
        self.assertTrue(any(re.search(r"/libssl3@.*arch=arm64", each) for each in locators), locators)

    def test_it_serves(self):
        emulated = [self.emulator, "-L", self.root, f"{self.root}/sidecar"]
        self.assertRegex(self.succeeds(*emulated, "--version"), r"sidecar \d+\.\d+\.\d+")
        config = workshop.WORK / "arm64.yaml"
        config.write_text("listen: {address: '127.0.0.1:0'}\nadmin: {address: '127.0.0.1:0'}\ndrain: {accept_for: 0s}\n")
        process = subprocess.Popen([*emulated, "--config", config], stdout=subprocess.PIPE, text=True)
        try:
            while (line := json.loads(process.stdout.readline()))["msg"] != "serving":
                pass
            self.eventually(lambda: status_of(f"http://127.0.0.1:{line['admin_port']}/readyz") == "200", 30, "it is ready")
            self.assertEqual(status_of(f"http://127.0.0.1:{line['port']}/"), "503", "without a backend")
            process.terminate()
            self.assertEqual(process.wait(30), 0)
        finally:
            process.kill()
            process.wait()


def status_of(url, *network, fields=()):
    options = [option for field in fields for option in ("-H", field)]
    return run(*network, "curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", "-m", "20", *options, url).stdout
