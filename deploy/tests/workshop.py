"""What the tests of deploy/ share: where things are, what this machine has, and how to wait."""

import json
import os
import pathlib
import shutil
import subprocess
import sys
import time
import unittest

DEPLOY = pathlib.Path(__file__).resolve().parent.parent
ROOT = DEPLOY.parent
TESTS = DEPLOY / "tests"
WORK = ROOT / "build/deploy"

# From the command line: see ../test.
light = False
rebuild = True
programs = ROOT / "build/release"

NPM = ["yaml@2.9.1", "kubernetes-models@4.5.1", "@kubernetes/client-node@1.4.0", "@kubernetes-models/prometheus-operator@6.0.0"]


class Case(unittest.TestCase):
    maxDiff = 4000
    longMessage = False

    def figure(self, text):
        """A measured figure, for the test's line."""
        self.figures = getattr(self, "figures", []) + [text]

    def succeeds(self, *command, **options):
        """Its output; a failure shows how it ended."""
        ran = run(*command, **options)
        if ran.returncode != 0:
            said = (ran.stdout + ran.stderr).strip()
            self.fail(f"{' '.join(map(str, command))}\nexit code {ran.returncode}\n{said}")
        return ran.stdout

    def eventually(self, condition, seconds=15, what=""):
        deadline = time.monotonic() + seconds
        while not (value := condition()):
            if time.monotonic() > deadline:
                self.fail(f"not within {seconds} s: {what or condition}")
            time.sleep(0.1)
        return value


def run(*command, **options):
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, "check": False} | options
    return subprocess.run([str(each) for each in command], **options)


# --- what there is ----------------------------------------------------------------------------------------------------


def yaml():
    """Debian's python3-yaml."""
    try:
        import yaml as module  # pylint: disable=import-outside-toplevel
    except ImportError:
        raise unittest.SkipTest("python3-yaml is not here") from None
    return module


def program(name):
    """One that was built: sidecar, or tests/demo/demo_backend."""
    path = programs / name
    if not path.exists():
        raise unittest.SkipTest(f"{name} is not built: ./dev build")
    return path


def tool(name, package):
    """A program of Debian's; installed where that may be done."""
    if not (found := shutil.which(name)):
        install(package)
        found = shutil.which(name)
    return found


def install(*packages):
    missing = [p for p in packages if run("dpkg-query", "-W", "-f=${db:Status-Status}", p).stdout != "installed"]
    if not missing:
        return
    if light or os.geteuid() != 0 or not shutil.which("apt-get"):
        raise unittest.SkipTest(f"needs {', '.join(missing)}, which only a full run as root on Debian installs")
    WORK.mkdir(parents=True, exist_ok=True)
    print(f"     installing {' '.join(missing)}", flush=True)
    # Some are servers, wanted as programs: policy-rc.d keeps them from starting.
    policy = pathlib.Path("/usr/sbin/policy-rc.d")
    made = not policy.exists()
    if made:
        policy.write_text("#!/bin/sh\nexit 101\n")
        policy.chmod(0o755)
    try:
        apt = ["apt-get", "-y", "-o", "DPkg::Lock::Timeout=300", "-o", "Acquire::Retries=3"]
        environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
        run(*apt, "update", env=environment)
        ran = run(*apt, "install", "--no-install-recommends", *missing, env=environment, stdin=subprocess.DEVNULL)
    finally:
        if made:
            policy.unlink()
    if ran.returncode != 0:
        raise unittest.SkipTest(f"can't install {', '.join(missing)}: {ran.stderr.strip().splitlines()[-1:]}")


def root():
    if os.geteuid() != 0:
        raise unittest.SkipTest("needs root: it runs containers, or installs into a root of its own")


def heavy(what):
    if light:
        raise unittest.SkipTest(f"{what}: not with --light")


def node_modules():
    """The directory with the npm packages that know the Kubernetes API's schemas."""
    if not shutil.which("node") or not shutil.which("npm"):
        raise unittest.SkipTest("node and npm are not here: no validation against the Kubernetes API's schemas")
    home = WORK / "npm"
    done = home / "done"
    if not done.exists() or done.read_text() != " ".join(NPM):
        home.mkdir(parents=True, exist_ok=True)
        ran = run("npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix", home, *NPM)
        if ran.returncode != 0:
            raise unittest.SkipTest(f"the npm packages with the schemas can't be had: {ran.stderr.strip()[-200:]}")
        done.write_text(" ".join(NPM))
    return home


# --- things made once -------------------------------------------------------------------------------------------------


def rendered(directory):
    """The documents of deploy/DIRECTORY, and the file that has them."""
    module = yaml()
    import render  # pylint: disable=import-outside-toplevel

    documents = render.render(DEPLOY / directory)
    file = WORK / "rendered" / (directory.replace("/", "-") + ".yaml")
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(module.safe_dump_all(documents, sort_keys=False))
    return documents, file


def python(script, *arguments, **options):
    return run(sys.executable, "-B", TESTS / script, *arguments, **options)


def as_json(text):
    return json.loads(text)
