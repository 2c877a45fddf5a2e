"""What is installed: the Debian package and `cmake --install`, man pages, completion, the systemd unit."""

import contextlib
import functools
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request

import images
import workshop
from workshop import DEPLOY, ROOT, WORK, Case, run

CONFIG = """
listen: {address: "127.0.0.1:0"}
admin: {address: "127.0.0.1:0"}
status: {url: "http://127.0.0.1:9/"}
drain: {accept_for: 100ms, timeout: 1s}
"""
INSTALLED = {
    "/etc/sidecar/sidecar.yaml",
    "/usr/bin/sidecar",
    "/usr/lib/systemd/system/sidecar.service",
    "/usr/share/bash-completion/completions/sidecar",
    "/usr/share/doc/sidecar/README.md",
    "/usr/share/doc/sidecar/sbom.spdx.json",
    "/usr/share/man/man5/sidecar.yaml.5",
    "/usr/share/man/man8/sidecar.8",
    "/usr/share/sidecar/sidecar.schema.json",
} | ({"/usr/share/doc/sidecar/copyright"} if (ROOT / "LICENSE").exists() else set())


def offered(*arguments):
    """{options}, {subcommands}, as --help lists them."""
    text = run(workshop.program("sidecar"), *arguments, "--help").stdout
    head, _, subcommands = text.partition("\nSubcommands:\n")
    options = {each for line in re.findall(r"(?m)^  (-\S+)", head) for each in line.split(",")}
    return options, set(re.findall(r"(?m)^  ([a-z][a-z-]*)", subcommands))


class Completion(Case):
    def completed(self, *words):
        """What is offered for the last of the words."""
        script = f"""
            source {DEPLOY}/package/completion.bash
            COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
            _sidecar
            printf '%s\\n' "${{COMPREPLY[@]}}"
        """
        said = self.succeeds("bash", "-c", script, "bash", workshop.program("sidecar"), *words)
        return set(said.split())

    def test_it_offers_every_subcommand_and_every_option(self):
        options, subcommands = offered()
        self.assertTrue(subcommands)
        self.assertEqual(self.completed(""), options | subcommands)
        self.assertEqual(self.completed("--"), {o for o in options if o.startswith("--")})
        for each in subcommands:
            with self.subTest(each):
                self.assertEqual(self.completed(each, "-"), offered(each)[0])
        self.figure(f"{len(options)} options, {len(subcommands)} subcommands")

    def test_it_offers_files_where_a_file_is_wanted(self):
        self.assertEqual(self.completed("--config", str(DEPLOY / "compo")), {str(DEPLOY / "component"), str(DEPLOY / "compose")})


class ManPages(Case):
    def test_they_say_what_the_program_says_and_are_set_without_a_warning(self):
        with tempfile.TemporaryDirectory() as directory:
            self.succeeds(DEPLOY / "package/man_pages", workshop.program("sidecar"), directory)
            pages = {f.name: f.read_text() for f in pathlib.Path(directory).iterdir()}
            self.assertEqual(set(pages), {"sidecar.8", "sidecar.yaml.5"})
            options, subcommands = offered()
            for each in options | subcommands:
                self.assertIn(each.replace("-", "\\-"), pages["sidecar.8"])
            for key in re.findall(r"(?m)^  (\w+):", (ROOT / "sidecar.yaml").read_text()):
                self.assertRegex(pages["sidecar.yaml.5"], rf"(?m)^\.B \S*{key}\b")
            if not shutil.which("groff"):
                self.skipTest("groff is not here: the pages are written, not set")
            for name in pages:
                ran = run("groff", "-man", "-Tutf8", "-ww", "-z", pathlib.Path(directory) / name)
                self.assertEqual(ran.stderr, "", name)


class Unit(Case):
    @contextlib.contextmanager
    def unit(self):
        text = (DEPLOY / "package/sidecar.service.in").read_text()
        with tempfile.TemporaryDirectory() as directory:
            file = pathlib.Path(directory) / "sidecar.service"
            file.write_text(text.replace("@unit_binary@", str(workshop.program("sidecar"))))
            yield file

    def test_systemd_takes_it_and_calls_its_exposure_low(self):
        if not shutil.which("systemd-analyze"):
            self.skipTest("systemd-analyze is not here")
        with self.unit() as file:
            self.succeeds("systemd-analyze", "verify", "--man=no", file)
            said = self.succeeds("systemd-analyze", "security", "--offline=yes", "--threshold=15", file)
        self.figure(said.strip().splitlines()[-1].strip("→ ").removesuffix(" 🙂"))

    def test_time_to_stop_is_above_the_drain(self):
        text = (DEPLOY / "package/sidecar.service.in").read_text()
        drain = workshop.yaml().safe_load((ROOT / "sidecar.yaml").read_text())["drain"]
        drained = sum(int(drain[key].removesuffix("s")) for key in ("accept_for", "timeout"))
        self.assertGreater(int(re.search(r"TimeoutStopSec=(\d+)", text)[1]), drained)

    def test_its_filter_lets_every_system_call_pass_that_the_program_makes(self):
        for each in ("systemd-analyze", "strace"):
            if not shutil.which(each):
                self.skipTest(f"{each} is not here")
        allowed = self.allowed_calls()
        with tempfile.TemporaryDirectory() as directory:
            config = pathlib.Path(directory) / "sidecar.yaml"
            nobody = 'upstream: {address: "localhost:9", connect_retry: 0s}\n'
            config.write_text(CONFIG.replace("127.0.0.1:9/", "localhost:9/") + nobody)
            trace = pathlib.Path(directory) / "trace"
            command = ["strace", "-f", "-o", trace, workshop.program("sidecar"), "--config", config]
            process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
            try:
                while (serving := workshop.as_json(process.stdout.readline()))["msg"] != "serving":
                    pass
                for port, path in ((serving["port"], "/"), (serving["admin_port"], "/metrics")):
                    with contextlib.suppress(urllib.error.HTTPError):
                        urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=20).read()
                program = int(run("pgrep", "-P", str(process.pid)).stdout.split()[0])
                os.kill(program, signal.SIGHUP)
                while workshop.as_json(process.stdout.readline())["msg"] != "reloaded":
                    pass
                os.kill(program, signal.SIGTERM)
                process.communicate(timeout=30)
            finally:
                process.kill()
                process.wait()
            made = set(re.findall(r"(?m)^\d+ +([a-z_0-9]+)\(", trace.read_text()))
        self.assertEqual(made - allowed, set())
        self.figure(f"{len(made)} different ones")

    @staticmethod
    def allowed_calls():
        """What the unit's SystemCallFilter= leaves, by systemd's own lists."""
        groups, name = {}, None
        for line in run("systemd-analyze", "syscall-filter").stdout.splitlines():
            if line.startswith("@"):
                groups[name := line] = []
            elif name and line.strip() and not line.strip().startswith("#"):
                groups[name].append(line.strip())

        def calls(name):
            return {call for each in groups.get(name, []) for call in (calls(each) if each.startswith("@") else [each])}

        allowed = calls("@default")
        for sign, names in re.findall(r"SystemCallFilter=(~?)(.*)", (DEPLOY / "package/sidecar.service.in").read_text()):
            for each in names.split():
                allowed = allowed - calls(each) if sign else allowed | calls(each)
        return allowed

    def test_the_service_manager_is_told_when_it_serves_reloads_and_ends(self):
        with tempfile.TemporaryDirectory() as directory:
            config = pathlib.Path(directory) / "sidecar.yaml"
            config.write_text(CONFIG)
            manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            manager.bind(f"{directory}/notify")
            manager.settimeout(10)
            told = lambda: manager.recv(4096).decode()  # pylint: disable=unnecessary-lambda-assignment
            process = subprocess.Popen(
                [workshop.program("sidecar"), "--config", config],
                env=os.environ | {"NOTIFY_SOCKET": f"{directory}/notify"},
                stdout=subprocess.DEVNULL,
            )
            try:
                self.assertRegex(told(), r"^READY=1\nSTATUS=serving on port \d+")
                process.send_signal(signal.SIGHUP)
                self.assertRegex(told(), r"^RELOADING=1\nMONOTONIC_USEC=\d+\n$")
                self.assertRegex(told(), r"^READY=1\nSTATUS=serving")
                config.write_text(CONFIG + "drian: {}\n")
                process.send_signal(signal.SIGHUP)
                self.assertRegex(told(), r"^RELOADING=1")
                self.assertRegex(told(), r"^READY=1\nSTATUS=the configuration before it stays in force: .*drian")
                process.send_signal(signal.SIGTERM)
                while (last := told()).startswith(("RELOADING", "READY")):
                    pass  # the changed file may have been seen by itself, too
                self.assertEqual(last, "STOPPING=1\nSTATUS=draining\n")
                self.assertEqual(process.wait(10), 0)
            finally:
                process.kill()
                process.wait()
                manager.close()


class Installation(Case):
    def test_cmake_installs_it_and_leaves_a_configuration_that_is_there(self):
        with tempfile.TemporaryDirectory() as directory:
            for _ in range(2):
                install_to(self, directory)
                self.assertEqual(files_below(directory), INSTALLED)
                config = pathlib.Path(directory) / "etc/sidecar/sidecar.yaml"
                config.write_text("# mine\n")
            unit = pathlib.Path(directory, "usr/lib/systemd/system/sidecar.service").read_text()
            self.assertEqual(set(re.findall(r"(?m)^Exec\w+=(\S+sidecar) ", unit)), {"/usr/bin/sidecar"})
            install_to(self, directory)
            self.assertEqual(config.read_text(), "# mine\n")

    def test_the_installed_configuration_is_the_shipped_one_and_names_its_schema_where_that_is(self):
        with tempfile.TemporaryDirectory() as directory:
            install_to(self, directory)
            text = pathlib.Path(directory, "etc/sidecar/sidecar.yaml").read_text()
            schema = re.search(r"\$schema=(\S+)", text)[1]
            self.assertEqual(pathlib.Path(directory + schema).read_text(), (ROOT / "sidecar.schema.json").read_text())
            self.assertEqual(text.replace(schema, "sidecar.schema.json"), (ROOT / "sidecar.yaml").read_text())

    def test_the_package_has_the_same_in_it(self):
        package = debian_package()
        listed = self.succeeds("dpkg-deb", "--fsys-tarfile", package, text=False)
        names = run("tar", "-t", input=listed, text=False).stdout.decode().split()
        self.assertEqual({n.removeprefix(".") for n in names if not n.endswith("/")}, INSTALLED)
        with tempfile.TemporaryDirectory() as directory:
            self.succeeds("dpkg-deb", "--control", package, directory)
            control = {f.name: f.read_text() for f in pathlib.Path(directory).iterdir()}
        self.assertEqual(control["conffiles"], "/etc/sidecar/sidecar.yaml\n")
        for name in ("libc6", "libssl3", "libsimdjson", "libyaml-cpp"):
            self.assertRegex(control["control"], rf"Depends:.*{name}")
        self.figure(f"{package.name}, {package.stat().st_size / 1e6:.1f} MB")

    def test_the_package_is_installed_run_upgraded_and_removed_in_a_debian_of_its_own(self):
        root = installed_root()
        inside = functools.partial(self.succeeds, "chroot", root)
        self.assertRegex(inside("sidecar", "--version"), r"sidecar \d+")
        inside("sidecar", "--check")
        # In a network of its own, as nobody, with the configuration as it was installed.
        script = """
            ip link set lo up
            chroot --userspec=65534:65534 "$1" sidecar >/dev/null & started=$!
            until chroot "$1" sidecar healthcheck 2>/dev/null; do sleep 0.1; kill -0 $started || exit 1; done
            kill $started && wait $started
        """
        said = self.succeeds("timeout", "60", "unshare", "-n", "bash", "-c", script, "bash", root)
        self.assertRegex(said, "^200 ")
        (root / "etc/sidecar/sidecar.yaml").write_text("# mine\n")
        inside("dpkg", "-i", "--force-confold", "/sidecar.deb")
        self.assertEqual((root / "etc/sidecar/sidecar.yaml").read_text(), "# mine\n")
        inside("dpkg", "-r", "sidecar")
        self.assertTrue((root / "etc/sidecar/sidecar.yaml").exists(), "removing leaves the configuration")
        self.assertFalse((root / "usr/bin/sidecar").exists())
        inside("dpkg", "-P", "sidecar")
        self.assertFalse((root / "etc/sidecar").exists(), "purging does not")
        run("rm", "-rf", root)

    def test_systemd_starts_reloads_and_stops_it_with_all_that_the_unit_forbids_it(self):
        images.podman()
        root = installed_root("systemd", "systemd-sysv", "dbus")
        name = "sidecar-systemd-test"
        run("podman", "rm", "-f", name)
        inside = functools.partial(run, "podman", "exec", name)
        try:
            options = ("--network", "none", "--systemd=always", "--privileged")
            self.succeeds("podman", "run", "-d", "--name", name, *options, "--rootfs", root, "/sbin/init")
            is_up = lambda: inside("systemctl", "is-system-running").stdout.strip() in ("running", "degraded")
            self.eventually(is_up, 60, "systemd runs")
            self.succeeds("podman", "exec", name, "systemctl", "start", "sidecar")
            self.assertRegex(inside("sidecar", "healthcheck").stdout, "^200 ", "it serves when `start` returns")
            shown = dict(line.split("=", 1) for line in inside("systemctl", "show", "sidecar").stdout.splitlines() if "=" in line)
            self.assertEqual((shown["ActiveState"], shown["StatusText"]), ("active", "serving on port 8080, admin on port 9090"))
            process = inside("cat", f"/proc/{shown['MainPID']}/status").stdout
            self.assertRegex(process, r"(?m)^CapBnd:\s+0+$")
            self.assertNotRegex(process, r"(?m)^Uid:\s+0\s")
            config = root / "etc/sidecar/sidecar.yaml"
            shipped = config.read_text()
            config.write_text(shipped + "drian: {}\n")
            self.assertNotEqual(inside("systemctl", "reload", "sidecar").returncode, 0, "a wrong file is refused")
            config.write_text(shipped)
            self.succeeds("podman", "exec", name, "systemctl", "reload", "sidecar")
            began = time.monotonic()
            self.succeeds("podman", "exec", name, "systemctl", "stop", "sidecar")
            ended = inside("systemctl", "show", "-p", "Result", "-p", "ExecMainStatus", "sidecar").stdout
            self.assertEqual(ended, "Result=success\nExecMainStatus=0\n")
            self.figure(f"stopped in {time.monotonic() - began:.1f} s")
        finally:
            run("podman", "rm", "-f", name)
        run("rm", "-rf", root)


def installed_root(*packages):
    """A Debian with the package in it, and what it needs; from the mirror that this machine uses."""
    workshop.heavy("a Debian to install into")
    package = debian_package()
    root = WORK / "installed"
    run("rm", "-rf", root)
    images.must("cp", "-a", images.debian_root(), root)
    images.must("cp", package, root / "sidecar.deb")
    images.must("cp", "/etc/resolv.conf", root / "etc/resolv.conf")
    apt = ("chroot", root, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-y", "--no-install-recommends")
    images.must(*apt, "update")
    images.must(*apt, "install", *packages, "/sidecar.deb")
    return root


def install_to(case, directory):
    if not (workshop.programs / "sidecar.8").exists():
        case.skipTest("the man pages are not built: ./dev build")
    environment = os.environ | {"DESTDIR": str(directory)}
    case.succeeds("cmake", "--install", workshop.programs, "--prefix", "/usr", env=environment)


def files_below(directory):
    root = pathlib.Path(directory)
    return {"/" + str(f.relative_to(root)) for f in root.rglob("*") if f.is_file()}


@functools.cache
def debian_package():
    for each in ("cpack", "dpkg-deb"):
        workshop.tool(each, "cmake" if each == "cpack" else "dpkg")
    workshop.tool("dpkg-shlibdeps", "dpkg-dev")
    if not (workshop.programs / "sidecar.8").exists():
        raise workshop.unittest.SkipTest("the man pages are not built: ./dev build")
    out = WORK / "package"
    run("rm", "-rf", out)
    images.must("cpack", "-G", "DEB", "--config", workshop.programs / "CPackConfig.cmake", "-B", out)
    return next(out.glob("*.deb"))


class Materials(Case):
    def test_the_bill_of_materials_names_what_went_in(self):
        workshop.program("sidecar")
        if not (workshop.programs / "sidecar.map").exists() or not shutil.which("ninja"):
            self.skipTest("not built here by Ninja")
        bill = workshop.as_json(self.succeeds(DEPLOY / "sbom", workshop.programs))
        self.assertEqual(bill["spdxVersion"], "SPDX-2.3")
        how = {r["relatedSpdxElement"]: r["relationshipType"] for r in bill["relationships"]}
        how |= {r["spdxElementId"]: r["relationshipType"] for r in bill["relationships"]}
        named = {p["name"]: how.get(p["SPDXID"]) for p in bill["packages"]}
        for name in ("libssl3", "libc6", "libstdc++6"):
            self.assertIn((name, "DYNAMIC_LINK"), [(n.removesuffix("t64"), how) for n, how in named.items()])
        self.assertTrue([n for n in named if n.startswith("libboost") and named[n] == "BUILD_DEPENDENCY_OF"], named)
        for each in bill["packages"][1:]:
            self.assertRegex(each["externalRefs"][0]["referenceLocator"], r"^pkg:deb/\w+/\S+@\S+\?arch=\w+$")
        self.figure(f"{len(bill['packages'])} packages")


class Compose(Case):
    def test_the_compose_file_agrees_with_the_drain_and_with_the_component(self):
        load = workshop.yaml().safe_load
        services = load((DEPLOY / "compose/compose.yaml").read_text())["services"]
        drain = load((ROOT / "sidecar.yaml").read_text())["drain"]
        drained = sum(int(drain[key].removesuffix("s")) for key in ("accept_for", "timeout"))
        self.assertGreater(int(services["sidecar"]["stop_grace_period"].removesuffix("s")), drained)
        self.assertEqual(services["sidecar"]["network_mode"], "service:api")
        ours, component = (load((DEPLOY / d / "sidecar.yaml").read_text()) for d in ("compose/sidecar", "component/native"))
        self.assertEqual(ours["upstream"], component["upstream"])

    def test_docker_compose_takes_it(self):
        program = workshop.tool("docker-compose", "docker-compose")
        environment = os.environ | {"SIDECAR_SECRET": "x"}
        self.succeeds(program, "-f", DEPLOY / "compose/compose.yaml", "config", "-q", env=environment)
