"""Marts by affected keys: those of driving rows that changed, or whose lookups or children did, at the new versions."""

from typing import TYPE_CHECKING

from medallion.gold.patch import Patch, Work, union, with_gone
from medallion.held import Held, Keys, named
from medallion.tables import Mart

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


def patch(work: Work, table: Mart) -> Patch | None:
    """Recompute the rows of all keys that what changed upstream may have touched; None where there are none."""
    moved = {name: held for name in work.planned.changed if not (held := work.changes(name)).is_empty}
    driving, touched = _driving(work, table, moved)
    if touched.is_empty:
        return None
    beside = (*lookups(work, table, driving), *children(work, table, driving))
    made = table.function(driving.frame, *beside, **work.step.parameters())  # type: ignore[misc]
    rows = with_gone(touched.frame.select(*table.key), made, "left")
    changed = sum(held.count() for held in moved.values())
    return Patch(rows, touched, changed, "affected_keys")


def _driving(work: Work, table: Mart, moved: dict[str, Held]) -> tuple[Held, Keys]:
    """Return the driving rows to recompute, as they are now, and the keys that they and those that went have."""
    key = named(table.key)
    own = moved.get(table.driving)
    direct = own.keys(key) if own is not None else None
    found: list[DataFrame] = []
    for name, held in moved.items():
        if name == table.driving:
            continue
        keys = held.keys({f"k{at}": c for at, c in enumerate(_met_by(work, table, name))})
        if name in table.children:
            here = dict(zip(keys.columns, key_of(work, table.driving), strict=True))
            keys = _less(work, keys, direct, here, set(table.key))
            found += [] if keys.is_empty else [work.meeting(table.driving, keys, here)]
        else:
            found += using(work, table, name, keys)
    if own is not None and direct is not None:
        # Rows that changed themselves are at hand, as they are now.
        others = work.holder.hold(direct.without(union(found)).dropDuplicates(list(table.key))) if found else None
        if others is None or others.is_empty:
            return own.came(), direct
        driving = own.came().and_of(others)
        return driving, direct.and_of(others.keys(key))
    rows = union(found) if found else work.rows(table.driving).limit(0)
    driving = work.holder.hold(rows.dropDuplicates(list(table.key)) if len(found) > 1 else rows)
    return driving, driving.keys(key)


def _less(work: Work, keys: Keys, direct: Keys | None, here: dict[str, str], own: set[str]) -> Keys:
    """Return the keys that are not among those of rows that changed themselves."""
    if direct is None or set(here.values()) != own:
        return keys
    renamed = keys.frame.selectExpr(*[f"`{there}` AS `{column}`" for there, column in here.items()])
    left = work.holder.hold(direct.without(renamed))
    return left.keys(here)


def _met_by(work: Work, table: Mart, name: str) -> tuple[str, ...]:
    """Return the columns of an upstream table by which driving rows, or other lookups, meet it."""
    return table.meets(name) if name in table.children else key_of(work, name)


def using(work: Work, table: Mart, lookup: str, keys: Keys) -> "list[DataFrame]":
    """Return the driving rows that meet these keys of a lookup, by way of other lookups where it is one of theirs."""
    join = next(one for one in table.joins if one.table == lookup)
    found = work.meeting(join.of, keys, dict(zip(keys.columns, join.columns, strict=True)))
    if join.of == table.driving:
        return [found]
    above = work.holder.hold(found).keys({f"k{at}": column for at, column in enumerate(key_of(work, join.of))})
    return [] if above.is_empty else using(work, table, join.of, above)


def lookups(work: Work, table: Mart, driving: Held) -> "list[DataFrame]":
    """Return of each lookup the rows that driving rows meet."""
    held = {table.driving: driving}
    found = []
    further = {join.of for join in table.joins}
    for join in table.joins:
        keys = held[join.of].keys(dict(zip(key_of(work, join.table), join.columns, strict=True)))
        met = work.meeting(join.table, keys)
        if join.table in further:
            held[join.table] = work.holder.hold(met)
            met = held[join.table].frame
        found.append(met)
    return found


def children(work: Work, table: Mart, driving: Held) -> "list[DataFrame]":
    """Return of each child the rows that meet driving rows."""
    if not table.children:
        return []
    keys = driving.keys(named(table.key))
    own = key_of(work, table.driving)
    return [work.meeting(one, keys, dict(zip(own, table.meets(one), strict=True))) for one in table.children]


def key_of(work: Work, name: str) -> tuple[str, ...]:
    """Return the key of an upstream table; none for bronze."""
    key: tuple[str, ...] = getattr(work.step.run.tables[name], "key", ())
    return key
