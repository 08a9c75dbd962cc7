"""Rows made anew from the payloads that a walk found, and nothing else, and held against what is stored."""

from typing import TYPE_CHECKING

from medallion import curate, gate, gold, kept, planner, silver
from medallion.compare import differences
from medallion.errors import HistoryError
from medallion.held import named
from medallion.step import Run, Step
from medallion.tables import Bronze, Silver
from medallion.trace.walk import Part, Place, Walk, as_of

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession


def verify(run: Run, session: "SparkSession", walk: Walk) -> list[str]:
    """Return in what the traced rows differ from those made of the traced payloads alone, a line a key.

    Raises HistoryError where a definition on the way has changed since, or records are gone: then no row can be made
    anew.
    """
    changed = [part.name for part in walk.parts if not _is_as_defined(run, part)]
    if changed:
        raise HistoryError(
            f"{walk.root.name}: cannot be made anew: the definition of {', '.join(sorted(set(changed)))} has changed "
            "since; check out the code and conf of that time, or run the pipeline and trace the new version"
        )
    _require_records(run, walk)
    made: dict[Place, DataFrame] = {}
    for part in reversed(walk.parts):
        made[part.place] = _made(run, session, part, {up.name: made[up.place] for up in walk.above(part).values()})
    table, held = walk.root.table, walk.root.held
    if isinstance(table, Bronze):
        return []
    anew = held.keys(named(table.key)).meeting(gate.public(table, made[walk.root.place]))
    return differences(anew.select(*table.columns), held.frame.select(*table.columns), table.key)


def _require_records(run: Run, walk: Walk) -> None:
    """Raise HistoryError where rows on the way were made of records that bronze has let go of (`keep_rows`)."""
    for part in walk.parts:
        table = part.table
        if not isinstance(table, Silver) or table.parent or part.held.is_empty:
            continue
        bronze, records = run.lake.state(table.reads), walk.above(part).get(table.reads)
        through = kept.removed_through(bronze) if bronze else 0
        if not through or records is None:
            continue
        old = part.held.frame.where(f"_delivery <= {through}")
        gone = old.join(records.held.frame.select("_record_id"), on="_record_id", how="anti").count()
        if gone:
            raise HistoryError(
                f"{walk.root.name}: cannot be made anew: {gone} rows of {part.name} were made of records of deliveries "
                f"up to {through}, which {table.reads} has let go of (keep_rows)"
            )


def _is_as_defined(run: Run, part: Part) -> bool:
    account = part.state.account
    if isinstance(part.table, Bronze) or account is None:
        return True
    return planner.fingerprint_of(as_of(run, part.state), part.table) == account.fingerprint


def _made(run: Run, session: "SparkSession", part: Part, above: "dict[str, DataFrame]") -> "DataFrame":
    """Return the rows of a part's table that come of rows of the tables above, as they would be stored."""
    table = part.table
    if isinstance(table, Bronze) or not above:
        return part.held.frame
    step = Step(as_of(run, part.state), table, lambda: session)
    if not isinstance(table, Silver):
        return gold.made_of(step, table, above)
    lookups = {lookup.table: above[lookup.table] for lookup in table.lookups}
    rows = curate.curated(table, above[table.reads], lookups, step.parameters(), gate.expectations_of(step))
    written = silver.of_all(table, rows).where("_outcome = 'written'")
    return written.select(*curate.contract(table, rows))
