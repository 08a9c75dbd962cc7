"""Break things, count what held, and write docs/reliability.md's table: what `make reliability` does.

    python scripts/reliability.py                 all of it: more than an hour on two idle cores
    python scripts/reliability.py --only kills    one part; the others keep figures and commit of their last run

Tests count (tests/figures.py), this adds up: nothing in the table is typed by hand.
"""

import argparse
import datetime as dt
import json
import os
import platform
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

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
    "audit": ["tests/lib/test_audit.py", "tests/lib/test_audit_breaks.py", "tests/lib/test_lost_history.py"],
}
LEFT_OUT = ["tests/acceptance/test_arrival_orders.py::test_any_order_of_all_days_gives_the_same_tables"]  # three hours
Counts = Mapping[str, int]


@dataclass(frozen=True)
class Row:
    """A row of the table: what its tests call it, what it says, which counts must be nought, and what is aimed at."""

    name: str
    told: str
    nought: tuple[str, ...]
    aim: str


ROWS = [
    Row("crash points", "Points at which a run, a receiver or a sync is killed, each once a day and stage", (), "all"),
    Row(
        "kills at points",
        "`kill -9` of the process group there; then at most three tries to finish the day",
        ("lost", "twice", "stuck", "other"),
        "with the two below 300, nothing lost, twice or stuck",
    ),
    Row("random kills", "Random days, killed at random points and moments", ("lost", "twice", "stuck", "other"), ""),
    Row(
        "kills at every call", "Killed before each call that changes a file: landing, inbox, caches", (), "all survived"
    ),
    Row("errors at every call", "The same calls fail, before or after they took effect", (), "all survived"),
    Row(
        "log entries by several processes",
        "Two processes at Delta's own log store, each held between its look and its rename",
        ("lost",),
        "none lost",
    ),
    Row(
        "commits by eight processes",
        "Eight drivers append 50 times each to one table",
        ("lost", "twice"),
        "8 writers, 50 commits each, none lost",
    ),
    Row("holders that were killed", "A writer is killed, its Spark goes on", ("wrote_later",), "none writes later"),
    Row(
        "answers lost",
        "A commit lands or not, its answer never comes",
        ("lost", "doubled"),
        "100, none lost or doubled",
    ),
    Row(
        "history that is gone",
        "Logs that forgot, feeds that were off, files and commits that are gone",
        (),
        "all noticed",
    ),
    Row(
        "storage faults",
        "Full and read-only disks; logs and files cut, emptied, garbled, flipped",
        ("silent",),
        "none silent",
    ),
    Row(
        "dependency faults",
        "PostgreSQL and Spark's processes killed; services that hang, drip, cut, answer half",
        ("silent",),
        "none silent",
    ),
    Row(
        "bad inputs",
        "Payloads and files that are cut, deep, large, mis-encoded, unsigned, replayed",
        ("unaccounted",),
        "none unaccounted",
    ),
    Row(
        "injection",
        "Strings that are code somewhere, as names, conf, payloads, queries",
        ("executed", "unaccounted"),
        "none executed",
    ),
    Row("path traversal", "Names and archive members that lead elsewhere", ("outside",), "none outside"),
    Row("routes", "Every route of every server, without a signature", ("unexpected",), "none unexpected"),
    Row(
        "arrival orders",
        "Orders and splits of the same records, against one batch or a fold in plain Python",
        (),
        "all equal",
    ),
    Row(
        "corruptions",
        "Corruptions planted in a lake, for `medallion audit` to find",
        ("false_alarms",),
        "40, all found, no false alarm",
    ),
]
# Counts that must be as many as another one.
_ALL_OF = {
    "survived": ("reached", "kills", "calls"),
    "reached": ("registered",),
    "held": ("tried",),
    "equal": ("tried",),
    "found": ("planted",),
}


@dataclass
class Found:
    """What was counted for a row, which controls were red, by which seeds, and at which commit."""

    counts: Counter[str] = field(default_factory=Counter)
    controls: dict[str, bool] = field(default_factory=dict)
    seeds: list[int] = field(default_factory=list)
    commits: set[str] = field(default_factory=set)


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


def added_up(parts: Iterable[Mapping[str, Any] | None]) -> dict[str, Found]:
    """Return what was counted for each row, over all parts."""
    rows: dict[str, Found] = {}
    for part in parts:
        for line in part["lines"] if part else ():
            found = rows.setdefault(line["row"], Found())
            found.commits.add(part["commit"] if part else "")
            found.counts.update(line.get("counts", {}))
            if "control" in line:
                found.controls[line["control"]] = line["red"]
            if "seed" in line:
                found.seeds.append(line["seed"])
    return rows


def problems(row: Row, found: Found | None) -> list[str]:
    """Return what of a row is not as it must be; one that was not counted is such, too."""
    if found is None or not found.counts:
        return [f"{row.name}: not counted"]
    counts = found.counts
    told = [f"{row.name}: {counts[name]} {_words(name)}" for name in row.nought if counts[name]]
    for name, wholes in _ALL_OF.items():
        whole = next((one for one in wholes if one in counts), None)
        if name in counts and whole and counts[name] != counts[whole]:
            told.append(f"{row.name}: {counts[name]} {_words(name)} of {counts[whole]} {_words(whole)}")
    return told + [f"{row.name}: not seen without: {what}" for what, red in found.controls.items() if not red]


def _write(parts: Mapping[str, Mapping[str, Any] | None]) -> list[str]:
    """Write the table into the page; return what is not as it must be."""
    rows = added_up(parts.values())
    wrong = [problem for row in ROWS for problem in problems(row, rows.get(row.name))]
    unknown = rows.keys() - {row.name for row in ROWS}
    wrong += [f"{name}: counted, but in no row" for name in sorted(unknown)]
    head, _, rest = PAGE.read_text().partition(BEGIN)
    PAGE.write_text(f"{head}{BEGIN}\n\n{table(parts, rows, wrong)}\n\n{END}{rest.partition(END)[2]}")
    return wrong


def table(parts: Mapping[str, Mapping[str, Any] | None], rows: Mapping[str, Found], wrong: Iterable[str]) -> str:
    """Return the table with what stands around it, in Markdown."""
    told = [f"`make reliability`, {os.cpu_count()} cores, Python {platform.python_version()}, {platform.system()}.", ""]
    told += [
        "| what is tried | figures | aim | with a protection left out | commit |",
        "| --- | --- | --- | --- | --- |",
    ]
    for row in ROWS:
        found = rows.get(row.name, Found())
        figures = ", ".join(f"{count:,} {_words(name)}" for name, count in found.counts.items()) or "not run"
        figures += "".join(f", seed {seed}" for seed in found.seeds)
        red = sum(found.controls.values())
        controls = f"{red} of {len(found.controls)} red: {'; '.join(found.controls)}" if found.controls else ""
        told.append(f"| {row.told} | {figures} | {row.aim} | {controls} | {', '.join(sorted(found.commits))} |")
    told += ["", "Parts, and what they were run with:", ""]
    for name, part in parts.items():
        if part is None:
            told.append(f"- {name}: not run")
            continue
        tests, how = part["tests"], f"{part['seconds'] // 60} min, {part['at']}, `{' '.join(PARTS[name])}`"
        told.append(
            f"- {name}: {tests['run']} tests, {len(tests['failed'])} failed, {len(tests['skipped'])} skipped; {how}"
        )
        told += [f"  - skipped: {test}: {why}" for test, why in tests["skipped"]]
        told += [f"  - failed: {test}" for test in tests["failed"]]
    if lines := list(wrong):
        told += ["", "**Not as it should be:**", "", *[f"- {line}" for line in lines]]
    return "\n".join(told)


def _words(name: str) -> str:
    return name.replace("_", " ")


if __name__ == "__main__":
    sys.exit(main())
