"""What maintenance of a pipeline would do, from logs, manifests and folders alone; nothing is written."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace

from medallion import ops, query
from medallion.audit import pins
from medallion.audit.pins import Pin, Pinned
from medallion.errors import ConfError
from medallion.lake import Lake
from medallion.maintain import expire, layout, runpins, sweep
from medallion.maintain.expire import Deliveries, Expired
from medallion.maintain.layout import Layout
from medallion.maintain.needs import Needs, needs
from medallion.maintain.runpins import PROPERTY, RunPin
from medallion.maintain.sweep import NOTHING, Found
from medallion.step import Run
from medallion.tables import Bronze, Table

APPEND_ONLY = "delta.appendOnly"


@dataclass(frozen=True)
class Due:
    """One table: how it lies there, and what maintenance would do to it.

    ``files`` and ``bytes`` are of its newest version, ``disk`` is all its folder holds but its log. ``settings`` are
    properties that are to be brought in line with conf. ``left_alone`` says why nothing is to be done.
    """

    name: str
    files: int = 0
    bytes: int = 0
    disk: Found = NOTHING
    expired: Expired | None = None
    rejected: int = 0  # rows of a quarantine whose records bronze has let go
    settings: Mapping[str, str | None] = field(default_factory=dict)
    layout: Layout | None = None
    free: Found = NOTHING
    log: Found = NOTHING
    need: Needs | None = None
    left_alone: str | None = None

    @property
    def commits(self) -> bool:
        """Whether a commit is due."""
        return bool((self.expired and self.expired.rows) or self.rejected or self.settings or self.layout)

    @property
    def frees(self) -> bool:
        """Whether files or log entries are there that nobody needs."""
        return bool(self.free.files or self.log.files)

    @property
    def is_idle(self) -> bool:
        """Whether nothing is due."""
        return not (self.commits or self.frees)

    @property
    def held(self) -> list[str]:
        """Who keeps what the layer's conf would let go, in lines."""
        files = [hold.told for hold in self.need.holds] if self.need else []
        return [*files, *(self.expired.held if self.expired else ())]


@dataclass(frozen=True)
class Forecast:
    """What maintenance of a pipeline, or of some of its tables, would do."""

    pinned: Pinned
    tables: list[Due]
    landing: list[Deliveries]
    runs: list[RunPin]
    records: list[ops.Kept]

    @property
    def is_idle(self) -> bool:
        """Whether nothing is due."""
        records = any(one.is_due for one in self.records)
        return all(one.is_idle for one in self.tables) and not any(one.last for one in self.landing) and not records


def of(run: Run, only: Collection[str] = ()) -> Forecast:
    """Return what is due, of all tables and sources of a pipeline or only of some tables.

    Raises ConfError where conf wants rows of silver or gold to go.
    """
    _require_sense(run)
    pinned = pins.pin(run)
    pinned_runs = runpins.of(pinned)
    expired = {pin.name: expire.of_bronze(pinned, table, pin) for table, pin in pinned.of(Bronze)}
    needed = needs(pinned, pinned_runs)
    over = [PROPERTY + one.run_id for one in pinned_runs if one.has_expired]
    found: list[Due] = []
    for pin in pinned.every():
        if not only or pin.name in only or owner(pinned, pin.name) in only:
            due = _table(pinned, pin, needed.get(pin.name), over)
            found.append(due if due.left_alone else replace(due, expired=expired.get(pin.name)))
    landing = [one for source in pinned.landing if not only and (one := expire.of_landing(pinned, source))]
    return Forecast(pinned, found, landing, pinned_runs, [] if only else ops.kept(run.conf))


def owner(pinned: Pinned, name: str) -> str:
    """Return the table whose quarantine has a name; an empty text where none has."""
    return next((table for table, pin in pinned.quarantines.items() if pin.name == name), "")


def _require_sense(run: Run) -> None:
    for layer in ("silver", "gold"):
        kept = getattr(run.conf.platform.storage, layer).keep_rows
        if kept is not None:
            raise ConfError(
                f"conf/platform/{run.conf.environment}.yaml: storage.{layer}.keep_rows: found {kept}; wanted null: "
                f"rows of {layer} stay as long as their records say them"
            )


def _table(pinned: Pinned, pin: Pin, need: Needs | None, over: Collection[str]) -> Due:
    trouble = _trouble(pinned.run.lake, pin)
    if trouble or need is None:
        return Due(pin.name, left_alone=trouble or pin.problem)
    snapshot = pin.log.snapshot(pin.version)
    table = pinned.run.tables.get(pin.name)
    return Due(
        pin.name,
        files=len(snapshot.files),
        bytes=snapshot.bytes,
        disk=sweep.on_disk(pin.log.folder),
        rejected=_rejected(pinned, pin),
        settings=_settings(pinned.run.lake, pin, table, over),
        layout=layout.of(pin, table) if table else None,
        free=Found.of(sweep.removable(pin, need)),
        log=Found.of(sweep.log_removable(pin, need)),
        need=need,
    )


def _trouble(lake: Lake, pin: Pin) -> str | None:
    """Say why a table is to be left alone: a commit of ours on top would hide what somebody else did to it."""
    if pin.problem:
        return pin.problem
    state = lake.state(pin.name)
    if state is None or state.account is None:
        return "its log holds no commit of this engine"
    return f"its rows were changed by hand: {state.foreign}" if state.foreign else None


def _settings(lake: Lake, pin: Pin, table: Table | None, over: Collection[str]) -> dict[str, str | None]:
    """Return the properties that differ from what conf says, and pins that have expired."""
    wanted: dict[str, str] = lake.retention(pin.name)
    if isinstance(table, Bronze):
        wanted[APPEND_ONLY] = "true"
    found: dict[str, str | None] = {k: v for k, v in wanted.items() if pin.configuration.get(k) != v}
    return found | {name: None for name in over if name in pin.configuration}


def _rejected(pinned: Pinned, pin: Pin) -> int:
    """Return how many rows of a quarantine are of records that bronze has let go before."""
    of = owner(pinned, pin.name)
    through = pinned.removed_through(of) if of else 0
    if not through:
        return 0
    ids = query.select(pin.path, f"SELECT _record_id FROM t WHERE _delivery <= {through}", pin.version)
    if not ids:
        return 0
    bronze = pinned.source_of(of)
    assert bronze is not None  # it has told what it removed
    kept = query.select(bronze.path, f"SELECT _record_id FROM t WHERE _delivery <= {through}", bronze.version)
    known = {row["_record_id"] for row in kept}
    return sum(row["_record_id"] not in known for row in ids)
