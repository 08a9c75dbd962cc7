"""What differs between two versions of a table, or as two runs left it: counts, examples, and why."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from medallion.conf import Conf
from medallion.output import counted
from medallion.session import Sessions
from medallion.trace import difference
from medallion.trace.versions import named_version, state_at
from medallion.views.at_hand import prepared, session_of
from medallion.views.show import cell

if TYPE_CHECKING:
    from pyspark.sql import DataFrame
    from rich.console import Console

_EXAMPLES = 5  # of each kind
_EXPLAINED = 3  # rows of which it is looked up why they differ
_RECORDS = 3  # that are shown for a row


@dataclass(frozen=True)
class Row:
    """One key that differs: ``columns`` pairs each that does with its values before and after; None where not there."""

    kind: str
    key: dict[str, Any]
    columns: dict[str, tuple[Any, Any]]
    why: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Diff:
    """What differs between two versions of a table, and examples."""

    table: str
    before: int
    after: int
    counts: dict[str, int]
    rows: list[Row]

    def facts(self) -> dict[str, Any]:
        """Return what `--json` prints."""
        return asdict(self)

    def render(self, console: "Console") -> None:
        """Print counts, then examples."""
        _render(self, console)


@dataclass(frozen=True)
class Question:
    """Which two versions of a table, each by its number or a run; ``why`` looks at what their rows are made of.

    ``file`` gets all rows that differ, as CSV.
    """

    table: str
    before: str
    after: str
    why: bool = False
    file: Path | None = None


def of(conf: Conf, asked: Question, sessions: Sessions | None = None) -> Diff:
    """Compare two versions; with Spark of ``sessions``, or one that ends with the call.

    Raises ConfError where there is no such table, version or run, HistoryError where one is gone.
    """
    run = prepared(conf, asked.table)
    table = run.tables[asked.table]
    versions = [named_version(run, asked.table, one) for one in (asked.before, asked.after)]
    before, after = (state_at(run.lake, asked.table, version) for version in versions)
    with session_of(conf, sessions) as session:
        found = difference.between(run, session, before, after).persist()
        told = dict.fromkeys(difference.KINDS, 0) | {
            row["_kind"]: row["count"] for row in found.groupBy("_kind").count().collect()
        }
        rows = [_row(one, list(table.columns), table.key) for one in _examples(found, table.key)]  # type: ignore[union-attr]
        if asked.why:
            for row in rows[:_EXPLAINED]:
                row.why.extend(_why(difference.cause(run, session, before, after, row.key)))
        if asked.file is not None:
            found.toPandas().to_csv(asked.file, index=False)
        found.unpersist()
    return Diff(asked.table, before.version, after.version, told, rows)


def _examples(found: "DataFrame", key: tuple[str, ...]) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for kind in difference.KINDS:
        side = "_was_" if kind == "removed" else "_is_"
        some = found.where(f"_kind = '{kind}'").orderBy(*[side + column for column in key]).limit(_EXAMPLES)
        rows += some.toArrow().to_pylist()
    return rows


def _row(found: Mapping[str, Any], columns: list[str], key: tuple[str, ...]) -> Row:
    kind = found["_kind"]
    side = "_was_" if kind == "removed" else "_is_"
    values = {c: (found[f"_was_{c}"], found[f"_is_{c}"]) for c in columns if c not in key}
    return Row(kind, {c: found[side + c] for c in key}, {c: both for c, both in values.items() if both[0] != both[1]})


def _why(cause: difference.Cause) -> list[str]:
    told = [f"the definition of {name} changed" for name in cause.redefined]
    for sign, records in (("+", cause.came), ("-", cause.went)):
        told += [_record(sign, row) for row in records[:_RECORDS]]
        if len(records) > _RECORDS:
            told.append(f"{sign} {counted(len(records) - _RECORDS, 'more records')}")
    return told or ["made of the same records by the same definitions: a lookup's day or the run's date moved"]


def _record(sign: str, row: Mapping[str, Any]) -> str:
    place = f"{row['_landing_file']} row {row['_position']}, received {cell(row['_received_at'], None)}"
    return f"{sign} {row['table']} {row['_record_id'][:12]} ({place}): {cell(row['payload'], 100)}"


def _render(diff: Diff, console: "Console") -> None:
    from rich.text import Text

    console.print(Text(f"{diff.table}, version {diff.before} to {diff.after}: ", style="bold"), end="")
    console.print(Text(", ".join(f"{diff.counts[kind]:,} {kind}" for kind in difference.KINDS)))
    styles = {"added": "green", "removed": "red", "changed": "yellow"}
    for row in diff.rows:
        line = Text(f"{row.kind:8}", style=styles[row.kind])
        line.append("  ".join(f"{column}={cell(value, 40)}" for column, value in row.key.items()), style="default")
        console.print(line)
        for column, (was, now) in row.columns.items():
            both = {"added": cell(now, 60), "removed": cell(was, 60)}.get(
                row.kind, f"{cell(was, 40)} -> {cell(now, 40)}"
            )
            console.print(Text(f"          {column}: {both}"))
        for reason in row.why:
            console.print(Text(f"          {reason}", style="dim"))
    for kind in difference.KINDS:
        shown = sum(row.kind == kind for row in diff.rows)
        if diff.counts[kind] > shown:
            console.print(Text(f"and {diff.counts[kind] - shown:,} more {kind} (--csv writes all)", style="dim"))
