"""Derived tables by touched partition: those in which a row of a table read came or went, recomputed as a whole."""

from medallion.gold.patch import Patch, Work, union, with_gone
from medallion.held import named
from medallion.tables import Derived


def patch(work: Work, table: Derived) -> Patch | None:
    """Recompute the partitions that what changed upstream touched; None where it touched none."""
    moved = {name: held for name in work.planned.changed if not (held := work.changes(name)).is_empty}
    if not moved:
        return None
    partitions = [f"{expression} AS `{name}`" for name, expression in table.partition.items()]
    places = union(held.frame.selectExpr(*partitions) for held in moved.values())
    touched = work.holder.hold(places.distinct()).keys(named(list(table.partition)))
    inputs = [work.meeting(name, touched, table.partition) for name in table.reads]
    made = table.function(*inputs, **work.step.parameters())  # type: ignore[misc]
    rows = work.holder.hold(with_gone(work.stored(touched).select(*table.key), made, "full"))
    changed = sum(held.count() for held in moved.values())
    return Patch(rows.frame, rows.keys(named(table.key)), changed, "affected_groups")
