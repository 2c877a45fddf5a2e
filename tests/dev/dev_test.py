#!/usr/bin/env python3
"""What ./dev does to a terminal: its steps, its demo, its questions.

    dev_test.py SIDECAR DEMO_BACKEND
"""

import os
import pathlib
import pty
import re
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import termios
import time
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
PATIENCE = 20  # s
BUILD = None


def await_true(what, seconds=PATIENCE):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if got := what():
            return got
        time.sleep(0.02)
    return what()


def alive(pid):
    try:
        with open(f"/proc/{pid}/stat") as stat:
            return stat.read().rsplit(") ", 1)[1][0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


def descendants(pid):
    children = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                with open(f"/proc/{entry}/stat") as stat:
                    children.setdefault(int(stat.read().rsplit(") ", 1)[1].split()[1]), []).append(int(entry))
            except (FileNotFoundError, ProcessLookupError):
                pass
    found = list(children.get(pid, []))
    for each in found:
        found += children.get(each, [])
    return found


class Terminal:
    """A command on a terminal of its own, 80 columns wide."""

    def __init__(self, command, columns=80, cwd=None, env=None, user=None):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            termios.tcsetwinsize(0, (24, columns)) if hasattr(termios, "tcsetwinsize") else os.system(f"stty cols {columns}")
            os.chdir(cwd or ROOT)
            if user is not None and os.geteuid() == 0:
                os.setgroups([])
                os.setgid(user)
                os.setuid(user)
            os.execvpe(command[0], command, {**os.environ, **(env or {})})
        self.text = ""
        self.status = None

    def read_until(self, pattern, seconds=PATIENCE):
        deadline = time.monotonic() + seconds
        while not (found := re.search(pattern, self.text)):
            left = deadline - time.monotonic()
            if left <= 0 or not self.read_some(left):
                found = re.search(pattern, self.text)
                break
        return found

    def read_some(self, seconds):
        if not select.select([self.fd], [], [], seconds)[0]:
            return True
        try:
            got = os.read(self.fd, 65536)
        except OSError:
            return False
        self.text += got.decode(errors="replace")
        return bool(got)

    def ctrl_c(self):
        os.write(self.fd, b"\x03")

    def end(self, seconds=PATIENCE):
        """The exit code, once it has ended by itself."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.status = os.waitstatus_to_exitcode(status)
                return self.status
            self.read_some(0.05)
        return None

    def close(self):
        if self.fd is not None:
            os.close(self.fd)
            self.fd = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
        if self.status is None and self.end_quietly() is None:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)

    def end_quietly(self):
        deadline = time.monotonic() + 5
        while time.monotonic() < deadline:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.status = os.waitstatus_to_exitcode(status)
                return self.status
            time.sleep(0.02)
        return None


class Steps(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp()
        os.chmod(self.folder, 0o777)
        self.addCleanup(shutil.rmtree, self.folder)
        for name in ("steps.sh", "packages.sh"):  # another user may not read root's clone
            shutil.copy(ROOT / "scripts" / name, self.folder)

    def script(self, body):
        path = os.path.join(self.folder, "steps")
        pathlib.Path(path).write_text(f"set -euo pipefail\ncd {self.folder}\n. ./steps.sh\n. ./packages.sh\n{body}\n")
        return ["bash", path]

    def pid_in(self, name):
        path = pathlib.Path(self.folder, name)
        await_true(lambda: path.exists() and path.read_text().strip())
        return int(path.read_text())

    def test_a_step_that_passes_and_one_that_fails_say_so_with_the_time_they_took(self):
        done = subprocess.run(
            self.script("steps_total=2; step one true; step two bash -c 'echo why; exit 3' || echo code $?"),
            capture_output=True, text=True, stdin=subprocess.DEVNULL,
        )
        self.assertRegex(done.stdout, r"^-- 1 of 2: one\n   ok, \d s\n-- 2 of 2: two\n   FAILED after \d s;[^\n]*\n   \| why\ncode 3\n$")

    def test_without_a_terminal_nothing_but_lines_is_written(self):
        done = subprocess.run(self.script("step slow sleep 1.5"), capture_output=True, stdin=subprocess.DEVNULL)
        self.assertNotIn(b"\r", done.stdout)
        self.assertNotIn(b"\033", done.stdout)

    def test_ctrl_c_ends_a_step_at_once_whatever_runs_in_it(self):
        stubborn = "trap '' INT; echo $BASHPID >child; while :; do sleep 60 & echo $! >sleeper; wait; done"
        with Terminal(self.script(f'step stubborn bash -c "{stubborn}"'.replace("$", "\\$"))) as terminal:
            child, sleeper = self.pid_in("child"), self.pid_in("sleeper")
            terminal.ctrl_c()
            self.assertEqual(terminal.end(6), 130, terminal.text)
            self.assertTrue(await_true(lambda: not alive(child) and not alive(sleeper)))

    def test_a_step_ends_when_its_terminal_closes(self):
        with Terminal(self.script("step long bash -c 'echo $$ >child; exec sleep 60'")) as terminal:
            child = self.pid_in("child")
            terminal.close()
            self.assertTrue(await_true(lambda: not alive(child)))

    def test_a_step_ends_when_nobody_reads_its_output(self):
        process = subprocess.Popen(
            self.script("step first true; step long bash -c 'echo $$ >child; exec sleep 3'; echo; step more sleep 60"),
            stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )
        self.pid_in("child")
        process.stdout.close()
        self.assertIsNotNone(await_true(lambda: process.poll() is not None) or None)

    def test_the_progress_line_is_no_wider_than_the_terminal_and_shows_lines_that_end_in_cr_lf(self):
        long = "printf 'Unpacking a package with quite a long name from an archive %s (1.2.3-4) over (1.2.3-3) ...\\r\\n' somewhere; sleep 2.5"
        with Terminal(self.script(f'step unpack bash -c "{long}"'), columns=60) as terminal:
            self.assertEqual(terminal.end(), 0)
            shown = [part for part in re.split(r"\r\x1b\[K|\r?\n", terminal.text) if part]
            self.assertTrue(any("Unpacking a package" in part for part in shown), terminal.text)
            self.assertLess(max(len(part) for part in shown if "Unpacking" in part), 60)

    def test_as_many_jobs_as_processors_and_the_containers_memory_allow(self):
        def jobs(memory_max, **more):
            root = pathlib.Path(self.folder, "cgroup")
            root.mkdir(exist_ok=True)
            (root / "memory.max").write_text(f"{memory_max}\n")
            (root / "memory.stat").write_text(f"anon {200 * 2**20}\nfile {5000 * 2**20}\n")
            env = {**os.environ, "CGROUP_ROOT": str(root), **more}
            done = subprocess.run(self.script("nproc() { echo 8; }; parallel"), env=env, capture_output=True, text=True, check=True)
            return int(done.stdout)

        self.assertEqual(jobs(2000 * 2**20), 2)
        self.assertEqual(jobs(500 * 2**20), 1)
        self.assertEqual(jobs(500 * 2**20, JOBS="5"), 5)
        self.assertGreaterEqual(jobs("max"), 1)

    def with_false_programs(self, sudo):
        """A machine of another user: dpkg knows of no package, and sudo is a script."""
        programs = os.path.join(self.folder, "bin")
        os.makedirs(programs, exist_ok=True)
        for name, body in {
            "dpkg-query": "exit 1", "apt-get": 'echo "apt-get $*"', "tee": "cat >/dev/null", "chmod": "exit 0", "rm": "exit 0", "sudo": sudo
        }.items():
            path = os.path.join(programs, name)
            pathlib.Path(path).write_text(f"#!/bin/bash\n{body}\n")
            os.chmod(path, 0o755)
        return {"PATH": f"{programs}:/usr/bin:/bin"}

    def test_sudo_asks_for_its_password_where_it_can_be_seen(self):
        env = self.with_false_programs(
            'case $1 in -n) [[ -e asked ]] && shift && "$@"; exit ;; -v) read -rsp "password: " word </dev/tty && [[ $word == secret ]] && : >asked; exit ;; esac\n"$@"'
        )
        with Terminal(self.script("install_packages some-package; echo finished"), env=env, user=65534) as terminal:
            self.assertTrue(terminal.read_until("password: "), terminal.text)
            self.assertNotIn("-- install", terminal.text)
            self.assertIn("some-package", terminal.text)
            os.write(terminal.fd, b"secret\n")
            self.assertEqual(terminal.end(), 0, terminal.text)
            self.assertIn("finished", terminal.text)

    def test_who_can_not_install_reads_what_root_has_to_do(self):
        env = self.with_false_programs("exit 1")
        done = subprocess.run(
            self.script("install_packages some-package"), env={**os.environ, **env}, stdin=subprocess.DEVNULL, text=True,
            capture_output=True, **({"user": 65534, "group": 65534} if os.geteuid() == 0 else {}),
        )
        self.assertEqual(done.returncode, 1)
        self.assertIn("As root: apt-get update && apt-get install --no-install-recommends some-package", done.stderr)


def free_ports(count):
    sockets = [socket.socket() for _ in range(count)]
    for each in sockets:
        each.bind(("127.0.0.1", 0))
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


class Demo(unittest.TestCase):
    def setUp(self):
        port, admin, backend = free_ports(3)
        self.env = {"PORT": str(port), "ADMIN_PORT": str(admin), "BACKEND_PORT": str(backend), "READY_AFTER": "1"}
        self.command = [str(ROOT / "tests/demo/run"), BUILD]
        self.begun = r"do sleep 1; done"

    def all_of(self, pid):
        """The sidecar, its backend and what shows the log."""
        self.assertTrue(await_true(lambda: len(descendants(pid)) >= 3))
        return descendants(pid)

    def assert_all_end(self, processes):
        self.assertTrue(
            await_true(lambda: not any(alive(p) for p in processes)),
            [open(f"/proc/{p}/cmdline").read() for p in processes if alive(p)],
        )

    def test_the_page_comes_first_and_ctrl_c_ends_it_all(self):
        with Terminal(self.command, env=self.env) as terminal:
            self.assertTrue(terminal.read_until(self.begun), terminal.text)
            first = next(line for line in terminal.text.splitlines() if line.strip())
            self.assertIn(f"http://127.0.0.1:{self.env['ADMIN_PORT']}/", first)
            processes = self.all_of(terminal.pid)
            terminal.ctrl_c()
            self.assertEqual(terminal.end(), 0)
            self.assert_all_end(processes)

    def test_it_ends_when_its_terminal_closes(self):
        with Terminal(self.command, env=self.env) as terminal:
            self.assertTrue(terminal.read_until(self.begun), terminal.text)
            processes = self.all_of(terminal.pid)
            terminal.close()
            self.assert_all_end(processes)

    def test_it_ends_when_nobody_reads_its_output(self):
        process = subprocess.Popen(
            self.command, env={**os.environ, **self.env}, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True
        )
        for line in process.stdout:
            if re.search(self.begun, line):
                break
        processes = self.all_of(process.pid)
        process.stdout.close()
        self.assert_all_end(processes)
        process.wait(PATIENCE)

    def test_every_line_that_it_prints_to_be_tried_does_what_it_says(self):
        with Terminal(self.command, columns=400, env=self.env) as terminal:
            self.assertTrue(terminal.read_until(self.begun), terminal.text)
            lines = [line.strip() for line in terminal.text.splitlines()]
            commands = [line for line in lines if line.startswith(("curl ", "p=$(curl "))]
            got = [
                subprocess.run(["bash", "-c", line], capture_output=True, text=True, timeout=PATIENCE).stdout for line in commands
            ]
            self.assertEqual(len(got), 6, commands)
            self.assertIn('"is_upload_ready":false', got[0])
            self.assertNotIn('"info"', got[1])
            self.assertIn('"info":{"resource_consistency":{"is_download_ready":false}}', got[2])
            self.assertIn("resource_not_consistent", got[3])
            self.assertRegex(got[4], "^HTTP/1.1 201 ")
            terminal.ctrl_c()
            terminal.end()

    def test_the_last_line_watches_a_project_turn_ready(self):
        with Terminal(self.command, columns=400, env=self.env) as terminal:
            self.assertTrue(terminal.read_until(self.begun), terminal.text)
            line = next(line.strip() for line in terminal.text.splitlines() if line.strip().startswith("p=$(curl "))
            seen = subprocess.run(["bash", "-c", line], capture_output=True, text=True, timeout=PATIENCE).stderr.split()
            self.assertEqual(seen[0], '"is_upload_ready":false')
            self.assertEqual(seen[-1], '"is_upload_ready":true')
            terminal.ctrl_c()
            terminal.end()


if __name__ == "__main__":
    sidecar, backend = (pathlib.Path(name).resolve() for name in sys.argv[1:3])
    BUILD = str(sidecar.parent)
    assert backend == sidecar.parent / "tests/demo/demo_backend", backend
    unittest.main(argv=[sys.argv[0], *sys.argv[3:]])
