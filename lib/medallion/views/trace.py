"""Where rows of a table come from, table by table, down to the payloads; or what they are in, up to gold."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from medallion.conf import Conf
from medallion.errors import ConfError
from medallion.output import counted, in_a_line
from medallion.session import Sessions
from medallion.step import Run
from medallion.tables import Bronze, Table
from medallion.trace import anew, feeds, walk
from medallion.trace.versions import named_version, state_at
from medallion.views import published
from medallion.views.at_hand import prepared, session_of
from medallion.views.published import Publication
from medallion.views.show import cell

if TYPE_CHECKING:
    from rich.console import Console
    from rich.tree import Tree

_KEPT = 100  # rows of a table, of which a terminal shows some
_SHOWN = 3
_PAYLOAD = 160  # characters of a payload in a terminal
_OF_RECORD = ("_record_id", "_landing_file", "_position", "_delivery", "_received_at", "_ingested_at", "_source_system")


@dataclass(frozen=True)
class Hop:
    """Rows of one table at the version in which they had their part; ``for_`` says in which table's rows, and how.

    Of a walk up ``for_`` says of which table's rows they are made, and how.

    ``rows`` are some of them, of bronze with payload and place in landing.
    """

    table: str
    version: int
    at: str
    run_id: str
    technique: str
    reason: str
    fingerprint: str
    for_: list[tuple[str, str]]
    count: int
    columns: list[str]
    rows: list[dict[str, Any]] = field(default_factory=list)


@dataclass(frozen=True)
class Trace:
    """A walk from rows of a table to payloads, or ``up``; ``verified`` says what differs, None where nobody asked.

    ``publications`` are the stores that hold rows of tables on the way, as they stand.
    """

    table: str
    where: dict[str, Any]
    hops: list[Hop]
    up: bool = False
    verified: list[str] | None = None
    publications: list[Publication] = field(default_factory=list)

    @property
    def passed(self) -> bool:
        """Whether the rows are what their payloads make, as far as that was asked."""
        return not self.verified

    def facts(self) -> dict[str, Any]:
        """Return what `--json` prints."""
        return asdict(self)

    def render(self, console: "Console") -> None:
        """Print a tree."""
        _render(self, console)

    def page(self) -> str:
        """Return a page in HTML that needs nothing else."""
        from jinja2 import Environment, PackageLoader

        pages = Environment(loader=PackageLoader("medallion.views", "pages"), autoescape=True)
        return pages.get_template("trace.html").render(trace=self, said=self.said, cell=lambda value: cell(value, None))

    def _repr_html_(self) -> str:
        """Return what a notebook shows: the page, in a frame, so that its looks stay its own."""
        from html import escape

        return f'<iframe srcdoc="{escape(self.page())}" style="width: 100%; height: 32rem; border: 0"></iframe>'

    @property
    def said(self) -> str:
        """What came of making the rows anew, in a line."""
        if self.verified is None:
            return ""
        records = sum(hop.count for hop in self.hops if hop.table.split(".")[1] == "bronze")
        if self.verified:
            return f"NOT what {counted(records, 'records')} make: {'; '.join(self.verified[:5])}"
        return f"verified: made anew from {counted(records, 'records')} alone, and the same"


@dataclass(frozen=True)
class Question:
    """Which rows of a table: those with such values, null as ``null``, as readers see it or at a version or run.

    With ``verify`` they are made anew from what is found, and compared; with ``up`` it is asked what they are in, as
    all tables stand now. ``limit`` rows of each table are kept.
    """

    table: str
    where: Mapping[str, str]
    at: str | None = None
    verify: bool = False
    up: bool = False
    limit: int = _KEPT


def of(conf: Conf, asked: Question, sessions: Sessions | None = None) -> Trace:
    """Trace rows; with Spark of ``sessions``, or one that ends with the call.

    Raises ConfError where there is no such table, column, row, version or run; HistoryError where a version on the way
    is gone, or a definition changed and the rows are to be made anew.
    """
    name, at = asked.table, asked.at
    if asked.up and (asked.verify or at):
        raise ConfError("--up: tells what rows are in as tables stand now; wanted it without --verify and --at")
    run = prepared(conf, name)
    wanted = _values(run.tables[name], asked.where)
    version = None if at is None else named_version(run, name, at)
    state = state_at(run.lake, name, version)
    with session_of(conf, sessions) as session:
        with (feeds.up if asked.up else walk.down)(run, session, state, wanted) as found:
            if found.root.held.is_empty:
                told = in_a_line(", ".join(f"{column}={value}" for column, value in asked.where.items()))
                raise ConfError(
                    f"{name}: version {state.version} has no row with {told}; `medallion show {name}` lists some"
                )
            hops = [_hop(run, part, asked.limit) for part in found.parts]
            different = anew.verify(run, session, found) if asked.verify else None
    publications = published.of(run, {hop.table for hop in hops})
    return Trace(name, dict(asked.where), hops, asked.up, different, publications)


def columns_of(table: Table) -> list[str]:
    """Return the columns by which rows of a table can be asked for."""
    return ["_record_id", "_key"] if isinstance(table, Bronze) else [*table.columns, "_record_id"]


def _values(table: Table, where: Mapping[str, str]) -> dict[str, Any]:
    known = columns_of(table)
    unknown = [column for column in where if column not in known]
    if unknown or not where:
        key = getattr(table, "key", ("_record_id",))
        raise ConfError(
            f"{table.name}: found {', '.join(map(in_a_line, unknown)) or 'no value'}; wanted its key, "
            f"{' '.join(f'{column}=...' for column in key)}, or other of its columns: {', '.join(known)}"
        )
    return {column: None if value == "null" else value for column, value in where.items()}


def _hop(run: Run, part: walk.Part, limit: int) -> Hop:
    account = part.state.account
    assert account is not None  # of every state that a walk comes by
    commits = run.lake.history(part.name)
    at = next((one.at_ms for one in commits if one.version == part.state.version), 0)
    columns = [*_OF_RECORD, "payload"] if isinstance(part.table, Bronze) else [*part.table.columns]
    shown = part.held.frame.select(*columns).limit(limit).toArrow().to_pylist()
    when = dt.datetime.fromtimestamp(at / 1000, dt.UTC).isoformat(timespec="seconds") if at else "unknown"
    told = (account.run_id, account.technique, account.reason, account.fingerprint, list(part.for_))
    return Hop(part.name, part.state.version, when, *told, part.held.count(), columns, shown)


def _render(trace: Trace, console: "Console") -> None:
    from rich.text import Text
    from rich.tree import Tree

    first = trace.hops[0]
    tree = Tree(_titled(first, ""))
    _grow(tree, first, trace, set())
    console.print(tree)
    if trace.verified is not None:
        console.print(Text(f"\n{trace.said}", style="bold red" if trace.verified else "green"))


def _grow(tree: "Tree", hop: Hop, trace: Trace, shown: set[tuple[str, int]]) -> None:
    from rich.text import Text

    shown.add((hop.table, hop.version))
    for row in hop.rows[:_SHOWN]:
        tree.add(Text(_line(hop, row)))
    if hop.count > _SHOWN:
        tree.add(Text(f"and {hop.count - _SHOWN:,} more (--json and --html show them)", style="dim"))
    for one in trace.publications:
        if one.table == hop.table:
            tree.add(Text(str(one), style="dim"))
    for other in trace.hops:
        ways = [why for reader, why in other.for_ if reader == hop.table]
        if not ways:
            continue
        if (other.table, other.version) in shown:
            tree.add(Text(f"{' and '.join(ways)}: {other.table}, see above", style="dim"))
        else:
            _grow(tree.add(_titled(other, " and ".join(ways))), other, trace, shown)


def _titled(hop: Hop, why: str) -> Any:
    from rich.text import Text

    text = Text(f"{why}: " if why else "")
    text.append(hop.table, style="bold")
    things = "records" if hop.table.split(".")[1] == "bronze" else "rows"
    text.append(f" version {hop.version}, {counted(hop.count, things)}")
    text.append(f"  {hop.technique} by run {hop.run_id}, {hop.at}", style="dim")
    return text


def _line(hop: Hop, row: Mapping[str, Any]) -> str:
    if "payload" in row:
        place = (
            f"{row['_landing_file']} row {row['_position']}, delivery {row['_delivery']} from {row['_source_system']}"
        )
        times = f"received {cell(row['_received_at'], None)}, ingested {cell(row['_ingested_at'], None)}"
        return f"{row['_record_id']}: {place}; {times}\n{cell(row['payload'], _PAYLOAD)}"
    return "  ".join(f"{column}={cell(row[column], 40)}" for column in hop.columns if row[column] is not None)
