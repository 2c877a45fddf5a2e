#!/usr/bin/env python3
"""Draws which folder includes which, each below those that it is included by; fails if an arrow runs back up.

A folder is one of the layers; headers that lie in proxy/ itself are what both planes share.
"""

import os
import re
import subprocess
import sys
from graphlib import CycleError, TopologicalSorter

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
INCLUDE = re.compile(r'\s*#\s*include\s+"([^"]+)"')


def folder_of(path):
    parts = path.split("/")
    return "/".join(parts[:2]) if parts[0] == "proxy" and len(parts) > 2 else parts[0]


def arrows():
    listed = subprocess.run([f"{ROOT}/scripts/sources"], check=True, capture_output=True, text=True).stdout.split()
    found = {folder_of(name): set() for name in listed}
    for name in listed:
        if not os.path.exists(os.path.join(ROOT, name)):
            continue
        with open(os.path.join(ROOT, name), encoding="utf-8") as file:
            for included in (match[1] for match in map(INCLUDE.match, file) if match):
                included = "include/" + included if included.startswith("sidecar/") else included
                if os.path.exists(os.path.join(ROOT, included)) and folder_of(included) != folder_of(name):
                    found[folder_of(name)].add(folder_of(included))
    return found


def main():
    found = arrows()
    try:
        order = list(TopologicalSorter(found).static_order())
    except CycleError as cycle:
        print("an arrow runs back up: " + " -> ".join(reversed(cycle.args[1])))
        return 1
    for name in reversed(order):
        print(f"{name} -> {', '.join(sorted(found[name], key=order.index, reverse=True))}" if found[name] else name)
    return 0


if __name__ == "__main__":
    sys.exit(main())
