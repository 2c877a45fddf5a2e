#!/usr/bin/env python3
"""The workflows are calls of ./dev that it has, in jobs that say how long they may take."""

import pathlib
import re
import subprocess
import sys
import unittest

try:
    import yaml
except ImportError:
    sys.exit(77)

ROOT = pathlib.Path(__file__).resolve().parents[2]
WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))


class Workflows(unittest.TestCase):
    def test_each_is_yaml_with_jobs_that_end_and_may_only_read(self):
        self.assertGreaterEqual(len(WORKFLOWS), 5)
        for path in WORKFLOWS:
            with self.subTest(path.name):
                workflow = yaml.safe_load(path.read_text())
                self.assertIn(True, workflow, "`on`, which YAML takes for a boolean")
                self.assertEqual(workflow["permissions"], {"contents": "read"})
                for job in workflow["jobs"].values():
                    self.assertLessEqual(job["timeout-minutes"], 180)
                    self.assertTrue(job["steps"])

    def test_each_command_of_dev_that_is_called_is_one(self):
        usage = subprocess.run([ROOT / "dev", "help"], capture_output=True, text=True, check=True).stdout
        commands = set(re.findall(r"^  ([a-z0-9-]+) ", usage, re.M))
        called = {name for path in WORKFLOWS for name in re.findall(r"run: \./dev ([\w-]+)", path.read_text())}
        self.assertGreaterEqual(called, {"test", "check", "coverage", "fuzz", "image", "package"})
        self.assertEqual(called - commands, set())

    def test_every_other_file_for_github_is_yaml(self):
        for path in [*(ROOT / ".github").glob("*.yml"), *(ROOT / ".github/ISSUE_TEMPLATE").glob("*.yml")]:
            with self.subTest(path.name):
                self.assertTrue(yaml.safe_load(path.read_text()))


if __name__ == "__main__":
    unittest.main()
