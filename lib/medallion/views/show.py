"""Rows of a table: as its readers see them, or as they were at any version."""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from medallion import query
from medallion.account import NO_VERSION
from medallion.conf import Conf
from medallion.errors import ConfError, QualityError
from medallion.lake import Lake, State
from medallion.views import names

if TYPE_CHECKING:
    from rich.console import Console

_CELL = 40  # characters of a value that a table shows where columns were not asked for by name
_RAW = ("bronze", "quarantine")  # layers whose technical columns are for readers too


@dataclass(frozen=True)
class Rows:
    """Some rows of one version of a table; ``good`` says whether it is the one that readers see."""

    table: str
    version: int
    good: bool
    columns: list[str]
    rows: list[query.Row]
    total: int
    asked: bool = False
    as_of_event: str | None = None

    def facts(self) -> dict[str, Any]:
        """Return what `--json` prints."""
        known = ("table", "version", "good", "as_of_event", "total", "columns", "rows")
        return {name: getattr(self, name) for name in known}

    def render(self, console: "Console") -> None:
        """Print the rows as a table, with as many columns as the console is wide."""
        _render(self, console)


def of(
    conf: Conf,
    name: str,
    *,
    version: int | None = None,
    limit: int = 20,
    columns: Sequence[str] = (),
    as_of_event: str | None = None,
) -> Rows:
    """Return at most ``limit`` rows of a version; None: of the last that passed its gate.

    Of a table that keeps the versions of its rows the newest are shown, or those that held at a moment of the
    events: a day (its end, UTC) or a time. Tombstones are hidden, and technical columns too, unless asked for by name.
    """
    state = names.existing(conf, name)
    at = _version(Lake(conf), state, version)
    known = query.columns_at(state.path, at)
    raw = name.split(".")[1] in _RAW
    public = [c for c in known if raw or not c.startswith("_")]
    shown = query.chosen(columns, known, name) or sorted(public, key=lambda c: c.startswith("_"))
    where = query.seen(known) if as_of_event is None else _held(name, query.types_at(state.path, at), as_of_event)
    order = ["_delivery", "_landing_file", "_position"] if raw else public[:2]
    ordered = query.quoted([column for column in order if column in known])
    rows = query.select(state.path, f"SELECT {query.quoted(shown)} FROM t {where} ORDER BY {ordered} LIMIT {limit}", at)
    total = query.select(state.path, f"SELECT count(*) AS rows FROM t {where}", at)[0]["rows"]
    return Rows(name, at, at == state.good, shown, rows, total, asked=bool(columns), as_of_event=as_of_event)


def _held(name: str, types: Mapping[str, str], moment: str) -> str:
    """Return the WHERE clause for the versions of rows that held at a moment; raises ConfError where it cannot tell."""
    if not {"valid_from", "valid_to", "is_current"} <= set(types):
        raise ConfError(f"{name}: keeps no versions of its rows; wanted a silver table with history='scd2'")
    is_date = types["valid_from"] == "date"
    try:
        day = dt.date.fromisoformat(moment)
        held = "valid_from < {0} AND (valid_to IS NULL OR valid_to >= {0})"  # until the end of the day
        at = dt.datetime.combine(day + dt.timedelta(days=1), dt.time(), dt.UTC)
    except OverflowError:
        raise ConfError(f"--as-of-event: found {moment!r}; wanted an earlier day") from None
    except ValueError:
        at = _instant(moment, wants_day=is_date)
        held = "valid_from <= {0} AND (valid_to IS NULL OR valid_to > {0})"
    literal = f"DATE '{at.date()}'" if is_date else f"to_timestamp_micros('{at.isoformat()}')"
    return f"WHERE NOT _deleted AND {held.format(literal)}"


def _instant(moment: str, *, wants_day: bool) -> dt.datetime:
    wanted = "a day such as 2026-01-31" + (
        "" if wants_day else ", or a time with its offset: 2026-01-31T12:00:00+00:00"
    )
    try:
        at = dt.datetime.fromisoformat(moment)
        if not wants_day and at.tzinfo is not None:
            return at.astimezone(dt.UTC)
    except (ValueError, OverflowError):
        pass
    raise ConfError(f"--as-of-event: found {moment!r}; wanted {wanted}")


def _version(lake: Lake, state: State, version: int | None) -> int:
    if version is None:
        if state.good == NO_VERSION:
            raise QualityError(
                f"{state.name}: no version passed its gate yet; --version {state.version} shows the newest"
            )
        return state.good
    oldest = min(commit.version for commit in lake.history(state.name))
    if not oldest <= version <= state.version:
        raise ConfError(f"{state.name}: no version {version}; wanted one from {oldest} to {state.version}")
    return version


def _render(found: Rows, console: "Console") -> None:
    from rich.table import Table
    from rich.text import Text

    shown = found.columns if found.asked else _fitting(found, console.width)
    table = Table(box=None, header_style="bold", pad_edge=False, padding=(0, 2, 0, 0))
    for column in shown:
        is_number = any(_is_number(row[column]) for row in found.rows)
        table.add_column(
            Text(column), justify="right" if is_number else "left", no_wrap=not found.asked, overflow="fold"
        )
    for row in found.rows:
        table.add_row(*[Text(cell(row[column], None if found.asked else _CELL)) for column in shown])
    console.print(table)
    held = f", as it held at {found.as_of_event}" if found.as_of_event else ""
    version = f"version {found.version}, {'as readers see it' if found.good else 'not the one readers see'}"
    console.print(f"\n{found.table}{held}, {version}: {len(found.rows)} of {found.total:,} rows", style="dim")
    hidden = [column for column in found.columns if column not in shown]
    if hidden:
        console.print(f"not shown: {', '.join(hidden)} (--columns a,b or --json shows them)", style="dim")


def _fitting(found: Rows, width: int) -> list[str]:
    """Return the leading columns, of those that hold anything, that fit side by side; at least one."""
    shown: list[str] = []
    taken = 0
    filled = [c for c in found.columns if not found.rows or any(row[c] is not None for row in found.rows)]
    for column in filled or found.columns:
        cells = [len(cell(row[column], _CELL)) for row in found.rows]
        taken += max([len(column), *cells]) + 2
        if shown and taken > width:
            return shown
        shown.append(column)
    return shown


def _is_number(value: object) -> bool:
    from decimal import Decimal

    return isinstance(value, int | float | Decimal) and not isinstance(value, bool)


def cell(value: object, most: int | None) -> str:
    """Return a value as one line of text."""
    text = "null" if value is None else _text(value)
    text = " ".join(text.split())
    if most is not None and len(text) > most:
        text = text[: most - 3] + "..."
    return text


def _text(value: object) -> str:
    if isinstance(value, dt.datetime):
        return value.isoformat(" ", timespec="seconds").replace("+00:00", "Z")
    if isinstance(value, Mapping):
        value = list(value.items())
    if isinstance(value, list) and value and isinstance(value[0], tuple):  # a struct or a map
        return ", ".join(f"{key}={_text(inner)}" for key, inner in value if inner is not None)
    if isinstance(value, list) and value and isinstance(value[0], Mapping):
        return "; ".join(" ".join(_text(inner) for inner in one.values() if inner is not None) for one in value)
    return ", ".join(map(_text, value)) if isinstance(value, list) else str(value)
