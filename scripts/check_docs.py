#!/usr/bin/env python3
"""No comment, message or document names what a clone does not have.

Of every tracked text file: Markdown links and their anchors lead somewhere; each document that is mentioned is there,
and so is the section of docs/behaviour.md that is cited with it; no word of papers or places outside.
"""

import os
import re
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
SKIPPED = re.compile(r"^(tests/fuzz/corpus/|tests/\w+/corpus/|docs/.*\.(png|svg)$)|\.(png|svg|ico|gz|zst|tgz)$")
# Written in pieces, so that this file does not name them.
OUTSIDE = re.compile(r"\b(" + "|".join(("SP" "EC", "DES" "IGN", "DATA" "PLANE")) + r")\b|\bBE" r"AST\.md\b|/wo" r"rk/")
LINK = re.compile(r"(?<!\\)\[[^\]\n]*\]\(([^()\s]+)\)")
MENTION = re.compile(r"(?<![\w/.*{<-])((?:[\w.-]+/)*[\w-]+\.md)\b(?:,? (?:section )?(\d+(?:\.\d+)*)(?![\w%]))?")
CITATION = re.compile(r"((?:docs/)?behaviour\.md) (\d+(?:\.\d+)?(?:, \d+(?:\.\d+)?)*)")


def tracked():
    """Where this is no clone: all that is there, but for what was built."""
    listed = subprocess.run(
        ["git", "-C", ROOT, "ls-files", "-z", "--cached", "--others", "--exclude-standard"], capture_output=True, check=False
    )
    if listed.returncode == 0:
        names = listed.stdout.decode().split("\0")
    else:
        every = (os.path.join(folder, name) for folder, _, files in os.walk(ROOT) for name in files)
        names = [name for name in (os.path.relpath(path, ROOT) for path in every) if not name.startswith(("build/", ".git/"))]
    return [name for name in names if name and os.path.isfile(os.path.join(ROOT, name))]


def anchor_of(heading):
    """As GitHub makes them."""
    text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).strip().lower()
    return re.sub(r"[^\w\- ]", "", text).replace(" ", "-")


def anchors(path):
    found, fenced, counts = set(), False, {}
    with open(path, encoding="utf-8") as file:
        for line in file:
            if line.startswith("```"):
                fenced = not fenced
            elif not fenced and line.startswith("#"):
                anchor = anchor_of(line.lstrip("#"))
                count = counts.get(anchor, 0)
                counts[anchor] = count + 1
                found.add(f"{anchor}-{count}" if count else anchor)
            found.update(re.findall(r'<a (?:id|name)="([^"]+)"', line))
    return found


def sections(path):
    """The numbers that a document's headings and numbered items have: `## 2. ...`, and below it `7. ...` is 2.7."""
    found, chapter = set(), None
    with open(path, encoding="utf-8") as file:
        for line in file:
            if heading := re.match(r"#+ (\d+)(?:\.(\d+))?\.? ", line):
                chapter = heading[1]
                found.add(chapter if heading[2] is None else f"{chapter}.{heading[2]}")
            elif chapter and (item := re.match(r"(\d+)\. ", line)):
                found.add(f"{chapter}.{item[1]}")
    return found


def check(names):
    there = set(names)
    basenames = {os.path.basename(name) for name in names}
    numbered = {name: sections(os.path.join(ROOT, name)) for name in names if name.endswith("behaviour.md")}
    for name in names:
        if SKIPPED.search(name):
            continue
        try:
            with open(os.path.join(ROOT, name), encoding="utf-8") as file:
                lines = file.read().split("\n")
        except UnicodeDecodeError:
            continue
        folder = os.path.dirname(name)
        fenced = False
        for number, line in enumerate(lines, 1):
            def bad(what):
                return f"{name}:{number}: {what}"

            for word in OUTSIDE.finditer(line):
                yield bad(f"'{word[0]}' is nothing that a clone has")
            if name.endswith(".md"):
                if line.lstrip().startswith("```"):
                    fenced = not fenced
                for link in LINK.finditer(line) if not fenced else ():
                    target, _, anchor = link[1].partition("#")
                    if re.match(r"[a-z]+:", target):
                        continue
                    path = os.path.normpath(os.path.join(folder, target)) if target else name
                    if not os.path.exists(os.path.join(ROOT, path)):
                        yield bad(f"the link leads nowhere: {link[1]}")
                    elif anchor and path.endswith(".md") and anchor not in anchors(os.path.join(ROOT, path)):
                        yield bad(f"no heading there: {link[1]}")
            for mention in MENTION.finditer(line):
                path = mention[1]
                if path.startswith("build/") or (not name.endswith(".md") and re.fullmatch(r"[a-z_]+\.md", path)):
                    continue  # what a program writes
                if "://" in line[max(0, mention.start() - 60) : mention.start()].rsplit(" ", 1)[-1]:
                    continue
                if path not in there and os.path.normpath(os.path.join(folder, path)) not in there and not (
                    "/" not in path and path in basenames
                ):
                    yield bad(f"no such document: {path}")
            for cited in CITATION.finditer(line):
                for path, known in numbered.items():
                    for section in cited[2].split(", "):
                        if section not in known:
                            yield bad(f"{path} has no section {section}")


def main():
    names = tracked()
    found = list(check(names))
    print("\n".join(found) if found else f"{len(names)} files name only what is there")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
