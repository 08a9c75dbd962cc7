"""What becomes of judged rows: which version of a key wins, against each other and against what is stored."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from medallion.check import Check
from medallion.conf import Expectation
from medallion.errors import CommitError
from medallion.expectations import judge
from medallion.held import Held
from medallion.tables import Silver

if TYPE_CHECKING:
    import pyarrow as pa
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


def going(table: Silver, rows: "DataFrame", columns: Sequence[str], stored: "DataFrame") -> "DataFrame":
    """Return tombstones for children, all that are stored of some parents, that these no longer have by judged rows."""
    from pyspark.sql import functions as F

    staying = rows.where(is_valid()).select(*table.key)
    gone = stored.where("NOT _deleted").join(staying, on=list(table.key), how="anti")
    return gone.select(
        *[(F.lit(True) if c == "_deleted" else F.col(c)).alias(c) for c in columns],
        F.lit(ADJUSTED).alias("_outcome"),
        F.lit(False).alias("_displaced"),
    )


def count(table: Silver, rows: Held, rules: Sequence[Expectation]) -> Tally:
    """Count outcomes, and what each row rule was missed by: on the driver where the rows are there, else in one job."""
    labels = [rule.label for rule in rules]
    counts, shown = _counted_by_spark(rows.frame, labels) if rows.fetched is None else _counted(rows.fetched, labels)
    read = counts["read"]
    account = {"read": read, **{term: counts[term] for term in TERMS}}
    if read != sum(account[term] for term in TERMS):
        raise CommitError(f"{table.name}: rows unaccounted for before the commit: {account}")
    checks = [judge(rule, counts[f"missed_{i}"], read, shown.get(rule.label)) for i, rule in enumerate(rules)]
    score = round(100 * (1 - counts["missing"] / read), 2) if read else None
    return Tally(account, checks, counts["displaced"], counts["adjusted"], score)


def _counted(rows: "pa.Table", labels: Sequence[str]) -> tuple[dict[str, int], dict[str, str]]:
    """Return the counts of rows on the driver, and for each label what one of the rows that miss it has."""
    import pyarrow as pa
    import pyarrow.compute as pc

    outcomes = Counter(rows.column("_outcome").to_pylist())
    lists = rows.column("_missed")
    entries = pc.list_flatten(lists)
    missed = pa.table({name: pc.struct_field(entries, name) for name in ("rule", "found")})
    missed = missed.append_column("row", pc.list_parent_indices(lists))
    by_rule = missed.group_by("rule").aggregate([("row", "count_distinct"), ("found", "max")]).to_pylist()
    told = {one["rule"]: one for one in by_rule}
    counts = {
        "read": rows.num_rows - outcomes[ADJUSTED],
        "missing": len(missed.column("row").unique()),
        "displaced": pc.sum(rows.column("_displaced")).as_py() or 0,
        "adjusted": outcomes[ADJUSTED],
        **{term: outcomes[term] for term in TERMS},
        **{f"missed_{i}": told.get(label, {}).get("row_count_distinct", 0) for i, label in enumerate(labels)},
    }
    return counts, {label: told[label]["found_max"] for label in labels if label in told}


def _counted_by_spark(rows: "DataFrame", labels: Sequence[str]) -> tuple[dict[str, int], dict[str, str]]:
    """Do what `_counted` does in one job; where some rows miss a rule, a second finds examples."""
    from pyspark.sql import functions as F

    is_row = F.col("_outcome") != ADJUSTED
    found = rows.agg(
        F.count_if(is_row).alias("read"),
        F.count_if(is_row & (F.size("_missed") > 0)).alias("missing"),
        F.count_if("_displaced").alias("displaced"),
        F.count_if(~is_row).alias("adjusted"),
        *[F.count_if(F.col("_outcome") == term).alias(term) for term in TERMS],
        *[
            F.count_if(F.array_contains(F.col("_missed")["rule"], one)).alias(f"missed_{i}")
            for i, one in enumerate(labels)
        ],
    ).first()
    counts = found.asDict() if found else {}
    return counts, _shown(rows, [label for i, label in enumerate(labels) if counts[f"missed_{i}"]])


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


def _shown(rows: "DataFrame", labels: Sequence[str]) -> dict[str, str]:
    """Return for each label what one of the rows that miss it has; asked only for rules that some miss."""
    from pyspark.sql import functions as F

    if not labels:
        return {}

    def found(label: str) -> "Column":
        return F.get(F.filter("_missed", lambda one: one["rule"] == label), F.lit(0))["found"]

    some = rows.where("size(_missed) > 0").agg(*[F.max(found(label)) for label in labels]).first()
    return dict(zip(labels, some or (), strict=True))
