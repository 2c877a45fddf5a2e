"""Starts what is compared, each with its configuration from peers/, and looks at its processes."""

import os
import re
import resource
import shutil
import signal
import socket
import subprocess
import time
import urllib.request
from pathlib import Path

HERE = Path(__file__).resolve().parent
NGINX_MODULES = "/usr/lib/nginx/modules"


class Missing(Exception):
    """A program or module that is not installed; the contender is left out and named."""


def first_free_port(start=19100):
    for port in range(start, start + 800):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue
    raise SystemExit("no free port on loopback")


def wait_until_listening(port, process, log, seconds=20):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if process.poll() is not None:
            raise SystemExit(f"{process.args[0]} ended with {process.returncode}; see {log}")
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.02)
    raise SystemExit(f"{process.args[0]} does not listen on {port}; see {log}")


class Started:
    """A running program of ours, pinned to `cores`, and its children."""

    def __init__(self, arguments, port, run, cores, stdout=None):
        self.port = port
        self.cores = cores
        log = run / "output.log"
        self.log = open(log, "wb")
        self.process = subprocess.Popen(
            arguments, stdin=subprocess.DEVNULL, stdout=stdout or self.log, stderr=self.log,
            preexec_fn=lambda: os.sched_setaffinity(0, cores))
        wait_until_listening(port, self.process, log)

    def pids(self):
        found = [self.process.pid]
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                try:
                    parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
                except (OSError, IndexError):
                    continue
                if parent == self.process.pid:
                    found.append(int(entry.name))
        return found

    def threads_named(self, word):
        """The ids of its threads that carry the word in their name."""
        names = {}
        for pid in self.pids():
            for task in Path(f"/proc/{pid}/task").iterdir():
                names[task.name] = (task / "comm").read_text().strip()
        return [task for task, name in names.items() if word in name]

    def resident_kib(self):
        """(sum of resident sets, the same with shared pages counted once)"""
        rss = pss = 0
        for pid in self.pids():
            for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
                if line.startswith("Rss:"):
                    rss += int(line.split()[1])
                elif line.startswith("Pss:"):
                    pss += int(line.split()[1])
        return rss, pss

    def memory(self, which):
        """Of its own process: VmRSS, or VmHWM for the most that it was; KiB"""
        found = re.search(rf"^{which}:\s*(\d+)", Path(f"/proc/{self.process.pid}/status").read_text(), re.M)
        return int(found[1])

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(2)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.log.close()


def snapshots_taken(sidecar):
    with urllib.request.urlopen(f"http://127.0.0.1:{sidecar.admin}/metrics", timeout=5) as answer:
        found = re.search(rb'^sidecar_status_polls_total\{outcome="ok"\} (\d+)', answer.read(), re.M)
    return int(found[1]) if found else 0


def wait_for_snapshots(sidecar, wanted, seconds=60):
    end = time.monotonic() + seconds
    while snapshots_taken(sidecar) < wanted:
        if time.monotonic() > end:
            raise SystemExit(f"no snapshot taken in {seconds} s; see the sidecar's output.log")
        time.sleep(0.1)


def fill_in(template, target, values):
    text = (HERE / "peers" / template).read_text()
    for name, value in values.items():
        text = text.replace(f"@{name}@", str(value))
    target.write_text(text)
    return str(target)


def program(name):
    path = shutil.which(name, path=os.environ["PATH"] + ":/usr/sbin:/sbin")
    if not path:
        raise Missing(f"{name} is not installed")
    return path


class Field:
    """The programs around the proxies, and how each contender is started. Everything listens on loopback."""

    def __init__(self, build, out, cores, before=None):
        self.binaries = build
        self.before = before  # another version's program
        self.out = out
        first, last = min(cores), max(cores)
        self.proxy_cores, self.load_cores, self.all_cores = {last}, {first}, set(cores)
        self.started = []
        self.prefix = []  # put before a contender's command: valgrind
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        for wanted in (65536, hard):
            try:
                resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, max(wanted, hard)))
                break
            except (ValueError, OSError):
                continue

    def run_folder(self, name):
        folder = self.out / "run" / name
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def start(self, name, arguments, cores=None, port=None, stdout=None):
        command = [str(a) for a in [*self.prefix, *arguments]]
        started = Started(command, port, self.run_folder(name), cores or self.proxy_cores, stdout)
        self.started.append(started)
        return started

    def backend(self, *options, cores=None):
        port = first_free_port()
        return self.start("backend" + "".join(options),
                          [self.binaries / "bench_backend", port, "--unix", self.unix_path(port), *options],
                          cores or self.load_cores, port)

    def unix_path(self, backend):
        return self.out / "run" / f"backend-{backend}.sock"

    def stop_all(self):
        for one in reversed(self.started):
            one.stop()
        self.started.clear()

    def contender(self, name, backend, cores=None):
        """By name; a number after it is the count of its threads: haproxy, haproxy:2, sidecar:2 ..."""
        kind, _, threads = name.partition(":")
        start = getattr(self, "start_" + kind)
        return start(name.replace(":", "-"), backend.port, threads or 1, cores)

    def start_direct(self, name, backend, threads, cores):
        class Direct:
            port = backend
            pids = staticmethod(lambda: [])
            stop = staticmethod(lambda: None)
        return Direct()

    def start_floor(self, name, backend, threads, cores, *options):
        port = first_free_port()
        return self.start(name, [self.binaries / "bench_raw_relay", port, backend, *options], cores, port)

    def start_floor_keep(self, name, backend, threads, cores):
        return self.start_floor(name, backend, threads, cores, "--keep")

    def start_floor_splice(self, name, backend, threads, cores):
        return self.start_floor(name, backend, threads, cores, "--splice")

    def start_haproxy(self, name, backend, threads, cores, template="haproxy.cfg", splice=""):
        port = first_free_port()
        config = fill_in(template, self.run_folder(name) / "haproxy.cfg", {
            "PORT": port, "BACKEND": backend, "THREADS": threads, "PEERS": HERE / "peers", "SPLICE": splice})
        return self.start(name, [program("haproxy"), "-db", "-q", "-f", config], cores, port)

    def start_haproxy_splice(self, name, backend, threads, cores):
        return self.start_haproxy(name, backend, threads, cores, splice="option splice-auto")

    def start_haproxy_lua(self, name, backend, threads, cores):
        return self.start_haproxy(name, backend, threads, cores, template="haproxy_lua.cfg")

    def start_haproxy_map(self, name, backend, threads, cores):
        return self.start_haproxy(name, backend, threads, cores, template="haproxy_map.cfg")

    def start_nginx(self, name, backend, threads, cores, template="nginx.conf", buffering="on", augment=""):
        port = first_free_port()
        run = self.run_folder(name)
        config = fill_in(template, run / "nginx.conf", {
            "PORT": port, "BACKEND": backend, "THREADS": threads, "PEERS": HERE / "peers", "RUN": run,
            "BUFFERING": buffering, "AUGMENT": augment, "MODULES": NGINX_MODULES})
        return self.start(name, [program("nginx"), "-c", config, "-e", run / "error.log"], cores, port)

    def start_nginx_unbuffered(self, name, backend, threads, cores):
        return self.start_nginx(name, backend, threads, cores, buffering="off")

    def start_nginx_lua(self, name, backend, threads, cores, augment="splice"):
        program("nginx")
        if not Path(NGINX_MODULES, "ngx_http_lua_module.so").exists():
            raise Missing("libnginx-mod-http-lua is not installed")
        return self.start_nginx(name, backend, threads, cores, template="nginx_lua.conf", augment=augment)

    def start_nginx_lua_encode(self, name, backend, threads, cores):
        return self.start_nginx_lua(name, backend, threads, cores, augment="encode")

    def start_sidecar(self, name, backend, threads, cores, access="false", status=None, interval="1s",
                      address=None, binary=None):
        binary = binary or self.binaries.parent / "sidecar"
        if not binary.exists():
            raise Missing("the sidecar is not built")
        port = first_free_port()
        admin = first_free_port(port + 1)
        config = fill_in("sidecar.yaml", self.run_folder(name) / "sidecar.yaml", {
            "PORT": port, "ADMIN": admin, "BACKEND": address or f"127.0.0.1:{backend}", "STATUS": status or backend,
            "WORKERS": threads, "ACCESS": access, "INTERVAL": interval})
        stdout = None
        if access == "true":  # as a container's runtime takes it: through a pipe
            reader = subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
                                      preexec_fn=lambda: os.sched_setaffinity(0, self.load_cores))
            stdout = reader.stdin
        started = self.start(name, [binary, "--config", config], cores, port, stdout)
        started.admin = admin
        wait_until_listening(admin, started.process, self.run_folder(name) / "output.log")
        if stdout:
            stdout.close()
        return started

    def start_sidecar_unix(self, name, backend, threads, cores):
        return self.start_sidecar(name, backend, threads, cores, address=f"unix:{self.unix_path(backend)}")

    def start_before(self, name, backend, threads, cores):
        if not self.before:
            raise Missing("no --before PROGRAM to compare with")
        return self.start_sidecar(name, backend, threads, cores, binary=self.before)

    def start_sidecar_log(self, name, backend, threads, cores):
        return self.start_sidecar(name, backend, threads, cores, access="true")

    def start_sidecar_million(self, name, backend, threads, cores):
        document = self.backend("--entries", "1000000", "--vary")
        started = self.start_sidecar(name, backend, threads, cores, status=document.port, interval="100ms")
        wait_for_snapshots(started, 2)
        return started
