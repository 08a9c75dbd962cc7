"""What the records of runs tell: tables that failed, expectations that were not met, and how quality went."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from math import sqrt
from statistics import median
from typing import Any

from medallion import query
from medallion.conf import Conf
from medallion.conf.expectation import TIME_RULES
from medallion.errors import EXAMPLES
from medallion.health.found import Score, Trouble, command
from medallion.lake import Lake
from medallion.output import counted
from medallion.tables import layer_of
from medallion.views.names import quarantine_of
from medallion.volume import OUTLIER, deviation

Scored = Sequence[tuple[float, int]]  # scores, newest first, each of how many rows

BEFORE = 20  # refreshes that a score is held against
_LEAST = 5
_LONGEST = 400  # letters of an error that are told
_NEWEST = """
SELECT "_delivery", landing_file, "_position", count(*) OVER () AS rows FROM t
WHERE outcome = 'quarantined' AND run_id = (SELECT max(run_id) FROM t)
ORDER BY "_delivery" DESC, "_position" LIMIT {most}
"""


def failures(conf: Conf, steps: Sequence[Mapping[str, Any]], checks: Sequence[Mapping[str, Any]]) -> Iterator[Trouble]:
    """Yield each table whose newest step failed; those that wait for one are counted with the first."""
    blocked = [step["table"] for step in steps if step["status"] == "blocked"]
    for number, step in enumerate(step for step in steps if step["status"] == "failed"):
        missed = [one for one in checks if one["run_id"] == step["run_id"] and one["table"] == step["table"]]
        missed = [one for one in missed if not one["passed"] and one["severity"] != "warn"]
        what = _without_rows(str(step["error"] or step["reason"]).removeprefix(f"{step['table']}: "), missed)
        what, _, accepting = what.partition("; where it is right all the same: ")
        table = step["table"].partition(".")[2]
        again = f"run {conf.name}" + (f" --table {table}" if table and not blocked else "")
        if blocked and not number:
            what += f"; {counted(len(blocked), 'tables')} behind it wait"
        rows = max((one["failed"] for one in missed), default=None)
        following = command(conf, again)
        if accepting:
            look = command(conf, f"history {step['table']}")
            following = f"{look}; if it is right: {command(conf, accepting.strip('`').removeprefix('medallion '))}"
        yield Trouble("red", step["table"], _short(what), following, "failure", "run", rows)


def missed(conf: Conf, checks: Sequence[Mapping[str, Any]]) -> Iterator[Trouble]:
    """Yield expectations that only warn, and were not met when their table was last judged; those of time at rest."""
    for one in checks:
        rule = next((e for e in conf.expectations(one["table"]) if e.label == one["label"]), None)
        if one["severity"] == "warn" and not one["passed"] and not (rule and rule.rule in TIME_RULES):
            most = f"; at most {100 * rule.tolerance:g} % may" if rule and rule.tolerance else ""
            what = f"{one['label']}: {one['failed']:,} of {one['total']:,} rows miss it{most}"
            look = command(conf, f"history {one['table']}")
            yield Trouble("warn", one["table"], what, look, "anomaly", one["label"], one["failed"])


def scores(told: Mapping[str, Scored]) -> list[Score]:
    """Return how quality went, a table each."""
    found = {name: [score for score, _ in of_table] for name, of_table in told.items()}
    return [
        Score(table, values[0], round(median(values[1:]), 2) if values[1:] else None, len(values))
        for table, values in sorted(found.items())
    ]


def least_score(before: Sequence[float], rows: int) -> float:
    """Return the least score, 0 to 100, of so many rows that is as usual, given those before it.

    Median less 3.5 median absolute deviations (as of volumes, Iglewicz and Hoaglin, 1993), and at least less 3.5
    deviations of a share of so many rows, by Laplace's rule of succession, and a point.
    """
    middle = median(before)
    share = (middle / 100 * rows + 1) / (rows + 2)
    by_chance = 100 * sqrt(share * (1 - share) / max(rows, 1))
    return middle - max(OUTLIER * max(deviation(before), by_chance), 1.0)


def fallen(conf: Conf, lake: Lake, told: Mapping[str, Scored]) -> Iterator[Trouble]:
    """Yield tables whose newest score is far below those of their last refreshes."""
    for table, of_table in told.items():
        (last, read), before = of_table[0], [score for score, _ in of_table[1:]]
        if len(before) < _LEAST or last >= (least := least_score(before, read)):
            continue
        what = f"quality score {last:.2f}; wanted at least {least:.2f}: the last {len(before)} refreshes"
        name = quarantine_of(table)
        held = _held(lake, name) if layer_of(table) == "silver" else []
        following = command(conf, f"history {table}")
        if held:
            again = command(conf, f"replay {conf.name} --table {table.partition('.')[2]}")
            following = f"{command(conf, f'show {name}')}; after a fix: {again}"
        rows = held[0]["rows"] if held else None
        yield Trouble("warn", table, what, following, "anomaly", "score", rows, [_place(one) for one in held])


def _held(lake: Lake, name: str) -> list[dict[str, Any]]:
    """Return where the first rows came from that the newest judgement put into a quarantine, and how many there are."""
    if not lake.exists(name):
        return []
    return query.select(lake.path(name), _NEWEST.format(most=EXAMPLES))


def _place(row: Mapping[str, Any]) -> str:
    file = (row["landing_file"] or "").rpartition("/")[2]
    return f"delivery {row['_delivery']}" + (f", {file}" if file else "") + f", record {row['_position']}"


def _without_rows(told: str, checks: Sequence[Mapping[str, Any]]) -> str:
    """Return an error without the examples that it gives of rows: an alert leaves the house."""
    for one in checks:
        if one["example"]:
            told = told.replace(f", e.g. {one['example']}", "")
    return told


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _LONGEST else line[: _LONGEST - 3] + "..."


def began(run: Mapping[str, Any] | None) -> str | None:
    """Return when a run began, as text."""
    at: datetime | None = run["started_at"] if run else None
    return at.isoformat(timespec="seconds") if at else None
