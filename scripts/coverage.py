#!/usr/bin/env python3
"""Which lines and branches of rules/ and of the data plane the tests reach, from the profiles of a `coverage` build.

    coverage.py BUILD_DIRECTORY [FOLDER...]        more is left in BUILD_DIRECTORY/coverage.txt: each line, with its count
"""

import glob
import json
import os
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def run(*command, **options):
    return subprocess.run(command, check=True, **options)


def main():
    build = os.path.abspath(sys.argv[1])
    folders = sys.argv[2:] or ["rules", "proxy/data_plane"]
    profiles = glob.glob(f"{build}/profiles/*.profraw")
    if not profiles:
        sys.exit("coverage: the tests have left no profile; `./dev coverage` runs them")
    run("llvm-profdata", "merge", "-sparse", "-o", f"{build}/all.profdata", *profiles)
    programs = [path for path in (f"{build}/tests/rules_tests", f"{build}/tests/proxy_tests", f"{build}/sidecar") if os.path.exists(path)]
    objects = [programs[0]] + [part for path in programs[1:] for part in ("-object", path)]
    cov = ["-instr-profile", f"{build}/all.profdata", *objects]
    exported = run("llvm-cov", "export", "-summary-only", *cov, capture_output=True).stdout
    best = {}
    for file in json.loads(exported)["data"][0]["files"]:
        # The layers see each other's headers by links: one file has more than one name.
        name = os.path.relpath(os.path.realpath(file["filename"]), ROOT)
        summary = file["summary"]
        if name not in best or summary["lines"]["covered"] > best[name]["lines"]["covered"]:
            best[name] = summary
    with open(f"{build}/coverage.txt", "wb") as out:
        run("llvm-cov", "show", *cov, *(f"{ROOT}/{name}" for name in sorted(best) if name.startswith(tuple(folders))), stdout=out)

    def row(what, summaries):
        def of(kind):
            covered, count = (sum(s[kind][part] for s in summaries) for part in ("covered", "count"))
            return f"{100 * covered / count:6.1f} %  {covered:5} of {count:<5}" if count else " " * 25
        print(f"{what:44} {of('lines')}   {of('branches')}")

    print(f"{'':44} {'lines':25}   branches")
    for folder in folders:
        of_it = {name: summary for name, summary in best.items() if name.startswith(folder + "/")}
        for name in sorted(of_it):
            row("  " + name[len(folder) + 1 :], [of_it[name]])
        row(folder, of_it.values())
    row("all of these", [s for name, s in best.items() if name.startswith(tuple(f + "/" for f in folders))])
    print(f"each line with its count: {os.path.relpath(build)}/coverage.txt")


if __name__ == "__main__":
    main()
