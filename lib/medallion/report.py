"""What a run did, for people: on a console, as Markdown, and as facts."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from medallion.output import counted
from medallion.reasons import Reason, quarantine_reasons
from medallion.run import Report
from medallion.step import Check, Outcome, Run
from medallion.tables import Aggregate, Silver, layer_of

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table as Grid

__all__ = ["as_json", "as_markdown", "quarantine_reasons", "render", "rows_in", "rows_out", "score"]

_REASONS = 3
_CHECKS = 10
_SHOWN = ("read", "written", "stored", "quarantined")  # terms that have a column of their own


def as_json(report: Report) -> dict[str, Any]:
    """Return a report as plain values: the run, an entry a table, and every expectation's result."""
    judged = _judged(report)
    return {
        "pipeline": report.pipeline,
        "run_id": report.run_id,
        "environment": report.environment,
        "started_at": report.started_at,
        "seconds": report.seconds,
        "passed": report.passed,
        "score": score(report),
        "tables": [_facts(outcome) for outcome in report.outcomes],
        "expectations": {
            "total": len(judged),
            "passed": sum(check.passed for _, check in judged),
            "failed": sum(not check.passed for _, check in judged),
            "results": [{"table": table, **asdict(check)} for table, check in judged],
        },
    }


def as_markdown(report: Report) -> str:
    """Return a report as Markdown: a table of tables, and the expectations that were not met."""
    judged = _judged(report)
    missed = _missed(report)
    lines = [
        f"## {report.pipeline}: {'passed' if report.passed else 'failed'} in {report.seconds:.1f} s",
        f"Run `{report.run_id}`, environment {report.environment}, started {report.started_at}.",
        "",
        *_markdown_row("table", "in", "out", "quarantined", "version", "refreshed", "seconds"),
        "| --- | ---: | ---: | ---: | ---: | --- | ---: |",
    ]
    for o in report.outcomes:
        cells = (
            o.table,
            rows_in(o),
            rows_out(o),
            o.rows.get("quarantined"),
            o.version,
            _refreshed(o),
            o.seconds,
        )
        lines += _markdown_row(*cells)
    lines += ["", f"**Quality**: {_quality(report)}", ""]
    if missed:
        lines += _markdown_row("expectation not met", "table", "severity", "rows", "example")
        lines.append("| --- | --- | --- | ---: | --- |")
        for table, check in missed:
            lines += _markdown_row(check.label, table, check.severity, _share(check), check.example)
    elif judged:
        lines.append("Every expectation was met.")
    return "\n".join(lines) + "\n"


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
    console.print(Text("\nTry next", style="bold"))
    _print_commands(next_commands(run, overrides), console)


def rows_in(outcome: Outcome) -> int | None:
    """Return how many rows a step read; None where it read nothing at all."""
    return outcome.rows.get("read") if outcome.status != "skipped" else None


def rows_out(outcome: Outcome) -> int | None:
    """Return how many rows a step stored or wrote."""
    return outcome.rows.get("stored", outcome.rows.get("written")) if outcome.status != "skipped" else None


def score(report: Report) -> float | None:
    """Return the share of rows, 0 to 100, that missed no expectation; None where none were judged."""
    judged = [(o.score, o.rows.get("read", 0)) for o in report.outcomes if o.score is not None]
    rows = sum(read for _, read in judged)
    return round(sum(points * read for points, read in judged) / rows, 2) if rows else None


def next_commands(run: Run, overrides: Sequence[str] = ()) -> list[tuple[str, str]]:
    """Return five commands to try after a run, and what each is for."""
    name = run.conf.name
    tables = list(run.tables.values())
    aggregates = [table for table in tables if isinstance(table, Aggregate)]
    shown = max(aggregates, key=lambda table: len(table.dimensions)) if aggregates else tables[-1]
    silver = [table for table in tables if isinstance(table, Silver)]
    traced = max(silver, key=lambda table: len(table.upstream)) if silver else shown
    suffix = "".join(f" {override}" for override in overrides)
    return [
        (f"medallion show {shown.name}{suffix}", "rows, as readers see them"),
        (f"medallion history {traced.name}{suffix}", "its versions: when, why and from what"),
        (f"medallion status {name}{suffix}", "tables, deliveries and the last runs"),
        (f"medallion plan {name}{suffix}", "what the next run would do"),
        (f"medallion replay {name}{suffix}", "judge again what is in quarantine, after a fix"),
    ]


def _facts(outcome: Outcome) -> dict[str, Any]:
    return {key: value for key, value in asdict(outcome).items() if key != "checks"}


def _judged(report: Report) -> list[tuple[str, Check]]:
    return [(outcome.table, check) for outcome in report.outcomes for check in outcome.checks]


def _missed(report: Report) -> list[tuple[str, Check]]:
    """Return the expectations that were not met, those that stopped a table first."""
    order = {"fail": 0, "quarantine": 1, "warn": 2}
    missed = [(table, check) for table, check in _judged(report) if not check.passed]
    return sorted(missed, key=lambda one: (not one[1].stops, order[one[1].severity], -one[1].failed))


def _quality(report: Report) -> str:
    judged = _judged(report)
    if not judged:
        return "no expectation had anything to judge"
    missed = sum(not check.passed for _, check in judged)
    tolerated = sum(check.passed and check.failed > 0 for _, check in judged)
    within = f" ({tolerated} within tolerance)" if tolerated else ""
    points = score(report)
    told = f"; quality score {points:.2f} of 100" if points is not None else ""
    return f"{len(judged)} expectations, {len(judged) - missed} passed{within}, {missed} not met{told}"


def _share(check: Check) -> str:
    return f"{check.failed:,} of {check.total:,}"


def _refreshed(outcome: Outcome) -> str:
    reason = outcome.reason.replace(f"{outcome.table.split('.')[0]}.", "")
    if outcome.status in ("failed", "blocked"):
        return f"{outcome.status}: {reason}" if reason else outcome.status
    return f"{outcome.technique}: {reason}"


def _besides(outcome: Outcome) -> str:
    """Name the other terms of the accounting equation, where they are not zero."""
    return ", ".join(f"{count:,} {term}" for term, count in outcome.rows.items() if count and term not in _SHOWN)


def _markdown_row(*cells: object) -> list[str]:
    texts = ("" if cell is None else f"{cell:,}" if isinstance(cell, int) else str(cell) for cell in cells)
    return ["| " + " | ".join(" ".join(text.split()).replace("|", "\\|") for text in texts) + " |"]


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
        why = Text(_refreshed(outcome))
        if besides := _besides(outcome):
            why.append(f"\n{besides}", style="dim")
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

    console.print(Text.assemble(("\nQuality  ", "bold"), _quality(report)))
    missed = _missed(report)
    grid = Grid(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    for justify in ("left", "left", "right", "left"):
        grid.add_column(justify=justify, overflow="fold")
    for table, check in missed[:_CHECKS]:
        name = f"{table.partition('.')[2]}: {check.label}"
        example = f"e.g. {_short(check.example, 60)}" if check.example else ""
        style = "red" if check.stops else ""
        grid.add_row(f"  {check.severity}", Text(name), _share(check), Text(example), style=style)
    if missed:
        console.print(grid)
    if len(missed) > _CHECKS:
        console.print(f"  and {len(missed) - _CHECKS} more; --json tells all")


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
