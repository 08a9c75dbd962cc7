"""Silver's core, in DataFrames: from bronze records to rows with an outcome each.

New records, records whose lookups changed, waiting and replayed ones only differ in how they are chosen.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from medallion.conf import Expectation
from medallion.errors import ContractError, some
from medallion.expectations import columns_of, found, misses, row_rules
from medallion.tables import CARRIED, INTERVAL, Lookup, Silver

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

TECHNICAL = (*CARRIED, "_ordinal", "_deleted")
_REASON = "struct<rule:string,found:string>"
_READABLE = "readable"  # the rule that a field which was given can be read


def rows_of(table: Silver, records: "DataFrame", given: Mapping[str, Any]) -> "DataFrame":
    """Return the rows that a table's transform makes of records, with what the engine adds to each.

    Records that cannot be parsed become one row each, with only a problem. Raises ContractError where the
    transform drops what it has to carry.
    """
    from pyspark.sql import functions as F

    readable = records.where("_problem IS NULL") if "_problem" in records.columns else records
    rows: DataFrame = table.function(readable, **_taken(table.function, given))  # type: ignore[misc]
    lacking = [column for column in CARRIED if column not in rows.columns]
    if lacking:
        raise ContractError(f"{table.name}: its transform drops {some(lacking)}; wanted *CARRIED in its last select")
    none = F.array().cast("array<string>")
    rows = rows.withColumns(
        {
            "_ordinal": F.col("_ordinal") if "_ordinal" in rows.columns else F.lit(0),
            "_problems": F.coalesce("_problems", none) if "_problems" in rows.columns else none,
            "_deleted": F.coalesce(table.deleted, F.lit(False)) if table.deleted else F.lit(False),
        }
    )
    if table.deleted and table.deleted not in table.columns:
        rows = rows.drop(table.deleted)
    if "_problem" not in records.columns:
        return rows
    broken = records.where("_problem IS NOT NULL").select(
        *CARRIED,
        F.lit(0).alias("_ordinal"),
        F.array("_problem").alias("_problems"),
        F.lit(False).alias("_deleted"),
    )
    return rows.unionByName(broken, allowMissingColumns=True)


def curated(
    table: Silver,
    records: "DataFrame",
    lookups: Mapping[str, "DataFrame"],
    given: Mapping[str, Any],
    expectations: Sequence[Expectation],
) -> "DataFrame":
    """Return the judged rows that a table's transform and lookups make of records."""
    alive = records.where("NOT _deleted") if table.parent else records
    return judged(table, looked_up(rows_of(table, alive, given), table.lookups, lookups), given, expectations)


def looked_up(rows: "DataFrame", lookups: Sequence[Lookup], tables: Mapping[str, "DataFrame"]) -> "DataFrame":
    """Return rows with the columns their lookups give, and in ``_waits_for`` what they lack."""
    from pyspark.sql import functions as F

    waits: list[Column] = []
    for number, lookup in enumerate(lookups):
        flag = f"_met_{number}"
        own = {**lookup.on, **({lookup.as_of[0]: "_day"} if lookup.as_of else {})}
        side = _side(lookup, tables[lookup.table]).withColumn(flag, F.lit(True))
        met = [F.col(mine) == F.col(f"_side_{theirs}") for mine, theirs in own.items()]
        rows = rows.join(side, on=met, how="left").drop(*[f"_side_{theirs}" for theirs in own.values()])
        wanted = F.concat_ws(", ", *[F.concat(F.lit(f"{m}="), F.col(m).cast("string")) for m in own])
        needs = _all([F.col(mine).isNotNull() for mine in own])
        waits.append(F.when(needs & F.col(flag).isNull(), F.concat(F.lit(f"{lookup.table} for "), wanted)))
    rows = rows.withColumn("_waits_for", F.concat_ws("; ", *waits) if waits else F.lit(""))
    return rows.drop(*[f"_met_{number}" for number in range(len(lookups))])


def enriched(table: Silver, rows: "DataFrame", given: Mapping[str, Any]) -> "DataFrame":
    """Return rows with what a table's enrichment makes of their lookups' columns; the same ones where it has none."""
    if table.enrichment is None:
        return rows
    completed: DataFrame = table.enrichment(rows, **_taken(table.enrichment, given))
    return completed


def may_meet(lookup: Lookup, *, own: str = "", theirs: str = "") -> "Column":
    """Return the condition that rows meet by a lookup, columns under prefixes; of an as-of one all within its days."""
    from pyspark.sql import functions as F

    met = [F.col(own + mine) == F.col(theirs + other) for mine, other in lookup.on.items()]
    if lookup.as_of:
        day, since = F.col(own + lookup.as_of[0]), F.col(theirs + lookup.as_of[1])
        met += [day >= since, day <= F.date_add(since, lookup.within_days)]
    return _all(met)


def _side(lookup: Lookup, table: "DataFrame") -> "DataFrame":
    """Return the looked-up table with one row for each thing to meet; as-of rows are spread over their days."""
    from pyspark.sql import Window
    from pyspark.sql import functions as F

    columns = [F.col(theirs).alias(f"_side_{theirs}") for theirs in lookup.on.values()]
    columns += [F.col(theirs).alias(mine) for theirs, mine in lookup.take.items()]
    if lookup.as_of is None:
        return table.select(*columns)
    date = lookup.as_of[1]
    following = F.lead(date).over(Window.partitionBy(*lookup.on.values()).orderBy(date))
    last = F.date_add(date, lookup.within_days)
    until = F.least(last, F.coalesce(F.date_sub(following, 1), last))
    spread = table.where(F.col(date).isNotNull()).withColumn("_until", until)
    return spread.select(*columns, F.explode(F.sequence(date, "_until")).alias("_side__day"))


def judged(
    table: Silver, rows: "DataFrame", given: Mapping[str, Any], expectations: Sequence[Expectation]
) -> "DataFrame":
    """Return completed rows with ``_missed`` (what they miss, with what was found) and ``_verdict``.

    A row is quarantined, else waiting, else valid; what only lookups and enrichment can tell is asked of
    rows that lack nothing. Tombstones need no more than a key and a sequence.
    """
    from pyspark.sql import functions as F

    rules = row_rules(expectations)
    known = list(table.columns)
    own = set(rows.columns) - {name for lookup in table.lookups for name in lookup.take.values()}
    early = [e for e in rules if set(columns_of(e, known)) <= own]
    late = [e for e in rules if e not in early]
    problems = F.transform("_problems", lambda problem: _reason(_READABLE, problem))
    told = F.when(F.size("_problems") > 0, problems).otherwise(_missed((), known))
    rows = rows.withColumns({"_gaps": _gaps(table), "_early": F.concat(told, _missed(early, known))})
    rows = enriched(table, rows, given)
    waits = F.col("_waits_for") != ""
    rows = rows.withColumn("_late", F.when(waits, _missed((), known)).otherwise(_missed(late, known)))
    rejecting = [_READABLE, *(rule.label for rule in rules if rule.severity == "quarantine")]
    verdict = (
        F.when(F.size("_gaps") > 0, "quarantined")
        .when(F.col("_deleted"), "valid")
        .when(_any_of("_early", rejecting), "quarantined")
        .when(waits, "waiting")
        .when(_any_of("_late", rejecting), "quarantined")
        .otherwise("valid")
    )
    missed = F.when(F.col("_deleted"), F.col("_gaps")).otherwise(F.concat("_gaps", "_early", "_late"))
    return rows.withColumns({"_verdict": verdict, "_missed": missed}).drop("_gaps", "_early", "_late")


def contract(table: Silver, rows: "DataFrame") -> list[str]:
    """Return the columns that are stored, in order; raises ContractError where they are not as declared."""
    types = {field.name: field.dataType.simpleString() for field in rows.schema.fields}
    check_columns(table.name, table.columns, types)
    interval = INTERVAL if table.keeps_versions else ()
    return [*table.columns, *interval, *TECHNICAL, *(name for name in rows.columns if name.startswith("_lookup_"))]


def check_columns(name: str, columns: Mapping[str, tuple[str, str]], types: Mapping[str, str]) -> None:
    """Raise ContractError where a transform's columns and types differ from the declared ones."""
    wrong = [
        f"{column}: found {types.get(column, 'nothing')}, wanted {wanted}"
        for column, (wanted, _) in columns.items()
        if _canonical(types.get(column, "")) != _canonical(wanted)
    ]
    surplus = [column for column in types if column not in columns and not column.startswith("_")]
    wrong += [f"{column}: not declared" for column in surplus]
    if wrong:
        raise ContractError(f"{name}: its rows are not as declared: {some(wrong)}")


def _canonical(type_: str) -> str:
    return type_.lower().replace(" ", "").replace("integer", "int").replace("long", "bigint")


def _taken(function: Any, given: Mapping[str, Any]) -> dict[str, Any]:
    import inspect

    return {name: value for name, value in given.items() if name in inspect.signature(function).parameters}


def _gaps(table: Silver) -> "Column":
    """Return the reasons of a row without a key or a place in the order of versions."""
    from pyspark.sql import functions as F

    from medallion.parse import compact

    needed = dict.fromkeys((*table.key, *(s for s in table.sequence if s not in CARRIED)))
    gaps = [F.when(F.col(c).isNull(), _reason(f"not_null({c})", F.lit("null"))) for c in needed]
    return compact(*gaps, of=_REASON)


def _any_of(missed: str, labels: Sequence[str]) -> "Column":
    from pyspark.sql import functions as F

    return F.arrays_overlap(F.col(missed)["rule"], F.array(*[F.lit(label) for label in labels]))


def _missed(rules: Sequence[Expectation], columns: Sequence[str]) -> "Column":
    from pyspark.sql import functions as F

    from medallion.parse import compact

    return compact(*[F.when(misses(rule), _reason(rule.label, found(rule, columns))) for rule in rules], of=_REASON)


def _reason(rule: str, shown: "Column") -> "Column":
    from pyspark.sql import functions as F

    return F.struct(F.lit(rule).alias("rule"), shown.alias("found"))


def _all(conditions: Sequence["Column"]) -> "Column":
    result = conditions[0]
    for condition in conditions[1:]:
        result = result & condition
    return result
