"""What a cache is made from: a table's last good version as readers see it, and what changed since an older one.

Both are read by delta-rs and DataFusion, without Spark; deletion vectors are minded.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from medallion import log_files
from medallion.account import NO_VERSION
from medallion.cache import Cached, CacheError, Definition
from medallion.cache.values import Stored, stored
from medallion.errors import HistoryError
from medallion.lake import HARMLESS, Lake, State
from medallion.query import quoted
from medallion.tables import Table, newest, seen

if TYPE_CHECKING:
    import pyarrow as pa

Row = tuple[Stored, ...]
MOST_CHANGED = 1 / 3  # of a table's rows; more are sooner built anew


class Unfollowed(Exception):
    """A change feed that cannot be followed; says why, and a full build is the answer."""


@dataclass(frozen=True)
class Source:
    """A table at its last good version, and what of it is to be cached."""

    definition: Definition
    state: State
    table: Table

    @property
    def version(self) -> int:
        """The version that passed last."""
        return self.state.good

    def count(self) -> int:
        """Return how many rows readers see."""
        return int(self._select(f"SELECT count(*) AS n FROM t{self._alive}").column("n").to_pylist()[0])

    def rows(self) -> Iterator[list[Row]]:
        """Yield the rows in ascending order, nulls first, in batches, as they are stored."""
        order = ", ".join(f"{quoted([c])} ASC NULLS FIRST" for c in (self.definition.order_by, *self.definition.key))
        columns = quoted(list(self.definition.columns))
        import pyarrow as pa

        for batch in self._reader(f"SELECT {columns} FROM t{self._alive} ORDER BY {order}"):
            yield self._stored(pa.table(batch))

    def changes(self, since: int) -> dict[Row, Row | None]:
        """Return what became of each key that changed in versions (since, good]: its row, None where it is gone.

        Raises Unfollowed where the feed does not tell.
        """
        from deltalake import DeltaTable

        table = DeltaTable(self.state.path, version=self.version)
        try:
            found = _table(table.load_cdf(starting_version=since + 1, ending_version=self.version).read_all())
        except Exception as error:  # delta-rs raises several kinds, all for a feed that is not there
            raise Unfollowed(f"its change feed cannot be read: {str(error).splitlines()[0][:200]}") from error
        missing = [name for name in self.definition.columns if name not in found.column_names]
        if missing:
            raise Unfollowed(f"its change feed lacks {', '.join(missing)}")
        return self._net(found)

    def _net(self, feed: "pa.Table") -> dict[Row, Row | None]:
        kinds = feed.column("_change_type").to_pylist()
        versions = feed.column("_commit_version").to_pylist()
        dead = feed.column("_deleted").to_pylist() if seen(self.table) else [False] * len(kinds)
        rows = self._stored(feed)
        keys = [list(self.definition.columns).index(name) for name in self.definition.key]
        came = [kind in ("insert", "update_postimage") for kind in kinds]
        # Within a version what went is told before what came: an overwrite deletes a row and inserts it again.
        order = sorted(range(len(kinds)), key=lambda place: (versions[place], came[place]))
        if condition := newest(self.table):  # what becomes of versions that were superseded is not for readers
            is_newest = feed.column(condition).to_pylist()
            order = [place for place in order if is_newest[place]]
        return {
            tuple(rows[place][key] for key in keys): rows[place] if came[place] and not dead[place] else None
            for place in order
        }

    def _stored(self, table: "pa.Table") -> list[Row]:
        kinds = self.definition.kinds
        columns = [stored(table.column(name), kinds[name]) for name in self.definition.columns]
        return list(zip(*columns, strict=True))

    @property
    def _alive(self) -> str:
        condition = seen(self.table)
        return f" WHERE {condition}" if condition else ""

    def _select(self, sql: str) -> "pa.Table":
        return _table(self._reader(sql).read_all())

    def _reader(self, sql: str) -> Any:
        from deltalake import DeltaTable, QueryBuilder

        table = DeltaTable(self.state.path, version=self.version)
        log_files.require_sound(self.state.name, table)
        return QueryBuilder().register("t", table).execute(sql)


def source_of(lake: Lake, table: Table, definition: Definition) -> Source:
    """Return a table's last good version to cache; raises CacheError where none has passed its gate yet."""
    state = lake.state(table.name)
    if state is None or state.good == NO_VERSION:
        pipeline = table.name.split(".")[0]
        raise CacheError(
            f"{table.name}: no version has passed its gate yet; `medallion run {pipeline}` makes one, and tells "
            "what keeps it"
        )
    return Source(definition, state, table)


def why_full(lake: Lake, source: Source, known: Cached | None) -> str | None:
    """Return why a cache must be built anew; None where the change feed may bring it in line."""
    state = source.state
    if known is None:
        return "there is no cache yet"
    if known.fingerprint != source.definition.fingerprint:
        return "the table's columns or its conf changed"
    if known.table_id != state.table_id:
        return "the table was recreated"
    if known.version > source.version:
        return f"the table went back from version {known.version} to {source.version}"
    try:
        between = lake.commits_between(state.name, known.version, source.version)
    except HistoryError as error:
        return f"history is gone: {error}"
    by_hand = [c for c in between if c.account is None and c.operation not in HARMLESS]
    if by_hand:
        return f"its rows were changed by hand: {by_hand[0].operation} at version {by_hand[0].version}"
    return None


def _table(found: Any) -> "pa.Table":
    import pyarrow as pa

    return pa.table(found)
