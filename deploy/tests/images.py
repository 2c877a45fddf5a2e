"""podman's settings for the tests, and the images that they run, made without any image registry."""

import functools
import os
import pathlib
import re
import time

import workshop
from workshop import ROOT, WORK, run

SIDECAR, DEMO_BACKEND = "localhost/sidecar:test", "localhost/demo-backend:test"
BASE = "docker.io/library/debian:bookworm-slim"
SOURCE = "https://git.example/sidecar"
PACKAGES = ["podman", "buildah", "runc", "debootstrap", "catatonit", "ca-certificates", "curl"]

# Also for a virtual machine whose root may not raise limits, and for the first kind of cgroups.
CONTAINERS_CONF = """[containers]
default_ulimits = ["nofile=20000:20000", "nproc=4096:4096"]
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
"""
# Its own storage, so that the machine's images stay what they are.
STORAGE_CONF = """[storage]
driver = "overlay"
graphroot = "{0}/containers/storage"
runroot = "{0}/containers/run"
"""


@functools.cache
def podman():
    workshop.heavy("containers")
    workshop.root()
    workshop.install(*PACKAGES)
    WORK.mkdir(parents=True, exist_ok=True)
    (WORK / "containers.conf").write_text(CONTAINERS_CONF)
    (WORK / "storage.conf").write_text(STORAGE_CONF.format(WORK))
    os.environ["CONTAINERS_CONF"] = str(WORK / "containers.conf")
    os.environ["CONTAINERS_STORAGE_CONF"] = str(WORK / "storage.conf")


@functools.cache
def attempt():
    """What went wrong, which the next test would only meet again after as many minutes."""
    try:
        build_images()
    except AssertionError as wrong:
        return wrong
    return None


def images():
    """Builds them, some minutes the first time; raises what went wrong."""
    podman()
    if wrong := attempt():
        raise wrong


def build_images():
    there = all(run("podman", "image", "exists", each).returncode == 0 for each in (SIDECAR, DEMO_BACKEND))
    if there and not workshop.rebuild:
        return
    base_image()
    build("deploy/Containerfile", SIDECAR)
    build("deploy/Containerfile", "localhost/sidecar-build:test", "--target", "build")
    build("deploy/tests/demo_backend.Containerfile", DEMO_BACKEND, "--build-arg", "SIDECAR_BUILD=localhost/sidecar-build:test")


def base_image():
    """A Debian made here, by the name by which the Containerfile wants it."""
    if run("podman", "image", "exists", BASE).returncode == 0:
        return
    root = debian_root()
    path = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    command = f"tar -C {root} --numeric-owner -c . | podman import --change 'ENV {path}' --change 'CMD [\"bash\"]' - {BASE}"
    must("bash", "-o", "pipefail", "-c", command)


@functools.cache
def debian_root():
    """A minimal Debian 12 in a directory."""
    workshop.root()
    workshop.install("debootstrap")
    root = WORK / "debian"
    if not (root / "etc/debian_version").exists():
        run("rm", "-rf", root)
        must("debootstrap", "--variant=minbase", "bookworm", root, mirror())
        must("bash", "-c", f"rm -rf {root}/var/cache/apt/archives/*.deb {root}/var/cache/apt/*.bin {root}/var/lib/apt/lists/*")
    return root


def mirror():
    """Where this machine's own packages come from."""
    sources = pathlib.Path("/etc/apt/sources.list.d/debian.sources")
    found = re.search(r"(?m)^URIs: *(\S+)", sources.read_text()) if sources.exists() else None
    return found[1] if found else "http://deb.debian.org/debian"


def build(file, tag, *arguments):
    """The host's network and a chroot: apt-get reaches its mirror as it does here."""
    must(
        *("buildah", "bud", "--layers", "--format", "docker", "--network", "host", "--isolation", "chroot", "--pull-never"),
        *("--build-arg", f"REVISION={revision()}", "--build-arg", f"JOBS={os.environ.get('JOBS', '')}"),
        *("--build-arg", f"CREATED={time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime())}", "--build-arg", f"SOURCE={SOURCE}"),
        *arguments,
        *("-f", ROOT / file, "-t", tag, ROOT),
    )


@functools.cache
def revision():
    """One for all images of a run: what is compiled for the first is there for the others."""
    return run("git", "-C", ROOT, "describe", "--always", "--abbrev=40", "--exclude=*", "--dirty=+").stdout.strip()


def must(*command):
    ran = run(*command)
    if ran.returncode != 0:
        raise AssertionError(f"{' '.join(map(str, command))}\n{(ran.stdout + ran.stderr)[-4000:]}")
    return ran.stdout
