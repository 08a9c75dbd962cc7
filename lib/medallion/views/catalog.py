"""What the tables of a pipeline are, as their modules declare and document them."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from medallion.bronze import COLUMNS as BRONZE_COLUMNS
from medallion.bronze import TYPES as BRONZE_TYPES
from medallion.conf import Conf
from medallion.tables import Bronze, Table, sql_name

if TYPE_CHECKING:
    from rich.console import Console


@dataclass(frozen=True)
class Column:
    """A column: its Spark type, what it holds, and whether that is personal data: `declared`, or of which column."""

    name: str
    type: str
    text: str
    personal: str | None = None


@dataclass(frozen=True)
class Entry:
    """A table's documentation; ``grain`` is its first sentence, ``sql_name`` its name in Spark SQL."""

    table: str
    kind: str
    grain: str
    doc: str
    sql_name: str
    key: list[str]
    reads: list[str]
    columns: list[Column]
    expectations: list[dict[str, Any]]


@dataclass(frozen=True)
class Catalog:
    """Tables of a pipeline; ``detailed`` if columns and expectations were asked for."""

    pipeline: str
    tables: list[Entry]
    detailed: bool

    def facts(self) -> dict[str, Any]:
        """Return what `--json` prints: always with columns."""
        return {"pipeline": self.pipeline, "tables": [asdict(entry) for entry in self.tables]}

    def render(self, console: "Console") -> None:
        """Print a line a table, or all about one."""
        if self.detailed:
            for entry in self.tables:
                _render_one(entry, console)
        else:
            _render_all(self, console)


def of(
    conf: Conf,
    tables: Mapping[str, Table],
    names: Sequence[str],
    *,
    detailed: bool,
    personal: Mapping[str, Mapping[str, str]] | None = None,
) -> Catalog:
    """Return the documentation of these tables; ``personal`` are columns that hold personal data, each with why."""
    found = personal or {name: dict.fromkeys(tables[name].personal, "declared") for name in names}
    return Catalog(conf.name, [_entry(conf, tables[name], found[name]) for name in names], detailed)


def _entry(conf: Conf, table: Table, personal: Mapping[str, str]) -> Entry:
    grain, doc = _sentence(table.doc.removeprefix(f"{table.name}:"))
    return Entry(
        table=table.name,
        kind=type(table).__name__.lower(),
        grain=grain,
        doc=doc,
        sql_name=sql_name(table.name),
        key=[] if isinstance(table, Bronze) else list(table.key),
        reads=[f"source {table.source}"] if isinstance(table, Bronze) else list(table.upstream),
        columns=_columns(table, personal),
        expectations=[
            {"label": e.label, "severity": e.severity, "tolerance": e.tolerance, "text": e.description}
            for e in conf.expectations(table.name)
        ],
    )


def _sentence(doc: str) -> tuple[str, str]:
    """Return the first sentence of a docstring and the rest of it, one line a paragraph."""
    first, *others = (" ".join(paragraph.split()) for paragraph in doc.split("\n\n"))
    sentence, dot, rest = first.partition(". ")
    return sentence + dot.strip(), "\n".join(filter(None, [rest, *others]))


def _columns(table: Table, personal: Mapping[str, str]) -> list[Column]:
    if isinstance(table, Bronze):
        return [Column(name, BRONZE_TYPES.get(name, "string"), text) for name, text in BRONZE_COLUMNS.items()]
    return [Column(name, type_, text, personal.get(name)) for name, (type_, text) in table.columns.items()]


def _render_all(catalog: Catalog, console: "Console") -> None:
    from rich.table import Table as Grid
    from rich.text import Text

    grid = Grid(box=None, header_style="bold", pad_edge=False, padding=(0, 2, 0, 0))
    grid.add_column("table", no_wrap=True)
    grid.add_column("kind", no_wrap=True)
    grid.add_column("what it holds", ratio=1)
    for entry in catalog.tables:
        grid.add_row(Text(entry.table), Text(entry.kind), Text(entry.grain))
    console.print(grid)
    console.print(
        Text(f"\ncolumns of one: medallion tables {catalog.pipeline} {catalog.tables[-1].table}", style="dim")
    )


def _render_one(entry: Entry, console: "Console") -> None:
    from rich.padding import Padding
    from rich.table import Table as Grid
    from rich.text import Text

    console.print(Text(f"{entry.table}: {entry.grain}", style="bold"))
    if entry.doc:
        console.print(Padding(Text(entry.doc), (1, 0, 0, 0)))
    facts = Grid.grid(padding=(0, 2))
    facts.add_row("kind", Text(entry.kind))
    facts.add_row("key", Text(", ".join(entry.key) or "none: records are kept as delivered"))
    facts.add_row("reads", Text(", ".join(entry.reads)))
    facts.add_row("in SQL", Text(entry.sql_name))
    console.print(Padding(facts, (1, 0)))
    grid = Grid(box=None, header_style="bold", pad_edge=False, padding=(0, 2, 0, 0))
    for heading in ("column", "type"):
        grid.add_column(heading, overflow="fold", max_width=40)
    grid.add_column("what it holds", ratio=1)
    for column in entry.columns:
        told = Text(column.text).append("; personal" if column.personal else "", style="red")
        grid.add_row(Text(column.name), Text(column.type), told)
    console.print(grid)
    if entry.expectations:
        console.print(Text("\nexpectations", style="bold"))
        for one in entry.expectations:
            text = f": {one['text']}" if one["text"] else ""
            console.print(Text(f"  {one['severity']:10}  {one['label']}{text}"))
