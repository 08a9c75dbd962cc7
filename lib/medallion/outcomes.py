"""What becomes of judged rows: which version of a key wins, against each other and against what is stored."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from medallion.check import Check
from medallion.conf import Expectation
from medallion.errors import CommitError
from medallion.expectations import judge
from medallion.tables import Silver

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

TERMS = ("written", "unchanged", "superseded", "quarantined", "waiting")
# A stored row that is written anew though it was not read: a child that its parent's winning version no longer has,
# a version whose interval has got another end.
ADJUSTED = "adjusted"
_OLD = "_old_"


@dataclass(frozen=True)
class Tally:
    """What one pass over the rows counted; ``displaced`` are stored rows that were taken before and no longer pass."""

    rows: Mapping[str, int]
    checks: list[Check]
    displaced: int
    adjusted: int
    score: float | None

    @property
    def rejected(self) -> int:
        """Rows that go to the quarantine."""
        return self.rows["quarantined"] + self.rows["waiting"]

    @property
    def total(self) -> int:
        """Rows that the commit writes."""
        return self.rows["written"] + self.adjusted


def among_themselves(table: Silver, rows: "DataFrame") -> "DataFrame":
    """Return judged rows with ``_outcome`` where they are all there is: the newest valid one of a key is written."""
    from pyspark.sql import functions as F

    kept = F.when(F.col("_is_winner"), "written").otherwise("superseded")
    outcome = F.when(is_valid(), kept).otherwise(F.col("_verdict"))
    return _ranked(table, rows).withColumns({"_outcome": outcome, "_displaced": F.lit(False)})


def against_stored(
    table: Silver, rows: "DataFrame", columns: Sequence[str], stored: "DataFrame", *, again: bool
) -> "DataFrame":
    """Return judged rows with ``_outcome``: what becomes of each, given the rows the table stores.

    ``again`` says that some records were judged before; only then are all columns compared.
    """
    from pyspark.sql import functions as F

    compared = columns if again or table.parent else [*table.key, *version_of(table), "_deleted"]
    old = stored.select([F.col(c).alias(_OLD + c) for c in dict.fromkeys(compared)])
    met = [F.col(c) == F.col(_OLD + c) for c in table.key]
    outcome = (
        F.when(~is_valid(), F.col("_verdict"))
        .when(~F.col("_is_winner"), "superseded")
        .otherwise(_winner_outcome(table, columns, compares=compared is columns))
    )
    was_taken = (F.col("_record_id") == F.col(_OLD + "_record_id")) & ~F.col(_OLD + "_deleted")
    displaced = F.lit(False) if table.parent else F.coalesce(~is_valid() & was_taken, F.lit(False))
    meeting = _ranked(table, rows).join(old, on=met, how="left")
    return meeting.withColumns({"_outcome": outcome, "_displaced": displaced}).drop(*old.columns)


def going(
    table: Silver, sorted_out: "DataFrame", columns: Sequence[str], stored: "DataFrame", parents: "DataFrame"
) -> "DataFrame":
    """Return tombstones for stored children of ``parents`` that the parents' winning versions no longer have."""
    from pyspark.sql import functions as F

    staying = sorted_out.where("_is_winner").select(*table.key)
    gone = (
        stored.where("NOT _deleted")
        .join(parents.select(*table.parent).distinct(), on=list(table.parent), how="semi")
        .join(staying, on=list(table.key), how="anti")
    )
    return gone.select(
        *[(F.lit(True) if c == "_deleted" else F.col(c)).alias(c) for c in columns],
        F.lit(ADJUSTED).alias("_outcome"),
        F.lit(False).alias("_displaced"),
    )


def count(table: Silver, rows: "DataFrame", rules: Sequence[Expectation]) -> Tally:
    """Count outcomes, and what each row rule was missed by, in one job; where some are, a second finds examples."""
    from pyspark.sql import functions as F

    is_row = F.col("_outcome") != ADJUSTED
    found = rows.agg(
        F.count_if(is_row).alias("read"),
        F.count_if(is_row & (F.size("_missed") > 0)).alias("missing"),
        F.count_if("_displaced").alias("displaced"),
        F.count_if(~is_row).alias("adjusted"),
        *[F.count_if(F.col("_outcome") == term).alias(term) for term in TERMS],
        *[F.count_if(_misses(rule)).alias(f"missed_{i}") for i, rule in enumerate(rules)],
    ).first()
    counts = found.asDict() if found else {}
    read = counts["read"]
    account = {"read": read, **{term: counts[term] for term in TERMS}}
    if read != sum(account[term] for term in TERMS):
        raise CommitError(f"{table.name}: rows unaccounted for before the commit: {account}")
    missed = {rule: counts[f"missed_{i}"] for i, rule in enumerate(rules)}
    shown = _shown(rows, [rule for rule in rules if missed[rule]])
    checks = [judge(rule, failed, read, shown.get(rule)) for rule, failed in missed.items()]
    score = round(100 * (1 - counts["missing"] / read), 2) if read else None
    return Tally(account, checks, counts["displaced"], counts["adjusted"], score)


def is_valid() -> "Column":
    """Tell whether a judged row is taken, if none of its key is newer."""
    from pyspark.sql import functions as F

    return F.col("_verdict") == "valid"


def version_of(table: Silver) -> tuple[str, ...]:
    """Return what orders the versions of a key, totally."""
    return (*table.sequence, "_record_id", "_ordinal")


def _ranked(table: Silver, rows: "DataFrame") -> "DataFrame":
    from pyspark.sql import Window
    from pyspark.sql import functions as F

    newest = Window.partitionBy(*table.key, is_valid()).orderBy([F.desc_nulls_last(c) for c in version_of(table)])
    return rows.withColumn("_is_winner", is_valid() & (F.row_number().over(newest) == 1))


def _winner_outcome(table: Silver, columns: Sequence[str], *, compares: bool) -> "Column":
    """Compare a winner with the stored row of its key; a newer version is written even if nothing else differs."""
    from pyspark.sql import functions as F

    def version(prefix: str) -> "Column":
        return F.struct(*[F.col(prefix + c).alias(c) for c in version_of(table)])

    is_new = F.col(_OLD + "_record_id").isNull()
    is_newer = version("") > version(_OLD)
    if not compares:
        return F.when(is_new | is_newer, "written").otherwise("superseded")
    same = F.lit(True)
    for column in columns:
        same = same & F.col(column).eqNullSafe(F.col(_OLD + column))
    if table.parent:  # its parent's winning version is the only one there is
        return F.when(is_new | ~same, "written").otherwise("unchanged")
    is_again = version("") == version(_OLD)
    return F.when(is_new | is_newer | (is_again & ~same), "written").when(is_again, "unchanged").otherwise("superseded")


def _misses(rule: Expectation) -> "Column":
    from pyspark.sql import functions as F

    return F.array_contains(F.col("_missed")["rule"], rule.label)


def _shown(rows: "DataFrame", rules: Sequence[Expectation]) -> dict[Expectation, str]:
    """Return for each rule what one of the rows that miss it has; asked only for rules that some miss."""
    from pyspark.sql import functions as F

    if not rules:
        return {}

    def found(label: str) -> "Column":
        return F.get(F.filter("_missed", lambda one: one["rule"] == label), F.lit(0))["found"]

    some = rows.where("size(_missed) > 0").agg(*[F.max(found(rule.label)) for rule in rules]).first()
    return dict(zip(rules, some or (), strict=True))
