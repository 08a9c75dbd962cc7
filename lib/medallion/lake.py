"""Where tables are, and what their own history says; read from the Delta log without Spark."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from medallion import log_files
from medallion.account import KEYS, NO_VERSION, Account
from medallion.conf import Conf
from medallion.conf.duration import Duration
from medallion.conf.platform import LayerStorage
from medallion.errors import HistoryError
from medallion.tables import layer_of

if TYPE_CHECKING:
    from deltalake import DeltaTable

# Operations that leave a table's rows as they were, whoever ran them.
HARMLESS = {
    "OPTIMIZE",
    "REORG",
    "VACUUM START",
    "VACUUM END",
    "SET TBLPROPERTIES",
    "UNSET TBLPROPERTIES",
    "CHECKPOINT",
    "UPGRADE PROTOCOL",
}


def replaced_by_key(parameters: Mapping[str, Any], metrics: Mapping[str, Any]) -> tuple[int, int] | None:
    """Return how many rows a commit says that went and came by their keys; None where it did something else."""
    if "replaceOnCond" not in parameters:
        return None
    went, put, copied = (int(metrics.get(name, 0)) for name in ("numDeletedRows", "numOutputRows", "numCopiedRows"))
    return went, put - copied  # rows that stay in a file of which others went are said to be put, too


@dataclass(frozen=True)
class Commit:
    """One entry of a table's history; ``account`` is None for a commit that is not ours."""

    version: int
    at_ms: int
    operation: str
    parameters: Mapping[str, Any]
    metrics: Mapping[str, Any]
    account: Account | None
    in_order: int | None = None  # grows from commit to commit, where the table keeps such a time

    @property
    def changed(self) -> int | None:
        """Rows that it inserted, updated or deleted, or at most so many; None where it does not say."""
        if self.operation in HARMLESS:
            return 0
        merged = ("numTargetRowsInserted", "numTargetRowsUpdated", "numTargetRowsDeleted")
        if self.operation == "MERGE" and set(merged) <= set(self.metrics):
            return sum(int(self.metrics[metric]) for metric in merged)
        if self.replaced is not None:
            return sum(self.replaced)
        if self.account and KEYS in self.account.rows:
            return self.account.rows[KEYS]
        is_append = self.operation == "WRITE" and self.parameters.get("mode") == "Append"
        return int(self.metrics.get("numOutputRows", 0)) if is_append else None

    @property
    def replaced(self) -> tuple[int, int] | None:
        """Rows that went and came in a commit that replaced rows by their keys; None of any other commit."""
        return replaced_by_key(self.parameters, self.metrics)

    @property
    def seconds(self) -> float | None:
        """How long the refresh took that made it; None where it does not say."""
        began = self.account.began if self.account else None
        return None if began is None else max(self.at_ms - began, 0) / 1000

    def is_before(self, other: "Commit") -> bool:
        """Tell whether it was made before another, or is that one."""
        return self.in_order is not None and other.in_order is not None and self.in_order <= other.in_order


@dataclass(frozen=True)
class State:
    """A table as its log says it stands: its id, newest version, and the newest account.

    ``foreign`` names what somebody else did to its rows after our last commit, if anything.
    """

    name: str
    path: str
    table_id: str
    version: int
    account: Account | None
    foreign: str | None = None

    @property
    def data(self) -> int:
        """The last version that changed rows."""
        return self.account.data if self.account else self.version

    @property
    def good(self) -> int:
        """The last version that passed its gate; -1 where none has."""
        return self.account.good if self.account else NO_VERSION


@dataclass(frozen=True)
class Stored:
    """How much there is: rows, of which some may be marked as deleted, and bytes of Parquet."""

    rows: int
    bytes: int


class Lake:
    """The tables of one pipeline on their storage."""

    def __init__(self, conf: Conf) -> None:
        self.conf = conf

    def path(self, name: str) -> str:
        """Return where a table is: ``shop.silver.orders``, or ``shop.quarantine.orders`` beside it."""
        pipeline, layer, table = name.split(".")
        if layer == "quarantine":
            return f"{self.conf.root('silver')}/{pipeline}/_quarantine/{table}"
        return f"{self.conf.root(layer)}/{pipeline}/{table}"

    def kept(self, name: str) -> Duration | None:
        """Return for how long a table's superseded versions stay, as its layer's conf says; None: for good."""
        layer = "silver" if ".quarantine." in name else layer_of(name)
        storage: LayerStorage = getattr(self.conf.platform.storage, layer)
        return storage.keep_versions or storage.keep_rows

    def retention(self, name: str) -> dict[str, str]:
        """Return the table properties by which Delta itself removes no version that is to stay.

        Its log is not cleaned by the way, as it would be after 30 days: maintenance alone removes, and asks before who
        still needs it.
        """
        kept = self.kept(name)
        durations = ("delta.logRetentionDuration", "delta.deletedFileRetentionDuration")
        length = {} if kept is None else dict.fromkeys(durations, f"interval {_length(kept)}")
        return {**length, "delta.enableExpiredLogCleanup": "false"}

    def exists(self, name: str) -> bool:
        """Tell whether a table has been created."""
        from deltalake import DeltaTable

        return bool(DeltaTable.is_deltatable(self.path(name)))

    def history(self, name: str, limit: int | None = None) -> Iterator[Commit]:
        """Yield a table's commits, newest first, as far back as its log reaches."""
        yield from self._read(name, log_files.opened(name, self.path(name)), limit)

    def state(self, name: str) -> State | None:
        """Return a table's state, or None where it does not exist; raises HistoryError where its log is not whole."""
        if not self.exists(name):
            return None
        delta = log_files.opened(name, self.path(name))
        state = State(name, self.path(name), str(delta.metadata().id), delta.version(), None)
        newest = self._newest(name, delta)
        if newest is None or newest.account is None:
            return self._behind_foreign_commits(state)
        return State(name, state.path, state.table_id, newest.version, newest.account)

    def transaction(self, name: str) -> int:
        """Return the greatest transaction id that a table's log holds of the engine, NO_VERSION where it holds none."""
        delta = log_files.opened(name, self.path(name))
        found = delta.transaction_version(str(delta.metadata().id))
        return NO_VERSION if found is None else int(found)

    def made_by(self, state: State, version: int) -> str:
        """Return the run that made a version of a table; an empty text where its commit is gone, or is not ours."""
        if state.version < version:
            return ""
        commits = [state] if state.version == version else self.history(state.name, state.version - version + 1)
        found = next((one for one in commits if one.version == version), None)
        return found.account.run_id if found and found.account else ""

    def properties(self, name: str) -> Mapping[str, str]:
        """Return a table's properties."""
        found: Mapping[str, str] = log_files.opened(name, self.path(name)).metadata().configuration
        return found

    def size(self, name: str) -> int:
        """Return the bytes of a table's newest version, 0 where it does not exist."""
        return self.stored(name).bytes

    def file_sizes(self, name: str) -> list[int]:
        """Return the bytes of each file of a table's newest version."""
        found: list[int] = self._files(name).column("size_bytes").to_pylist()
        return found

    def columns(self, name: str) -> list[str]:
        """Return the names of the columns that a table stores."""
        return [field.name for field in log_files.opened(name, self.path(name)).schema().fields]

    def marks_deleted(self, name: str) -> bool:
        """Tell whether a table's rows can be marked as deleted, rather than files be written anew without them."""
        return self.properties(name).get("delta.enableDeletionVectors") == "true"

    def stored(self, name: str) -> Stored:
        """Return how much a table holds at its newest version, nothing where it does not exist."""
        if not self.exists(name):
            return Stored(0, 0)
        files = self._files(name)
        rows, sizes = (files.column(name).to_pylist() for name in ("num_records", "size_bytes"))
        return Stored(sum(count or 0 for count in rows), sum(sizes))

    def bytes_within(self, state: State, ranges: Mapping[str, Sequence[tuple[Any, Any]]]) -> int:
        """Return the bytes of files that may hold rows with each of these columns in one of its ranges."""
        files = self._files(state.name)
        found = list(files.column("size_bytes").to_pylist())
        for column, told in ranges.items():
            if f"min.{column}" not in files.column_names:
                continue
            lows, highs = (files.column(f"{end}.{column}").to_pylist() for end in ("min", "max"))
            meets = [
                low is None or any(low <= last and first <= high for first, last in told)
                for low, high in zip(lows, highs, strict=True)
            ]
            found = [size if met else 0 for size, met in zip(found, meets, strict=True)]
        return sum(found)

    def commits_between(self, name: str, after: int, until: int) -> list[Commit]:
        """Return the commits of versions (after, until], newest first; raise HistoryError if some expired."""
        reach = self.state(name)
        newest = reach.version if reach else NO_VERSION
        found = [c for c in self.history(name, max(newest - after, 1)) if after < c.version <= until]
        if len(found) != until - after:
            raise HistoryError(f"{name}: versions {after + 1} to {until} wanted, its log holds {len(found)} of them")
        return found

    def changed_between(self, name: str, after: int, until: int) -> int | None:
        """Return how many rows versions (after, until] changed, at most; None where one of them does not say."""
        found = [commit.changed for commit in self.commits_between(name, after, until)]
        return None if None in found else sum(count or 0 for count in found)

    def feed_gap(self, name: str, after: int, until: int) -> str | None:
        """Return why the changes of versions (after, until] cannot be followed, None where they can."""
        return log_files.feed_gap(self.path(name), after, until)

    def _files(self, name: str) -> Any:
        """Return the files of a table's newest version, a row each, with what the log says of them."""
        return log_files.opened(name, self.path(name)).get_add_actions(flatten=True)

    def _newest(self, name: str, delta: "DeltaTable") -> Commit | None:
        """Return the newest commit; raises HistoryError where it is gone, or another stands in its place."""
        found = list(self._read(name, delta, 2))
        where = f"{name}: {self.path(name)}/_delta_log: version {delta.version()}"
        if found and found[0].version != delta.version():
            raise HistoryError(f"{where}: found no commit of it; wanted it from a backup")
        if len(found) > 1 and found[0].is_before(found[1]):
            raise HistoryError(
                f"{where}: found the commit of another version in its place, older than the one before; wanted it "
                "gone, or its own from a backup"
            )
        return found[0] if found else None

    def _read(self, name: str, delta: "DeltaTable", limit: int | None) -> Iterator[Commit]:
        from deltalake.exceptions import DeltaError

        try:
            yield from _commits(delta, limit)
        except DeltaError as error:
            raise HistoryError(log_files.unreadable(name, self.path(name), error)) from error

    def _behind_foreign_commits(self, state: State) -> State:
        """Look behind commits that are not ours for the newest account, and tell what they did."""
        foreign: list[str] = []
        for commit in self.history(state.name):
            if commit.account is not None:
                account = commit.account
                if foreign and _restored_as_it_was(foreign, account):
                    foreign = []
                found = "; ".join(foreign) or None
                return State(state.name, state.path, state.table_id, state.version, account, found)
            if commit.operation not in HARMLESS:
                target = commit.parameters.get("version")
                suffix = f" to version {target}" if commit.operation == "RESTORE" else ""
                foreign.append(f"{commit.operation}{suffix} at version {commit.version}")
        return State(state.name, state.path, state.table_id, state.version, None, "; ".join(foreign) or None)


def _length(kept: Duration) -> str:
    return f"{kept.hours} hours" if kept.seconds else f"{kept.days} days"


def _restored_as_it_was(foreign: list[str], account: Account) -> bool:
    """Tell whether the newest foreign commit put the table back to our last data version."""
    return foreign[0].startswith(f"RESTORE to version {account.data} at")


def _commits(delta: "DeltaTable", limit: int | None) -> Iterator[Commit]:
    for entry in delta.history(limit):
        yield Commit(
            version=entry["version"],
            at_ms=entry.get("timestamp", 0),
            operation=entry.get("operation", ""),
            parameters=entry.get("operationParameters", {}),
            metrics=entry.get("operationMetrics", {}),
            account=Account.from_json(entry.get("userMetadata")),
            in_order=entry.get("inCommitTimestamp"),
        )
