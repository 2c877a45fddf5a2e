#!/usr/bin/env python3
"""What the tests that failed printed, from the JUnit file that ctest has written."""
import pathlib
import sys
import xml.etree.ElementTree as xml

MOST_LINES = 60

file = pathlib.Path(sys.argv[1])
try:
    suite = xml.parse(file).getroot()
except (OSError, xml.ParseError) as error:
    sys.exit(f"   | {file}: {error}")
for case in suite.iter("testcase"):
    if case.get("status") != "fail":
        continue
    said = (case.findtext("system-out") or "").strip().splitlines()
    print(f"   | -- {case.get('name')} printed:")
    if len(said) > MOST_LINES:
        print(f"   |    ({len(said) - MOST_LINES} lines before these)")
    print("\n".join(f"   |    {line}" for line in said[-MOST_LINES:]))
