#!/usr/bin/env python3
"""What readiness costs and how fresh it is (`dev readiness`): freshness, the delay while large snapshots are replaced,
a fleet's polls. Prints a table of each and writes them to build/bench/readiness.md. On a busy machine the figures say
less: the load average stands with them."""

import argparse
import os
import platform
import sys
import time
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parent), str(Path(__file__).resolve().parent.parent)]
import fleet
import freshness
import scale
from proxies import Field

MEASURES = {"freshness": freshness, "scale": scale, "fleet": fleet}


def main():
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--build", type=Path, required=True, help="the folder of the bench_ programs")
    options.add_argument("--out", type=Path, default=Path("build/bench"))
    options.add_argument("--quick", action="store_true", help="a first look")
    options.add_argument("measure", nargs="*", choices=[*MEASURES, []], help="all if none is named")
    chosen = options.parse_args()
    chosen.out.mkdir(parents=True, exist_ok=True)
    field = Field(chosen.build.resolve(), chosen.out.resolve(), os.sched_getaffinity(0))
    pages = [f"{platform.machine()}, {len(field.all_cores)} cores, Linux {platform.release()}, nothing pinned"]
    print(pages[0], flush=True)
    try:
        for name in chosen.measure or MEASURES:
            load, began = os.getloadavg()[0], time.monotonic()
            title, rows = MEASURES[name].run(field, chosen.quick)
            pages.append(f"\n**{name}.** {title}; load average before {load:.1f}, took {time.monotonic() - began:.0f} s\n\n{rows}")
            print(pages[-1], flush=True)
    finally:
        field.stop_all()
    (chosen.out / "readiness.md").write_text("\n".join(pages) + "\n")


if __name__ == "__main__":
    main()
