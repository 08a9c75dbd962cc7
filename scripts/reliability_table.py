"""The table of docs/reliability.md: its rows, what was counted for each, and what of it is not as it must be."""

import os
import platform
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import takewhile
from typing import Any

Part = Mapping[str, Any]  # what a run of some tests left: commit, at, seconds, tests, and the lines that they counted


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
        "Incremental equals full",
        "Histories of changes by any writer, and refreshes by what changed, against full ones",
        (),
        "200, all equal",
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


def added_up(parts: Iterable[Part | None]) -> dict[str, Found]:
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


def standing(page: str, counted: Mapping[str, Found]) -> dict[str, str]:
    """Return the lines of a page's table whose rows were not counted anew, by row."""
    lines = page.splitlines()
    found = {row.name: next((one for one in lines if one.startswith(f"| {row.told} |")), "") for row in ROWS}
    return {name: line for name, line in found.items() if line and name not in counted and "| not run |" not in line}


def problems(row: Row, found: Found | None) -> list[str]:
    """Return what of a row is not as it must be; one that was not counted is such, too."""
    if found is None or not any(found.counts.values()):
        return [f"{row.name}: not counted"]
    counts = found.counts
    told = [f"{row.name}: {counts[name]} {_words(name)}" for name in row.nought if counts[name]]
    for name, wholes in _ALL_OF.items():
        whole = next((one for one in wholes if one in counts), None)
        if name in counts and whole and counts[name] != counts[whole]:
            told.append(f"{row.name}: {counts[name]} {_words(name)} of {counts[whole]} {_words(whole)}")
    return told + [f"{row.name}: not seen without: {what}" for what, red in found.controls.items() if not red]


def table(parts: Mapping[str, Part | None], rows: Mapping[str, Found], wrong: Iterable[str], page: str = "") -> str:
    """Return the table with what stands around it, in Markdown; what was not run stays as it stands in a ``page``."""
    known = standing(page, rows)
    told = [f"`make reliability`, {os.cpu_count()} cores, Python {platform.python_version()}, {platform.system()}.", ""]
    told += [
        "| what is tried | figures | aim | with a protection left out | commit |",
        "| --- | --- | --- | --- | --- |",
    ]
    for row in ROWS:
        if row.name in known:
            told.append(known[row.name])
            continue
        found = rows.get(row.name, Found())
        figures = ", ".join(f"{count:,} {_words(name)}" for name, count in found.counts.items()) or "not run"
        figures += "".join(f", seed {seed}" for seed in found.seeds)
        red = sum(found.controls.values())
        controls = f"{red} of {len(found.controls)} red: {'; '.join(found.controls)}" if found.controls else ""
        told.append(f"| {row.told} | {figures} | {row.aim} | {controls} | {', '.join(sorted(found.commits))} |")
    told += ["", "Parts, and what they were run with:", ""]
    for name, part in parts.items():
        if part is None:
            told += _of_part(page, name) or [f"- {name}: not run"]
            continue
        tests, how = part["tests"], f"{part['seconds'] // 60} min, {part['at']}, `{' '.join(part['files'])}`"
        told.append(
            f"- {name}: {tests['run']} tests, {len(tests['failed'])} failed, {len(tests['skipped'])} skipped; {how}"
        )
        told += [f"  - skipped: {test}: {why}" for test, why in tests["skipped"]]
        told += [f"  - failed: {test}" for test in tests["failed"]]
    if lines := list(wrong):
        told += ["", "**Not as it should be:**", "", *[f"- {line}" for line in lines]]
    return "\n".join(told)


def _of_part(page: str, name: str) -> list[str]:
    """Return the lines of a page that tell of a part."""
    found = page.splitlines()
    began = next((at for at, line in enumerate(found) if line.startswith(f"- {name}: ")), len(found))
    return [*found[began : began + 1], *takewhile(lambda line: line.startswith("  - "), found[began + 1 :])]


def _words(name: str) -> str:
    return name.replace("_", " ")
