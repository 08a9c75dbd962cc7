"""What a bronze table has of the records that come: asked of the table, and remembered of what a run appends."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from medallion import gate
from medallion.conf import Source
from medallion.lake import State
from medallion.session import from_arrow
from medallion.step import Step

if TYPE_CHECKING:
    import pyarrow as pa

    from medallion.records.identity import Seen

# Identities remembered, of some 300 bytes each; with more the table is asked again, which reads all of its identities.
MOST = 1_000_000


class Stored:
    """The identities of a table, for the appends of one run.

    They are looked up for events only: a record of an extract is another one than any before. What the run itself
    has appended is not looked up: a first load in many batches would read all that it has written before each.
    """

    def __init__(self, step: Step, source: Source) -> None:
        self._step, self._source = step, source
        self._seen: Seen | None = None  # what was met of the table as asked, and what was appended since
        self._asked: State | None = None

    def sort_out(self, records: "pa.Table", state: State | None) -> tuple["pa.Table", int]:
        """Return the records that are news to a table that is at ``state``, and how many it has; see `Seen.sort_out`.

        What is news counts as stored from now on.
        """
        from medallion.records.identity import Seen

        if self._source.delivers != "events":
            return Seen().sort_out(records)
        if self._seen is None or not self._is_known(state) or self._seen.count() > MOST:
            self._seen, self._asked = Seen(), state
        self._seen.add(_looked_up(self._step, self._asked, records))
        return self._seen.sort_out(records)

    def _is_known(self, state: State | None) -> bool:
        """Tell whether the table is as asked, but for what this run has appended since."""
        last = state.account.run_id if state and state.account else None
        return state == self._asked or last == self._step.run.run_id


def _looked_up(step: Step, state: State | None, records: "pa.Table") -> Iterable[tuple[str, str, bool]]:
    """Return what a version holds of records' identities: the hash of each payload, and whether it was the first."""
    from pyspark.sql import functions as F

    if state is None or not len(records):
        return []
    identities = from_arrow(step.session, records.select(["_identity"])).distinct()
    bronze = gate.read_version(step.session, state, state.version)
    is_first = F.col("_record_id") == F.col("_identity")
    known = (
        bronze.join(F.broadcast(identities), on="_identity", how="semi")
        .select("_identity", "_payload_sha256", is_first.alias("is_first"))
        .toArrow()
    )
    return zip(*(column.to_pylist() for column in known.columns), strict=True)
