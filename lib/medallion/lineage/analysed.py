"""The one door to analysed plans: transforms are given frames without rows, and Catalyst tells what it made of them.

Only a classic session tells; no Spark job is started, and no table is read.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from medallion import curate
from medallion.bronze import COLUMNS as BRONZE_COLUMNS
from medallion.bronze import TYPES as BRONZE_TYPES
from medallion.conf import Expectation
from medallion.expectations import columns_of, row_rules
from medallion.gold import aggregate
from medallion.lineage.plans import INPUT, Relation, deciding, relation
from medallion.lineage.value import Sources, Value, together
from medallion.step import Run, parameters
from medallion.tables import CARRIED, Aggregate, Bronze, Silver, Table, backquoted

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

_TECHNICAL = {
    **{"_record_id": "string", "_delivery": "bigint", "_position": "bigint"},
    **{"_ordinal": "int", "_deleted": "boolean"},
}


def relation_of(run: Run, session: "SparkSession", table: Table) -> Relation:
    """Return what the columns of a silver or gold table are made of, and what decides which rows it has.

    Fields are those of the tables that it reads, technical ones of silver and gold left out. Raises what the transform
    does with frames without rows.
    """
    given = parameters(run, table)

    def frame(name: str) -> "DataFrame":
        return _without_rows(session, run.tables[name])

    if isinstance(table, Silver):
        return _of_silver(table, frame, given, run.conf.expectations(table.name))
    if isinstance(table, Aggregate):
        rows = aggregate.grouped(table, frame(table.reads))
    else:
        rows = table.function(*[frame(name) for name in table.inputs], **given)  # type: ignore[misc]
    made = _analysed(rows)
    return Relation([one for one in made.columns if one.name in table.columns], _told(made.rows))


def _of_silver(
    table: Silver, frame: "Callable[[str], DataFrame]", given: Mapping[str, Any], expectations: tuple[Expectation, ...]
) -> Relation:
    records = frame(table.reads)
    alive = records.where("NOT _deleted") if table.parent else records
    lookups = {lookup.table: frame(lookup.table) for lookup in table.lookups}
    rows = curate.looked_up(curate.rows_of(table, alive, given), table.lookups, lookups)
    if table.enrichment is not None:
        rows = curate.enriched(table, rows, given)
    made = _analysed(rows)
    values = {one.name: one.value for one in made.columns}
    kept = together(made.rows, *_keeping(table, values, expectations))
    return Relation([one for one in made.columns if one.name in table.columns], _told(kept))


def _keeping(table: Silver, values: Mapping[str, Value], expectations: tuple[Expectation, ...]) -> Iterator[Sources]:
    """Yield what the engine goes by: one row a key, that of the greatest sequence; what is rejected is none."""
    yield deciding([values[name] for name in table.key], "GROUP_BY")
    yield deciding([values[name] for name in table.sequence if name not in CARRIED], "SORT")
    rejecting = [rule for rule in row_rules(expectations) if rule.severity in ("quarantine", "fail")]
    looked_at = {name for rule in rejecting for name in columns_of(rule, list(table.columns))}
    yield deciding([values[name] for name in ("_problems", *sorted(looked_at)) if name in values], "FILTER")


def _told(rows: Sources) -> Sources:
    """Return of what decides on rows that which a reader knows: no marks of the engine's own."""
    return {f: hows for f, hows in rows.items() if f.table.split(".")[1] == "bronze" or not f.column.startswith("_")}


def _without_rows(session: "SparkSession", table: Table) -> "DataFrame":
    """Return a frame that stands for a table as transforms are given it."""
    if isinstance(table, Bronze):
        columns = {name: BRONZE_TYPES.get(name, "string") for name in BRONZE_COLUMNS if name != "_problem"}
    else:
        columns = {name: type_ for name, (type_, _) in table.columns.items()}
    if isinstance(table, Silver):
        columns |= _TECHNICAL
    nulls = [f"CAST(NULL AS {type_}) AS {backquoted(name)}" for name, type_ in columns.items()]
    return session.range(0).selectExpr(*nulls).alias(INPUT + table.name)


def _analysed(rows: "DataFrame") -> Relation:
    return relation(rows._jdf.queryExecution().analyzed().toJSON())
