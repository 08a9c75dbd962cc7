"""Break things, count what held, and write docs/reliability.md's table: what `make reliability` does.

    python scripts/reliability.py                 all of it: more than an hour on two idle cores
    python scripts/reliability.py --only kills    one part; the others stay as they stand on the page

Tests count (tests/figures.py), this adds up: nothing in the table is typed by hand.
"""

import argparse
import datetime as dt
import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from reliability_table import ROWS, added_up, problems, standing, table

PROJECT = Path(__file__).resolve().parents[1]
PAGE = PROJECT / "docs" / "reliability.md"
FIGURES = PROJECT / "data" / "reliability"
BEGIN, END = "<!-- reliability: written by make reliability -->", "<!-- /reliability -->"
SOAK_SECONDS = "900"
# What takes part, and the tests that count for it; a part is run, and kept, as a whole.
PARTS = {
    "kills": ["tests/crash/test_kills.py"],
    "soak": ["tests/crash/test_soak.py"],
    "calls": ["tests/crash/test_every_call.py"],
    "writers": ["tests/crash/test_writers.py", "tests/lib/test_orphans.py", "tests/lib/test_commits.py"],
    "faults": ["tests/faults"],
    "inputs": ["tests/lib/test_record_formats.py", "tests/lib/test_receiver.py", "tests/security"],
    "orders": ["tests/lib/test_silver_properties.py", "tests/acceptance/test_arrival_orders.py"],
    "gold": ["tests/gold"],
    "audit": ["tests/lib/test_audit.py", "tests/lib/test_audit_breaks.py", "tests/lib/test_lost_history.py"],
}
LEFT_OUT = ["tests/acceptance/test_arrival_orders.py::test_any_order_of_all_days_gives_the_same_tables"]  # three hours


def main() -> int:
    """Run parts, write the page; 1 where a test failed or a figure is not as it must be."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="*", choices=list(PARTS), help="these parts; all if left out")
    parser.add_argument("--seconds", default=SOAK_SECONDS, help="how long random kills go on")
    parser.add_argument("--seed", default="", help="of the random kills; another each time if left out")
    given = parser.parse_args()
    FIGURES.mkdir(parents=True, exist_ok=True)
    failed = [part for part in given.only or PARTS if not _run(part, given.seconds, given.seed)]
    parts = {part: _read(part) for part in PARTS}
    wrong = _write(parts)
    for line in [*[f"{part}: tests failed, see above" for part in failed], *wrong]:
        sys.stderr.write(f"reliability: {line}\n")
    return 1 if failed or wrong else 0


def _run(part: str, seconds: str, seed: str) -> bool:
    """Run the tests of a part, and keep what they count; tell whether they passed."""
    lines, started = FIGURES / f"{part}.lines", time.monotonic()
    lines.unlink(missing_ok=True)
    variables = {"MEDALLION_FIGURES": str(lines), "MEDALLION_SOAK_SECONDS": seconds}
    if seed:
        variables["MEDALLION_SEED"] = seed
    results = FIGURES / f"{part}.xml"
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-m",
        "soak or not soak",
        "-q",
        "-rs",
        f"--junit-xml={results}",
        *PARTS[part],
    ]
    command += [f"--deselect={test}" for test in LEFT_OUT]
    code = subprocess.run(command, cwd=PROJECT, env={**os.environ, **variables}, check=False).returncode
    kept: dict[str, Any] = {
        "commit": _commit(),
        "at": dt.datetime.now(dt.UTC).isoformat(timespec="minutes"),
        "files": PARTS[part],
        "seconds": round(time.monotonic() - started),
        "passed": code == 0,
        "tests": _tests(results),
        "lines": [json.loads(line) for line in lines.read_text().splitlines()] if lines.exists() else [],
    }
    (FIGURES / f"{part}.json").write_text(json.dumps(kept, indent=1))
    return code == 0


def _tests(results: Path) -> dict[str, Any]:
    """Return how many tests a part had, and why which were skipped."""
    from xml.etree import ElementTree

    if not results.exists():
        return {"run": 0, "failed": [], "skipped": []}
    cases = list(ElementTree.parse(results).iter("testcase"))
    bad = [case.get("name") for case in cases if case.find("failure") is not None or case.find("error") is not None]
    skips = [(case.get("name"), skip.get("message")) for case in cases if (skip := case.find("skipped")) is not None]
    return {"run": len(cases) - len(skips), "failed": bad, "skipped": skips}


def _commit() -> str:
    def git(*words: str) -> str:
        return subprocess.run(["git", *words], cwd=PROJECT, capture_output=True, text=True, check=True).stdout.strip()

    changed = git("status", "--porcelain", "--", "lib", "tests", "scripts", "conf", "jobs")
    return git("rev-parse", "--short", "HEAD") + (" (changed)" if changed else "")


def _read(part: str) -> dict[str, Any] | None:
    try:
        kept: dict[str, Any] = json.loads((FIGURES / f"{part}.json").read_text())
        return kept
    except FileNotFoundError:
        return None


def _write(parts: Mapping[str, Mapping[str, Any] | None]) -> list[str]:
    """Write the table into the page; return what is not as it must be."""
    rows, page = added_up(parts.values()), PAGE.read_text()
    kept = standing(page, rows)
    wrong = [problem for row in ROWS if row.name not in kept for problem in problems(row, rows.get(row.name))]
    wrong += [line[2:] for line in page.splitlines() if line.startswith(tuple(f"- {name}: " for name in kept))]
    unknown = rows.keys() - {row.name for row in ROWS}
    wrong += [f"{name}: counted, but in no row" for name in sorted(unknown)]
    head, _, rest = page.partition(BEGIN)
    PAGE.write_text(f"{head}{BEGIN}\n\n{table(parts, rows, wrong, page)}\n\n{END}{rest.partition(END)[2]}")
    return wrong


if __name__ == "__main__":
    sys.exit(main())
