"""Aggregates by what changed: signed deltas for what adds up, touched groups recomputed for what does not.

The change feed's rows count with their sign. Per measure the cheapest way that is right:
- count, and sums of whole numbers and decimals: the stored value and the signed sum of what changed;
- min and max: the stored value and what came, unless a value that went was the stored one: then from the group's rows;
- count_distinct: for each value that changed, whether the group had it before, and has it now;
- percentiles, first, last, sums of floating point numbers: from the rows of groups in which a value changed.
"""

from functools import reduce
from typing import TYPE_CHECKING

from medallion.gold.patch import GONE, Patch, Work
from medallion.held import Held, Keys, named
from medallion.tables import ROWS, VALUES, Aggregate

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pyspark.sql import Column, DataFrame

_EXACT = ("tinyint", "smallint", "int", "bigint")


def grouped(table: Aggregate, rows: "DataFrame", measures: "Sequence[str] | None" = None) -> "DataFrame":
    """Return a table's measures by its dimensions, with what it stores beside them; or only some measures."""
    from pyspark.sql import functions as F

    dimensions = [F.expr(expression).alias(name) for name, expression in table.dimensions.items()]
    found = [
        F.expr(measure.sql).cast(table.columns[name][0]).alias(name)
        for name, measure in table.measures.items()
        if measures is None or name in measures
    ]
    beside = [F.expr(m.sql).alias(name) for name, m in table.kept.items()] if measures is None else []
    return counted(table, rows).groupBy(*dimensions).agg(*found, *beside)


def counted(table: Aggregate, rows: "DataFrame") -> "DataFrame":
    """Return the rows that a table counts."""
    return rows.where(table.where) if table.where else rows


def patch(work: Work, table: Aggregate) -> Patch | None:
    """Bring the groups that changed to what they come to now; None where none did."""
    signed = counted(table, work.images(table.reads))
    adds, others = _told_apart(table, signed)
    moved = work.holder.hold(_balance(table, signed, adds, others))
    if moved.is_empty:
        return None
    groups = moved.keys(named(table.key))
    joined = _joined(_by_group(table, moved, adds, others), work.stored(groups), table.key, "_old_")
    made, technique = _complete(work, table, moved, joined, others)
    return Patch(made, groups, moved.count(), technique)


def _told_apart(table: Aggregate, signed: "DataFrame") -> tuple[list[str], list[str]]:
    """Return the measures that signed deltas keep exact, and the others; by the types of their values."""
    types = dict(signed.selectExpr(*[f"{m.value} AS `{name}`" for name, m in table.measures.items()]).dtypes)
    adds = [
        name
        for name, measure in table.measures.items()
        if measure.kind in ("count", "count_if")
        or (measure.kind == "sum" and _is_exact(types[name], table.columns[name][0]))
    ]
    return adds, [name for name in table.measures if name not in adds]


def _is_exact(value: str, stored: str) -> bool:
    """Tell whether sums of values can be stored without rounding, so that adding to them stays exact."""
    if value in _EXACT:
        return stored in _EXACT or stored.startswith("decimal")
    return value.startswith("decimal") and stored.startswith("decimal") and _scale(value) <= _scale(stored)


def _scale(decimal: str) -> int:
    return int(decimal.replace(")", "").partition(",")[2] or 0)


def _balance(table: Aggregate, signed: "DataFrame", adds: "Sequence[str]", others: "Sequence[str]") -> "DataFrame":
    """Return what came or went on balance: by dimensions and the values of measures that do not add up.

    ``_net`` says how many rows more; measures that add up are signed sums.
    """
    from pyspark.sql import functions as F

    sign = F.col("_sign")
    dimensions = {name: F.expr(expression) for name, expression in table.dimensions.items()}
    values = {f"_v_{name}": F.expr(table.measures[name].value) for name in others}
    sums: dict[str, Column] = {"_net": F.sum(sign)}
    for name, measure in table.measures.items():
        value = F.expr(measure.value)
        values_more = F.sum(F.when(value.isNotNull(), sign).otherwise(0))
        if measure.kind == "sum":
            sums[VALUES + name] = values_more
        if name in adds:
            sums[name] = F.sum(F.when(sign > 0, value).otherwise(-value)) if measure.kind == "sum" else values_more
    groups = [column.alias(name) for name, column in {**dimensions, **values}.items()]
    kept = [F.coalesce(F.col(name), F.lit(0)) != 0 for name in sums]
    found = signed.groupBy(*groups).agg(*[column.alias(name) for name, column in sums.items()])
    return found.where(reduce(lambda a, b: a | b, kept))


def _by_group(table: Aggregate, moved: Held, adds: "Sequence[str]", others: "Sequence[str]") -> "DataFrame":
    """Return a row a touched group: signed sums, and of other measures what is needed to tell how they changed."""
    from pyspark.sql import functions as F

    if not others:
        return moved.frame.withColumnRenamed("_net", f"_d_{ROWS}").withColumnsRenamed(
            {name: f"_d_{name}" for name in moved.frame.columns if name not in (*table.key, "_net")}
        )
    summed = [F.sum(name).alias(f"_d_{name}") for name in moved.frame.columns if name in adds or VALUES in name]
    told: list[Column] = []
    for name in others:
        value, net = F.col(f"_v_{name}"), F.col("_net")
        kind = table.measures[name].kind
        if kind in ("min", "max"):
            call = F.min if kind == "min" else F.max
            told.append(call(F.when(net > 0, value)).alias(f"_came_{name}"))
            told.append(call(F.when(net < 0, value)).alias(f"_went_{name}"))
        else:
            told.append(F.max(value.isNotNull() & (net != 0)).alias(f"_moved_{name}"))
    return moved.frame.groupBy(*table.key).agg(F.sum("_net").alias(f"_d_{ROWS}"), *summed, *told)


def _complete(
    work: Work, table: Aggregate, moved: Held, joined: "DataFrame", others: "Sequence[str]"
) -> "tuple[DataFrame, str]":
    """Return the rows to write, as the table stores them, and the technique that made them."""
    from pyspark.sql import functions as F

    kinds = {name: table.measures[name].kind for name in others}
    held = work.holder.hold(joined) if others else None
    rows = held.frame if held is not None else joined
    again = {name: _has_to_be_looked_at(name, kinds[name]) for name in others if kinds[name] != "count_distinct"}
    now = {name: _added(table, name) for name in table.measures if name not in others}
    for name, kind in kinds.items():
        now[name] = F.col(f"_old_{name}")
        if kind in ("min", "max"):
            better = F.least if kind == "min" else F.greatest
            now[name] = better(f"_old_{name}", f"_came_{name}")
    looked = False
    if again and held is not None:
        touched = work.holder.hold(rows.where(reduce(lambda a, b: a | b, again.values())).select(*table.key))
        if not touched.is_empty:
            looked = True
            keys = touched.keys(named(table.key))
            rows = _joined(rows, grouped(table, _meeting(work, table, keys, {}), list(again)), table.key)
            for name, needed in again.items():
                now[name] = F.when(needed, F.col(f"_new_{name}")).otherwise(now[name])
    for name in (name for name in others if kinds[name] == "count_distinct"):
        found = _more_values(work, table, moved, name)
        now[name] = F.coalesce(F.col(f"_old_{name}"), F.lit(0))
        if found is not None:
            looked = True
            rows = _joined(rows, found, table.key)
            now[name] = now[name] + F.coalesce(F.col(f"_new_{name}"), F.lit(0))
    columns = [column.cast(table.columns[name][0]).alias(name) for name, column in now.items()]
    kept = [_plus(name).cast("bigint").alias(name) for name in table.kept]
    made = rows.select(*table.key, *columns, *kept)
    return made.withColumn(GONE, F.col(ROWS) == 0), "affected_groups" if looked else "signed_delta"


def _plus(name: str) -> "Column":
    from pyspark.sql import functions as F

    return F.coalesce(F.col(f"_old_{name}"), F.lit(0)) + F.coalesce(F.col(f"_d_{name}"), F.lit(0))


def _added(table: Aggregate, name: str) -> "Column":
    """Return what a measure that adds up comes to: a sum of no values is null."""
    from pyspark.sql import functions as F

    total = _plus(name)
    return F.when(_plus(VALUES + name) > 0, total) if table.measures[name].kind == "sum" else total


def _has_to_be_looked_at(name: str, kind: str) -> "Column":
    """Tell of which groups a measure has to be computed from their rows."""
    from pyspark.sql import functions as F

    if kind not in ("min", "max"):
        return F.col(f"_moved_{name}")
    went, came, old = F.col(f"_went_{name}"), F.col(f"_came_{name}"), F.col(f"_old_{name}")
    beaten = came <= went if kind == "min" else came >= went
    return went.isNotNull() & ~F.coalesce(beaten, F.lit(False)) & went.eqNullSafe(old)


def _more_values(work: Work, table: Aggregate, moved: Held, name: str) -> "DataFrame | None":
    """Return by how many different values groups have more, or less, than before; None where no value moved."""
    from pyspark.sql import functions as F

    value = f"_v_{name}"
    net = moved.frame.where(F.col(value).isNotNull()).groupBy(*table.key, value).agg(F.sum("_net").alias("_net"))
    pairs = work.holder.hold(net.where("_net <> 0"))
    if pairs.is_empty:
        return None
    keys = pairs.keys(named((*table.key, value)))
    dimensions = [F.expr(expression).alias(column) for column, expression in table.dimensions.items()]
    here = _meeting(work, table, keys, {value: table.measures[name].value})
    rows = here.groupBy(*dimensions, F.expr(table.measures[name].value).alias(value)).agg(F.count("*").alias("now"))
    both = _joined(pairs.frame, rows, (*table.key, value))
    now = F.coalesce("_new_now", F.lit(0))
    more = (now > 0).cast("int") - (now - F.col("_net") > 0).cast("int")
    return both.groupBy(*table.key).agg(F.sum(more).alias(name))


def _meeting(work: Work, table: Aggregate, keys: Keys, also: "Mapping[str, str]") -> "DataFrame":
    """Return the rows of the table read, as they are now, that belong to groups."""
    return counted(table, work.meeting(table.reads, keys, {**table.dimensions, **also}))


def _joined(rows: "DataFrame", found: "DataFrame", key: "Sequence[str]", prefix: str = "_new_") -> "DataFrame":
    """Return rows with what was found of their key, nulls meeting nulls, under names with a prefix."""
    from pyspark.sql import functions as F

    other = found.select([F.col(column).alias(prefix + column) for column in found.columns])
    met = [F.col(column).eqNullSafe(F.col(prefix + column)) for column in key]
    joined = rows.join(other, reduce(lambda a, b: a & b, met), "left")
    return joined.drop(*[prefix + column for column in key])
