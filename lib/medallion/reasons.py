"""Why rows stand in quarantine, or wait: the reasons by how many rows they hold back, each with an example."""

from dataclasses import dataclass

from medallion import query
from medallion.quarantine import name_of
from medallion.step import Run
from medallion.tables import Silver

# A row that cannot be read misses other rules as well; it is counted once, where it came to grief.
_FIRST_REASON = """
WITH missed AS (
    SELECT "_record_id", "_ordinal", "_delivery", "_position", landing_file,
        coalesce(payload, "row") AS record, unnest(reasons) AS one
    FROM t WHERE outcome = 'quarantined'
), ranked AS (
    SELECT *, one['rule'] AS rule, one['found'] AS found, row_number() OVER (
        PARTITION BY "_record_id", "_ordinal" ORDER BY one['rule'] <> 'readable', one['rule'], one['found']
    ) AS place
    FROM missed WHERE one['rule'] NOT IN ({harmless})
)
SELECT rule, CASE WHEN rule = 'readable' THEN split_part(found, ':', 1) ELSE '' END AS kind, count(*) AS rows,
    {examples}
FROM ranked WHERE place = 1 GROUP BY 1, 2
"""
_WAITING = """
SELECT split_part(waits_for, ' for ', 1) AS lookup, count(*) AS rows, min(waits_for) AS example
FROM t WHERE outcome = 'waiting' GROUP BY 1
"""
_EXAMPLE = ("found", "_delivery", "landing_file", "_position", "record")


@dataclass(frozen=True)
class Reason:
    """How many rows of a table's quarantine have one reason, and an example: what was found, and where."""

    table: str
    rule: str
    rows: int
    found: str
    delivery: int
    landing_file: str | None
    position: int
    record: str

    @property
    def text(self) -> str:
        """The reason in words: what could not be read, or the rule and what was found instead."""
        if self.rule == "readable":
            return self.found
        return self.rule if self.found == "null" else f"{self.rule}, found '{self.found}'"


@dataclass(frozen=True)
class Wait:
    """How many rows of a table wait for the same looked-up table, and an example of what they look for there."""

    table: str
    lookup: str
    rows: int
    example: str


def waits(run: Run) -> list[Wait]:
    """Return what rows of the pipeline wait for now, the most frequent first."""
    found = [
        Wait(name, row["lookup"], row["rows"], row["example"].partition(" for ")[2])
        for name, table in run.tables.items()
        if isinstance(table, Silver) and run.lake.exists(name_of(table))
        for row in query.select(run.lake.path(name_of(table)), _WAITING)
    ]
    return sorted(found, key=lambda wait: (-wait.rows, wait.table, wait.lookup))


def quarantine_reasons(run: Run) -> list[Reason]:
    """Return why rows of the pipeline are in quarantine now, the most frequent reason first.

    Each row counts for one reason only; rows that merely wait for a lookup count for none.
    """
    found = [reason for table in run.tables.values() if isinstance(table, Silver) for reason in _of(run, table)]
    return sorted(found, key=lambda reason: (-reason.rows, reason.table, reason.text))


def _of(run: Run, table: Silver) -> list[Reason]:
    name = name_of(table)
    if not run.lake.exists(name):
        return []
    warnings = [e.label.replace("'", "''") for e in run.conf.expectations(table.name) if e.severity == "warn"]
    harmless = ", ".join(f"'{label}'" for label in ["", *warnings])
    examples = ", ".join(f'first_value("{c}" ORDER BY "_delivery", "_position") AS "{c}"' for c in _EXAMPLE)
    rows = query.select(run.lake.path(name), _FIRST_REASON.format(harmless=harmless, examples=examples))
    return [
        Reason(
            table.name, row["rule"], row["rows"], row["found"] or "null", row["_delivery"],
            row["landing_file"], row["_position"], row["record"],
        )
        for row in rows
    ]  # fmt: skip
