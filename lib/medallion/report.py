"""What a run did, for people: on a console, as Markdown, and as facts."""

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from medallion.output import counted, printable
from medallion.reasons import Reason, Wait, quarantine_reasons, waits
from medallion.run import Report
from medallion.step import Run
from medallion.summary import as_json, besides, judged, missed, quality, refreshed, rows_in, rows_out, score, share
from medallion.tables import Aggregate, Silver, layer_of

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table as Grid

__all__ = [
    "as_json",
    "as_markdown",
    "next_commands",
    "quality_rows",
    "quarantine_reasons",
    "render",
    "score",
    "table_rows",
]

# What Markdown reads otherwise within a line; an underscore is plain between letters. HTML begins with < or &.
_MARKS = re.compile(r"[\\`*\[\]<>|~&#!$]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])")
_REASONS = 3
_CHECKS = 10


def as_markdown(report: Report) -> str:
    """Return a report as Markdown: what failed, the expectations that were not met, a table of tables."""
    lines = [
        f"## {report.pipeline}: {'passed' if report.passed else 'failed'} in {report.seconds:.1f} s",
        f"Run `{report.run_id}`, environment {report.environment}, started {report.started_at}.",
        "",
        *(f"- **failed**: {_as_said(o.error)}" for o in report.outcomes if o.error),
        "",
        f"**Quality**: {quality(report)}",
        "",
    ]
    unmet = missed(report)
    if unmet:
        lines += _markdown_row("expectation not met", "table", "severity", "rows", "example")
        lines.append("| --- | --- | --- | ---: | --- |")
        for table, check in unmet:
            lines += _markdown_row(check.label, _within(table), check.severity, share(check), check.shown)
    elif judged(report):
        lines.append("Every expectation was met.")
    lines += [
        "",
        "**Tables**",
        "",
        *_markdown_row("table", "in", "out", "quarantined", "version", "refreshed", "seconds"),
    ]
    lines.append("| --- | ---: | ---: | ---: | ---: | --- | ---: |")
    for o in report.outcomes:
        counts = (rows_in(o), rows_out(o), o.rows.get("quarantined") or None, o.version)
        lines += _markdown_row(_within(o.table), *counts, refreshed(o), f"{o.seconds:.1f}")
    return "\n".join(lines) + "\n"


def table_rows(report: Report) -> list[dict[str, Any]]:
    """Return a row a table for people: what was done to it and why, and its accounting in words."""
    return [
        {
            "table": _within(o.table),
            "status": o.status,
            "rows": ", ".join(f"{count:,} {term}" for term, count in o.rows.items() if count),
            "seconds": o.seconds,
            "version": o.version,
            "refreshed": refreshed(o),
            "error": o.error,
        }
        for o in report.outcomes
    ]


def quality_rows(report: Report) -> list[dict[str, Any]]:
    """Return a row an expectation for people, those that were not met first."""
    unmet = missed(report)
    met = [found for found in judged(report) if found[1].passed]
    return [
        {
            "table": _within(table),
            "expectation": check.label,
            "severity": check.severity,
            "met": "yes" if check.passed else "no",
            "rows that miss it": share(check),
            "example": check.shown,
        }
        for table, check in (*unmet, *met)
    ]


def render(report: Report, run: Run, console: "Console", *, overrides: Sequence[str] = ()) -> None:
    """Print a report for a newcomer; ``overrides`` are repeated in the commands it ends with."""
    from rich.text import Text

    verdict = ("passed", "bold green") if report.passed else ("failed", "bold red")
    where = f" in {report.seconds:.1f} s, environment {report.environment}, run {report.run_id}"
    console.print(Text.assemble((report.pipeline, "bold"), ": ", verdict, where))
    console.print(_tables(report, run))
    for outcome in report.outcomes:
        if outcome.error:
            console.print(Text.assemble(("\nfailed  ", "bold red"), outcome.error))
    _print_quality(report, console)
    _print_quarantine(quarantine_reasons(run), console)
    _print_waits(waits(run), console)
    console.print(Text("\nTry next", style="bold"))
    _print_commands(next_commands(run, overrides), console)


def next_commands(run: Run, overrides: Sequence[str] = ()) -> list[tuple[str, str]]:
    """Return commands to try after a run, five where its tables are there, and what each is for."""
    name = run.conf.name
    tables = list(run.tables.values())
    aggregates = [table for table in tables if isinstance(table, Aggregate)]
    shown = max(aggregates, key=lambda table: len(table.dimensions)) if aggregates else tables[-1]
    silver = [table for table in tables if isinstance(table, Silver)]
    traced = max(silver, key=lambda table: len(table.upstream)) if silver else shown
    # Whence records come makes no difference to any of these.
    suffix = "".join(f" {override}" for override in overrides if not override.startswith("connections."))
    looks = [
        (shown, f"medallion show {shown.name}{suffix}", "rows, as readers see them"),
        (traced, f"medallion history {traced.name}{suffix}", "its versions: when, why and from what"),
    ]
    return [
        *[(command, purpose) for table, command, purpose in looks if run.lake.exists(table.name)],
        (f"medallion status {name}{suffix}", "tables, deliveries and the last runs"),
        (f"medallion plan {name}{suffix}", "what the next run would do"),
        (f"medallion replay {name}{suffix}", "judge again what is in quarantine, after a fix"),
    ]


def _within(table: str) -> str:
    """Return a table's name within its pipeline."""
    return table.partition(".")[2]


def _markdown_row(*cells: object) -> list[str]:
    texts = ("" if cell is None else f"{cell:,}" if isinstance(cell, int) else str(cell) for cell in cells)
    return ["| " + " | ".join(_as_said(text) for text in texts) + " |"]


def _as_said(text: str) -> str:
    """Return text as a part of a line of Markdown that shows the very text: no link, no picture, no HTML."""
    return _MARKS.sub(r"\\\g<0>", printable(" ".join(text.split())))


def _tables(report: Report, run: Run) -> "Grid":
    from rich.table import Table as Grid
    from rich.text import Text

    grid = Grid(box=None, header_style="bold", pad_edge=False, padding=(0, 2, 0, 0))
    grid.add_column("table", no_wrap=True)
    for heading in ("in", "out", "quarantined", "version"):
        grid.add_column(heading, justify="right", no_wrap=True)
    grid.add_column("refreshed, and why", ratio=1)
    grid.add_column("s", justify="right", no_wrap=True)
    places = {name: place for place, name in enumerate(run.tables)}
    layers = ("bronze", "silver", "gold")
    ordered = sorted(report.outcomes, key=lambda o: (layers.index(layer_of(o.table)), places[o.table]))
    for outcome in ordered:
        why = Text(refreshed(outcome))
        if others := besides(outcome):
            why.append(f"\n{others}", style="dim")
        style = {"skipped": "dim", "failed": "red", "blocked": "red"}.get(outcome.status, "")
        counts = (
            rows_in(outcome),
            rows_out(outcome),
            outcome.rows.get("quarantined") or None,
            outcome.version,
        )
        cells = ["-" if count is None else f"{count:,}" for count in counts]
        grid.add_row(outcome.table.partition(".")[2], *cells, why, f"{outcome.seconds:.1f}", style=style)
    return grid


def _print_quality(report: Report, console: "Console") -> None:
    from rich.table import Table as Grid
    from rich.text import Text

    console.print(Text.assemble(("\nQuality  ", "bold"), quality(report)))
    unmet = missed(report)
    grid = Grid(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    for justify in ("left", "left", "right", "left"):
        grid.add_column(justify=justify, overflow="fold")
    for table, check in unmet[:_CHECKS]:
        name = f"{table.partition('.')[2]}: {check.label}"
        example = check.said or (f"e.g. {_short(check.example, 60)}" if check.example else "")
        style = "red" if check.stops else ""
        grid.add_row(f"  {check.severity}", Text(name), share(check), Text(example), style=style)
    if unmet:
        console.print(grid)
    if len(unmet) > _CHECKS:
        console.print(f"  and {len(unmet) - _CHECKS} more; --json tells all")


def _print_quarantine(reasons: Sequence[Reason], console: "Console") -> None:
    from rich.text import Text

    if not reasons:
        console.print(Text.assemble(("\nQuarantine  ", "bold"), "empty"))
        return
    total = sum(reason.rows for reason in reasons)
    more = f", the first {_REASONS} of {len(reasons)} reasons" if len(reasons) > _REASONS else ""
    console.print(Text.assemble(("\nQuarantine  ", "bold"), f"{counted(total, 'rows')}{more}"))
    for reason in reasons[:_REASONS]:
        rows = f"  {counted(reason.rows, 'rows')}  "
        console.print(Text.assemble(rows, f"{reason.table.partition('.')[2]}: ", (reason.text, "bold")))
        file = f", file {reason.landing_file.rpartition('/')[2]}" if reason.landing_file else ""
        console.print(Text(f"      e.g. delivery {reason.delivery}{file}, record {reason.position}:", style="dim"))
        console.print(Text(f"      {_short(reason.record, console.width - 6)}", style="dim"))


def _print_waits(waits: Sequence[Wait], console: "Console") -> None:
    from rich.text import Text

    if not waits:
        return
    total = counted(sum(wait.rows for wait in waits), "rows")
    console.print(Text.assemble(("\nWaiting  ", "bold"), f"{total}, taken up when what they lack arrives"))
    for wait in waits:
        lookup = (wait.lookup.partition(".")[2], "bold")
        rows = f"  {counted(wait.rows, 'rows')}  {wait.table.partition('.')[2]}: for "
        console.print(Text.assemble(rows, lookup, f", e.g. {_short(wait.example, 60)}"))


def _print_commands(commands: Sequence[tuple[str, str]], console: "Console") -> None:
    """Print commands with what they are for beside them, or above them where they are too long for that."""
    from rich.text import Text

    width = max(len(command) for command, _ in commands)
    beside = 4 + width + max(len(what) for _, what in commands) <= console.width
    for command, what in commands:
        line = (f"  {command:{width}}  ", (what, "dim")) if beside else ((f"  # {what}\n", "dim"), f"  {command}")
        console.print(Text.assemble(*line), soft_wrap=True)


def _short(text: str | None, most: int) -> str:
    line = " ".join((text or "").split())
    return line if len(line) <= most else line[: most - 3] + "..."
