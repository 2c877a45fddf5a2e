#!/usr/bin/env python3
"""Do the tests notice a fault? Each mutant is a source with one small fault, compiled alone and linked to the tests that
need no socket; one that the tests pass with has survived.

    mutants.py --build build/release [--seconds N] [--seed N] [--jobs N] [--all] [FILE...]

Without FILE: rules/ and what frames messages in the data plane. As many as the time allows, drawn by the seed (printed).
A survivor that changes nothing that can be seen, or that is let live for a reason, stands in docs/mutation.md.
"""

import argparse
import concurrent.futures
import glob
import json
import os
import random
import re
import shlex
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
FRAMING = ("message_head", "head_lines", "body_framing", "edit_head", "augmenter")
EXPLAINED = os.path.join(ROOT, "docs", "mutation.md")

# Binary operators stand between blanks, as clang-format writes them; a template's brackets and a `T&&` do not.
REPLACED = [
    (r" == ", [" != "]), (r" != ", [" == "]),
    (r" < ", [" <= ", " >= "]), (r" <= ", [" < ", " > "]), (r" > ", [" >= ", " <= "]), (r" >= ", [" > ", " < "]),
    (r" && ", [" || "]), (r" \|\| ", [" && "]),
    (r" \+ ", [" - "]), (r" - ", [" + "]), (r" \* ", [" / "]), (r" & ", [" | "]), (r" \| ", [" & "]),
    (r" \+= ", [" -= "]), (r" -= ", [" += "]),
    (r"\btrue\b", ["false"]), (r"\bfalse\b", ["true"]),
    (r"(?<![\w!])!(?=[\w(*:])", [""]),
    (r"\bmin\(", ["max("]), (r"\bmax\(", ["min("]),
    (r"(?<![\w.'\"])\d+(?=[uUlLz]*\b)(?![.\w]*['\"x])", ["+1"]),
]
CONDITION = re.compile(r"\b(if|while) \((?!constexpr)")
# A whole statement on a line of its own that calls or sets something.
STATEMENT = re.compile(r"^(\s+)((?:\+\+|--)?[a-z_][\w.\->\[\]:]*(?:\(.*\)| (?:[+\-|&*/]?=) .*|)(?:\+\+|--)?;)$")


def blanked(text):
    """The text with comments, strings, characters and preprocessor lines blanked, at the same places."""
    def blank(match):
        return re.sub(r"[^\n]", "\0", match[0])

    return re.sub(
        r'//[^\n]*|/\*.*?\*/|R"(\w*)\(.*?\)\1"|"(?:\\.|[^"\\\n])*"|(?<![0-9a-fA-F])\'(?:\\.|[^\'\\\n])+\'|^[ \t]*#[^\n]*',
        blank, text, flags=re.S | re.M,
    )


def closing(text, at):
    depth = 0
    for i in range(at, len(text)):
        depth += {"(": 1, ")": -1}.get(text[i], 0)
        if depth == 0:
            return i
    return None


def mutants_of(text):
    """(offset, end, replacement, what) for each."""
    seen = blanked(text)
    skipped = [m.span() for m in re.finditer(r"\bstatic_assert\(.*?\);|\btemplate <[^\n]*|^using [^\n]*|^\s*case .*?:", seen, re.S | re.M)]
    found = []
    for pattern, others in REPLACED:
        for match in re.finditer(pattern, seen):
            for other in others:
                if other == "+1":
                    other = str(int(match[0]) + 1)
                found.append((match.start(), match.end(), other, f"`{match[0].strip()}` -> `{other.strip() or 'nothing'}`"))
    for match in CONDITION.finditer(seen):
        end = closing(seen, match.end() - 1)
        if end is not None and ";" not in seen[match.end() : end]:
            found.append((match.end(), end, "!(" + text[match.end() : end] + ")", f"`{match[1]}` turned round"))
    at = 0
    for line in text.split("\n"):
        match = STATEMENT.match(seen[at : at + len(line)])
        if match and not re.match(r"\s+(return|using|co_return|break|continue|goto|throw|delete|else|do)\b", line) and not re.match(
            r"\s+(?:const |static |auto |std::\w+ \w|[\w:]+ \w+[;=({])", line
        ):
            found.append((at + len(match[1]), at + len(line), ";", "statement left out"))
        if re.match(r"\s+(break|continue);$", line):
            found.append((at + len(line) - len(line.lstrip()), at + len(line), ";", f"`{line.strip()}` left out"))
        at += len(line) + 1
    return [m for m in sorted(set(found)) if not any(a <= m[0] < b for a, b in skipped)]


class Target:
    """How one source is compiled, linked with the tests that concern it, and run."""

    limits = {}

    def __init__(self, source, build):
        self.source, self.build = source, build
        with open(os.path.join(build, "compile_commands.json"), encoding="utf-8") as file:
            commands = {os.path.relpath(c["file"], ROOT): c for c in json.load(file)}
        if source not in commands:
            sys.exit(f"mutants: {source} is not compiled by itself in {build}; a tree without batches is wanted (./dev clean)")
        words = shlex.split(commands[source]["command"])
        words = words[1:] if words[0].endswith("ccache") else words
        drop = {"-o", "-c", "-MF", "-MT"}
        self.compile = []
        for i, word in enumerate(words):
            if word in drop or (i and words[i - 1] in drop) or word in ("-MD", "-O3", "-Werror", "-D_FORTIFY_SOURCE=3") or word.startswith("-W"):
                continue
            self.compile.append(word)
        self.compile += ["-w", "-O0", "-U_FORTIFY_SOURCE", "-c"]
        self.program = "rules_tests" if source.startswith("rules/") else "proxy_tests"
        listed = subprocess.run(
            ["ninja", "-C", build, "-t", "commands", f"tests/{self.program}"], check=True, capture_output=True, text=True
        ).stdout.strip().split("\n")[-1]
        link = next(part for part in listed.split(" && ") if f"-o tests/{self.program}" in part)
        words = shlex.split(link)
        words = words[1:] if words[0].endswith("ccache") else words
        at = words.index("-o")
        del words[at : at + 2]
        tests = self.tests()
        keep = {f"{os.path.basename(t)}.o" for t in tests}
        self.link = [w for w in words if not w.endswith("_test.cpp.o") or os.path.basename(w) in keep]
        self.tests_used = sorted(tests)

    def tests(self):
        if self.program == "rules_tests":
            return glob.glob(f"{ROOT}/tests/rules/*_test.cpp")
        headers = [f'"{os.path.splitext(self.source)[0]}.hpp"']
        found = self.tests_that_include(headers)
        if not found: # nobody asks it directly: the tests of what uses it
            for path in glob.glob(f"{ROOT}/{os.path.dirname(self.source)}/*.cpp"):
                with open(path, encoding="utf-8") as file:
                    if headers[0] in file.read():
                        headers.append(f'"{os.path.relpath(os.path.splitext(path)[0], ROOT)}.hpp"')
            found = self.tests_that_include(headers)
        pure = [path for path, sockets in found if not sockets]
        return pure or [path for path, _ in found]

    @staticmethod
    def tests_that_include(headers):
        """(path, whether it needs sockets) for each."""
        found = []
        for path in glob.glob(f"{ROOT}/tests/proxy/*_test.cpp"):
            with open(path, encoding="utf-8") as file:
                text = file.read()
            if any(header in text for header in headers):
                found.append((path, "tests/harness/" in text))
        return found

    def time_limit(self):
        """Thrice what the tests take as they are, which must pass."""
        files = ",".join("*/" + os.path.basename(t) for t in self.tests_used)
        if (self.program, files) not in Target.limits:
            started = time.monotonic()
            command = [f"{self.build}/tests/{self.program}", f"--source-file={files}", "--no-version"]
            done = subprocess.run(command, cwd=self.build, capture_output=True, text=True, stdin=subprocess.DEVNULL)
            if done.returncode:
                sys.exit(f"mutants: {self.program} fails as it is:\n{done.stdout[-3000:]}")
            Target.limits[self.program, files] = 3 * (time.monotonic() - started) + 5
        return Target.limits[self.program, files]

    def run(self, text, seconds):
        """'died', 'survived', 'timeout' or 'stillborn' (it did not compile)."""
        with tempfile.TemporaryDirectory(prefix="mutant-") as folder:
            # Beside the real one for the sake of its own quoted includes.
            source = os.path.join(folder, os.path.basename(self.source))
            with open(source, "w", encoding="utf-8") as file:
                file.write(text)
            at = f"-I{os.path.dirname(os.path.join(ROOT, self.source))}"
            done = subprocess.run([*self.compile, at, source, "-o", f"{folder}/m.o"], cwd=self.build, capture_output=True, text=True)
            if done.returncode:
                return "stillborn", done.stderr
            first = next(i for i, w in enumerate(self.link) if w.endswith(".o"))
            link = [*self.link[:first], f"{folder}/m.o", *self.link[first:], "-o", f"{folder}/tests"]
            done = subprocess.run(link, cwd=self.build, capture_output=True, text=True)
            if done.returncode:
                return "stillborn", done.stderr
            # First the tests of its own name, which most mutants do not get past.
            stem = os.path.splitext(os.path.basename(self.source))[0]
            own = [f"--source-file=*/{stem}_test.cpp"] if any(t.endswith(f"/{stem}_test.cpp") for t in self.tests_used) else None
            others = [f"--source-file-exclude=*/{stem}_test.cpp"] if own else []
            for chosen in ([own] if own else []) + [others]:
                try:
                    done = subprocess.run(
                        [f"{folder}/tests", "--abort-after=1", "--no-version", *chosen], cwd=self.build, capture_output=True,
                        timeout=seconds, stdin=subprocess.DEVNULL,
                    )
                except subprocess.TimeoutExpired:
                    return "timeout", ""
                if done.returncode:
                    return "died", done.stdout.decode(errors="replace")[-2000:]
            return "survived", ""


def explained():
    """The table's rows in docs/mutation.md: | file | line | mutation | why |."""
    try:
        with open(EXPLAINED, encoding="utf-8") as file:
            rows = [re.split(r"(?<!\\)\|", line.strip()[1:-1]) for line in file if line.startswith("| ")]
    except FileNotFoundError:
        return set()
    clean = [[cell.strip().replace("\\|", "|") for cell in row] for row in rows]
    return {(row[0].strip("`"), row[1].strip("`"), row[2]) for row in clean if len(row) >= 4}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="*")
    parser.add_argument("--build", default="build/release")
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--all", action="store_true", help="every one, however long it takes")
    args = parser.parse_args()
    build = os.path.abspath(args.build)
    files = [os.path.relpath(os.path.abspath(f), ROOT) for f in args.files] or sorted(
        os.path.relpath(f, ROOT)
        for f in glob.glob(f"{ROOT}/rules/*.cpp") + [f"{ROOT}/proxy/data_plane/{stem}.cpp" for stem in FRAMING]
        if os.path.exists(f)
    )
    seed = args.seed if args.seed is not None else random.randrange(10**6)
    todo, texts, targets, limits = [], {}, {}, {}
    for name in files:
        with open(os.path.join(ROOT, name), encoding="utf-8") as file:
            texts[name] = file.read()
        targets[name] = Target(name, build)
        if not targets[name].tests_used:
            print(f"{name}: no test includes its header")
            continue
        limits[name] = targets[name].time_limit()
        todo += [(name, *mutant) for mutant in mutants_of(texts[name])]
    random.Random(seed).shuffle(todo)
    print(f"{len(todo)} mutants of {len(files)} files, seed {seed}", flush=True)

    known, counts, lines = explained(), {}, []
    deadline = float("inf") if args.all else time.monotonic() + args.seconds

    def judge(item):
        name, start, end, replacement, what = item
        if time.monotonic() > deadline:
            return item, None
        text = texts[name]
        return item, targets[name].run(text[:start] + replacement + text[end:], limits[name])[0]

    born = {name: None for name in limits}
    with concurrent.futures.ThreadPoolExecutor(args.jobs) as pool:
        for item, end in pool.map(judge, todo):
            if end is not None:
                born[item[0]] = born[item[0]] or end != "stillborn"
            if end is None or end == "stillborn":
                continue
            name, start, _, _, what = item
            number = texts[name].count("\n", 0, start) + 1
            line = texts[name].split("\n")[number - 1].strip()
            if end == "survived" and (name, line, what) in known:
                end = "explained"
            counts.setdefault(name, {}).setdefault(end, 0)
            counts[name][end] += 1
            if end == "survived":
                lines.append((name, number, what, line))
                print(f"survived: {name}:{number}: {what}: {line}", flush=True)

    def row(what, of):
        dead = of.get("died", 0) + of.get("timeout", 0)
        lived = of.get("survived", 0)
        print(f"{what:40} {dead + lived:5} {dead:6} {lived:9} {of.get('explained', 0):10} {100 * dead / max(1, dead + lived):7.1f} %")

    print(f"{'':40} tried   dead  survived  explained     dead")
    total = {}
    for name in sorted(counts):
        row(name, counts[name])
        for end, count in counts[name].items():
            total[end] = total.get(end, 0) + count
    row("all", total)
    for name in [name for name, any_born in born.items() if any_born is False]:
        print(f"{name}: no mutant of it compiled")
    os.makedirs("build", exist_ok=True)
    with open("build/mutants.txt", "w", encoding="utf-8") as out:
        for name, number, what, line in sorted(lines):
            escaped = line.replace("|", "\\|")
            out.write(f"| `{name}` | `{escaped}` | {what.replace('|', chr(92) + '|')} | {number} |\n")
    dead, lived = total.get("died", 0) + total.get("timeout", 0), total.get("survived", 0)
    print("the survivors as rows for docs/mutation.md: build/mutants.txt")
    sys.exit(0 if dead >= 9 * lived else 1)


if __name__ == "__main__":
    main()
