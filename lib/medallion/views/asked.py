"""The answer to a SELECT over a pipeline's tables, as they stand or as a run left them."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from medallion import catalog
from medallion import conf as conf_door
from medallion.errors import ConfError
from medallion.output import counted
from medallion.session import Sessions
from medallion.views.show import cell

if TYPE_CHECKING:
    from rich.console import Console


@dataclass(frozen=True)
class Answer:
    """Some rows of an answer; ``more`` if there are others."""

    at: str | None
    columns: list[str]
    rows: list[dict[str, Any]]
    more: bool

    def facts(self) -> dict[str, Any]:
        """Return what `--json` prints."""
        return asdict(self)

    def render(self, console: "Console") -> None:
        """Print the rows as a table."""
        from rich.table import Table
        from rich.text import Text

        table = Table(box=None, header_style="bold", pad_edge=False, padding=(0, 2, 0, 0))
        for column in self.columns:
            table.add_column(Text(column), overflow="fold")
        for row in self.rows:
            table.add_row(*[Text(cell(row[column], 40)) for column in self.columns])
        console.print(table)
        told = f"{counted(len(self.rows), 'rows')}{' of more (--limit)' if self.more else ''}"
        console.print(f"\n{told}{f', as run {self.at} left the tables' if self.at else ''}", style="dim")


def of(pipeline: str, select: str, at: str | None, limit: int, overrides: Sequence[str] = ()) -> Answer:
    """Return at most ``limit`` rows of a SELECT; raises ConfError for anything else, and for one that is wrong."""
    from pyspark.errors import PySparkException

    sessions = Sessions(conf_door.load(pipeline, overrides))
    try:
        cut = catalog.as_of(pipeline, at, overrides, sessions)
        # In parentheses only a query can stand, nothing that writes; a comment at its end must not hide them.
        found = cut.sql(f"SELECT * FROM (\n{select.rstrip().rstrip(';')}\n)").limit(limit + 1).toArrow()
    except PySparkException as error:
        raise ConfError(f"sql: {sessions.explain(error)}") from error
    finally:
        sessions.stop()
    rows = [dict(zip(found.column_names, row.values(), strict=True)) for row in found.to_pylist()]
    return Answer(at, list(found.column_names), rows[:limit], len(rows) > limit)
