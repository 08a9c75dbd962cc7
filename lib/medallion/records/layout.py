"""Names of columns: a header as a file has it, and what conf calls its columns; unknown ones are kept apart."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from medallion.conf import Source

_UNDECODED = re.compile("[\udc00-\udcff]")  # bytes that were no text; see records


@dataclass(frozen=True)
class Layout:
    """A header: each column's name, and whether conf names it; ``unusable`` says why cells cannot be told by name."""

    names: tuple[str, ...]
    known: tuple[bool, ...]
    unusable: str | None

    def split(self, cells: Sequence[str | None]) -> tuple[dict[str, str | None], dict[str, str | None] | None]:
        """Return cells by known names and, where there are any, by unknown ones."""
        named = list(zip(self.names, self.known, cells, strict=False))
        rescued = {name: cell for name, is_known, cell in named if not is_known}
        return {name: cell for name, is_known, cell in named if is_known}, rescued or None


def layout(header: Sequence[str], source: Source) -> Layout:
    """Return how to read cells under a header; columns of a source without ``columns`` in conf are all known."""
    given = [cell.strip() for cell in header]
    columns: Mapping[str, str] = source.columns or {}
    accepted = {*columns, *columns.values()}
    known = tuple(not columns or name in accepted for name in given)
    names = tuple(columns.get(name, name) for name in given)
    return Layout(names, known, _unusable(names))


def _unusable(names: Sequence[str]) -> str | None:
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        return f"header names a column twice: {', '.join(twice)}"
    return "header is not text" if _UNDECODED.search("".join(names)) else None
