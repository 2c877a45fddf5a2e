#!/usr/bin/env python3
"""What the documents say is so: commands, keys, options, paths, metrics, and the responses that README shows.

    documents_test.py SIDECAR DEMO_BACKEND
"""

import contextlib
import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.request

try:
    import yaml
except ImportError:
    sys.exit(77)

ROOT = pathlib.Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text()
DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
SIDECAR = BACKEND = None


def said(*arguments):
    return subprocess.run([SIDECAR, *arguments], capture_output=True, text=True, check=True).stdout


def keys(value, prefix=""):
    found = set()
    if isinstance(value, dict):
        for name, below in value.items():
            found |= {prefix + name} | keys(below, f"{prefix}{name}.")
    return found


def code_blocks(text):
    """Fenced, as (language, content); indented, with no language."""
    fenced = re.findall(r"^```(\w*)\n(.*?)^```", text, re.M | re.S)
    rest = re.sub(r"^```.*?^```", "", text, flags=re.M | re.S)
    indented = re.findall(r"(?:^    [^\n]*\n|^\n(?=    ))+", rest, re.M)
    return fenced + [("", re.sub(r"^    ", "", block, flags=re.M)) for block in indented]


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


@contextlib.contextmanager
def demo():
    """The demo's two programs; gives the ports that README's stand for."""
    ports = {"8080": free_port(), "9090": free_port(), "3000": free_port()}
    env = {"PORT": ports["8080"], "ADMIN_PORT": ports["9090"], "BACKEND_PORT": ports["3000"], "READY_AFTER": 1}
    process = subprocess.Popen(
        [ROOT / "tests/demo/run", pathlib.Path(SIDECAR).parent], stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True,
        env={**os.environ, **{name: str(value) for name, value in env.items()}},
    )
    try:
        for line in process.stdout:
            if "do sleep 1; done" in line:
                break
        yield {name: str(port) for name, port in ports.items()}
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(20)
        process.stdout.close()


class Documents(unittest.TestCase):
    def test_every_command_of_dev_is_one(self):
        usage = subprocess.run([ROOT / "dev", "help"], capture_output=True, text=True, check=True).stdout
        commands = set(re.findall(r"^  ([a-z0-9-]+) ", usage, re.M)) | {"help"}
        for path in DOCUMENTS:
            for name in re.findall(r"\./dev ([a-z][\w-]*)", path.read_text()):
                with self.subTest(path.name, command=name):
                    self.assertIn(name, commands)

    def test_every_key_of_the_configuration_is_one(self):
        config = yaml.safe_load(said("--config", str(ROOT / "sidecar.yaml"), "--print-config"))
        known = keys(config)
        sections = {name for name, value in config.items() if isinstance(value, dict)}
        known |= {f"gate.{name}" for name in ("collection", "member", "require", "unknown")}
        known |= {f"{action}.{name}" for action in ("augment", "learn") for name in ("collection", "members", "unknown", "id")}
        # What is made from the list of keys names the old ones, too; the walks make one up.
        for path in [path for path in DOCUMENTS if path.name not in ("configuration.md", "CONTRIBUTING.md")]:
            for key in re.findall(r"`((?:" + "|".join(sections | {"gate"}) + r")\.[a-z_.]+?)(?:`|: )", path.read_text()):
                with self.subTest(path.name, key=key):
                    self.assertIn(key, known)

    def test_every_option_and_subcommand_is_one(self):
        text = said("--help")
        options, subcommands = set(re.findall(r"--[a-z-]+", text)), set(re.findall(r"^  ([a-z]+) ", text, re.M))
        for subcommand in subcommands:
            options |= set(re.findall(r"--[a-z-]+", said(subcommand, "--help")))
        for path in DOCUMENTS:
            for line in re.findall(r"`sidecar ([^`\n]+)`", path.read_text()) + re.findall(r"^ *(?:\$ )?sidecar (.+)$", path.read_text(), re.M):
                words = line.split()
                with self.subTest(path.name, line=line):
                    self.assertTrue(words[0].startswith("-") or words[0] in subcommands)
                    self.assertEqual({w.split("=")[0].strip("[],") for w in words if w.lstrip("[").startswith("--")} - options, set())

    def test_every_piece_of_configuration_is_one(self):
        for path in DOCUMENTS:
            for language, block in code_blocks(path.read_text()):
                if language != "yaml":
                    continue
                with self.subTest(path.name, block=block), tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
                    file.write(block)
                    file.flush()
                    done = subprocess.run([SIDECAR, "--config", file.name, "--check"], capture_output=True, text=True)
                    self.assertEqual(done.returncode, 0, done.stderr + done.stdout)

    def test_every_metric_and_path_of_the_admin_listener_is_there(self):
        with demo() as ports:
            def get(path):
                with urllib.request.urlopen(f"http://127.0.0.1:{ports['9090']}{path}", timeout=20) as response:
                    return response.read().decode()

            there = set(re.findall(r"^# TYPE (\w+)", get("/metrics"), re.M))
            for path in [path for path in DOCUMENTS if path.name != "architecture.md"]: # there, CMake's words begin so
                for name in re.findall(r"`(sidecar_[a-z_]+?)(?:_bucket|_sum|_count)?(?:\{[^`]*\})?`", path.read_text()):
                    with self.subTest(path.name, metric=name):
                        self.assertIn(name, there)
            for path in re.findall(r"`(/(?:livez|readyz|metrics|readiness|config|status)\b[^`]*)`", README):
                with self.subTest(path=path):
                    self.assertTrue(get(path.split("{")[0].split("=")[0]))


class Readme(unittest.TestCase):
    def test_it_is_short(self):
        self.assertLess(README.count("\n"), 111)

    def test_each_curl_line_gets_what_is_shown(self):
        """`$ curl ...` and what follows it, in which ... stands for anything."""
        shown = [block for _, block in code_blocks(README) if re.match(r"\$ (\w+=.*\n\$ )*curl ", block)]
        self.assertTrue(shown)
        with demo() as ports:
            for block in shown:
                setting = ""
                for part in re.split(r"^\$ ", block, flags=re.M)[1:]:
                    command, _, expected = part.replace("\\\n", "").partition("\n")
                    for documented, real in ports.items():
                        command = command.replace(f":{documented}", f":{real}")
                    if re.match(r"\w+=", command) and "curl" not in command:
                        setting += command + "\n"
                        continue
                    got = subprocess.run(["bash", "-c", setting + command], capture_output=True, text=True, timeout=20).stdout
                    pattern = r"[^\0]*?".join(re.escape(piece) for piece in re.sub(r"\s*(\.\.\.|…)\s*", "\0", expected.strip()).split("\0"))
                    with self.subTest(command=command):
                        self.assertRegex(got.replace("\r", "").strip(), rf"^{pattern}$")


if __name__ == "__main__":
    SIDECAR, BACKEND = (str(pathlib.Path(name).resolve()) for name in sys.argv[1:3])
    unittest.main(argv=[sys.argv[0], *sys.argv[3:]])
