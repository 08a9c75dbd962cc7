"""Where the columns of a table come from, down to the fields at the source, and what is made of them."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from medallion import lineage
from medallion.conf import Conf
from medallion.docs.facts import Column, Source, Told
from medallion.errors import ConfError
from medallion.output import in_a_line
from medallion.tables import Bronze, layer_of
from medallion.views import catalog
from medallion.views.at_hand import prepared

if TYPE_CHECKING:
    from rich.console import Console
    from rich.tree import Tree


@dataclass(frozen=True)
class Columns:
    """Columns of a table; ``deep`` if one was asked for, down to the source."""

    table: str
    columns: Sequence[Column]
    rows: Sequence[Source]
    deep: bool

    def facts(self) -> dict[str, Any]:
        """Return what `--json` prints: always down to the source."""
        return {
            "table": self.table,
            "columns": [asdict(one) for one in self.columns],
            "rows": [asdict(one) for one in self.rows],
        }

    def render(self, console: "Console") -> None:
        """Print a tree a column."""
        from rich.text import Text
        from rich.tree import Tree

        for one in self.columns:
            head = Text(f"{self.table}.{one.name}", style="bold").append(f"  {one.text}", style="dim")
            tree = Tree(head.append("  personal" if one.personal else "", style="red"))
            self._grow(tree, one.sources)
            if not one.sources and layer_of(self.table) != "bronze":
                tree.add(Text("no column: counts rows, or the same for all", style="dim"))
            for reader, columns in one.uses if self.deep else ():
                told = ", ".join(column or "which rows there are" for column in columns)
                tree.add(Text(f"used in {reader}: {told}", style="dim"))
            console.print(tree)
        if self.rows:
            tree = Tree(Text("which rows there are", style="bold"))
            self._grow(tree, self.rows)
            console.print(tree)

    def _grow(self, tree: "Tree", sources: Sequence[Source]) -> None:
        from rich.text import Text

        for one in sources:
            line = Text(f"{one.table}.{one.text}").append(f"  {one.how}", style="dim")
            branch = tree.add(line)
            if self.deep:
                self._grow(branch, one.sources)


def of(conf: Conf, name: str, column: str | None) -> Columns:
    """Return where the columns of a table come from, or one of them; asks Spark where a definition changed.

    Raises ConfError where there is no such table or column, or its lineage cannot be told.
    """
    run = prepared(conf, name)
    declared = catalog.of(conf, run.tables, [name], detailed=True).tables[0].columns
    of_records = isinstance(
        run.tables[name], Bronze
    )  # made of what was delivered: which of its fields are used is told
    if not of_records:
        _require(name, column, [one.name for one in declared])
    found = lineage.of(run)
    if found[name].problem:
        raise ConfError(f"{name}: its column lineage is not known: {found[name].problem}")
    told = Told(run, found)
    columns = told.fields(name) if of_records else [told.column(name, one) for one in declared]
    _require(name, column, [one.name for one in columns])
    wanted = [one for one in columns if column in (None, one.name)]
    return Columns(name, wanted, told.rows(name) if column is None else [], deep=of_records or column is not None)


def _require(name: str, column: str | None, known: Sequence[str]) -> None:
    if column is not None and column not in known:
        raise ConfError(f"{name}: no column {in_a_line(column)}; wanted one of {', '.join(known)}")
