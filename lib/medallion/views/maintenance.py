"""What maintenance would do to a pipeline, and what it did: files, bytes, who still needs what."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from medallion.maintain.expire import Deliveries
from medallion.maintain.forecast import Due, Forecast
from medallion.maintain.runpins import RunPin
from medallion.maintain.work import Done
from medallion.output import counted, size

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table


@dataclass(frozen=True)
class Planned:
    """What would be done."""

    pipeline: str
    environment: str
    found: Forecast

    def facts(self) -> dict[str, Any]:
        """Return what `--json` prints."""
        return {
            "pipeline": self.pipeline,
            "environment": self.environment,
            "dry_run": True,
            "tables": [_due_facts(due) for due in self.found.tables],
            "landing": [asdict(one) for one in self.found.landing],
            "records": [asdict(one) for one in self.found.records],
            "pins": [pin_facts(one) for one in self.found.runs],
        }

    def render(self, console: "Console") -> None:
        """Print a line a table, then who holds what, and what to do."""
        from rich.text import Text

        console.print(Text(f"{self.pipeline}, environment {self.environment}", style="bold"))
        shown = _grid("table", "files", "bytes", "what is due", "would free")
        for due in self.found.tables:
            free = f"{size(due.free.bytes + due.log.bytes)}" if due.frees else ""
            style = "red" if due.left_alone else "dim" if due.is_idle else ""
            told = due.left_alone or "; ".join(_told(due)) or "nothing"
            shown.add_row(due.name, f"{due.files:,}", size(due.bytes), told, free, style=style)
        console.print(shown)
        for one in self.found.landing:
            console.print(f"landing.{one.source}: {_told_landing(one)}", soft_wrap=True)
        for records in self.found.records:
            if records.is_due:
                console.print(
                    f"ops.{records.name}: {counted(records.files, 'files')} as few, {records.old:,} old rows go"
                )
        _holds(self.found, console)
        if self.found.is_idle:
            console.print("nothing is due")
        else:
            console.print("nothing was written; the same with --yes does it", style="dim")


@dataclass(frozen=True)
class Maintained:
    """What was done."""

    pipeline: str
    environment: str
    run_id: str
    done: Sequence[Done]

    @property
    def passed(self) -> bool:
        """Whether nothing failed."""
        return not any(one.error for one in self.done)

    def facts(self) -> dict[str, Any]:
        """Return what `--json` prints."""
        told = {"pipeline": self.pipeline, "environment": self.environment, "dry_run": False, "run_id": self.run_id}
        return {**told, "passed": self.passed, "tables": [asdict(one) for one in self.done]}

    def render(self, console: "Console") -> None:
        """Print a line a table that something was done to, and what was freed in all."""
        from rich.text import Text

        console.print(Text(f"{self.pipeline}, environment {self.environment}: run {self.run_id}", style="bold"))
        if not self.done:
            console.print("nothing was due")
            return
        shown = _grid("table", "files", "bytes", "done", "freed")
        for one in self.done:
            files, sizes = _moved(one.files_before, one.files_after), _moved_size(one.bytes_before, one.bytes_after)
            free = f"{counted(one.files_freed, 'files')}, {size(one.bytes_freed)}" if one.files_freed else ""
            shown.add_row(
                one.table, files, sizes, one.error or "; ".join(one.done), free, style="red" if one.error else ""
            )
        console.print(shown)
        files_freed, freed = sum(one.files_freed for one in self.done), sum(one.bytes_freed for one in self.done)
        rows = sum(one.rows_removed for one in self.done)
        console.print(f"freed {counted(files_freed, 'files')}, {size(freed)}; {counted(rows, 'rows')} removed")


@dataclass(frozen=True)
class Pins:
    """The runs of a pipeline that are pinned."""

    pipeline: str
    runs: Sequence[RunPin]

    def facts(self) -> dict[str, Any]:
        """Return what `--json` prints."""
        return {"pipeline": self.pipeline, "pins": [pin_facts(one) for one in self.runs]}

    def render(self, console: "Console") -> None:
        """Print a line a pin."""
        for one in self.runs:
            console.print(told_pin(one), soft_wrap=True)
        if not self.runs:
            console.print("no run is pinned")


def pin_facts(pin: RunPin) -> dict[str, Any]:
    """Return what `--json` prints of a pinned run."""
    told = {"run_id": pin.run_id, "until": pin.until.isoformat(), "has_expired": pin.has_expired}
    return {**told, "versions": dict(pin.versions)}


def told_pin(pin: RunPin) -> str:
    """Return a line for a pinned run."""
    over = ", which has passed: maintenance lets go of it" if pin.has_expired else ""
    return f"run {pin.run_id} is pinned until {pin.until}: {counted(len(pin.versions), 'tables')}{over}"


def _due_facts(due: Due) -> dict[str, Any]:
    return {
        "table": due.name,
        "files": due.files,
        "bytes": due.bytes,
        "disk_bytes": due.disk.bytes,
        "due": _told(due),
        "files_after": due.layout.files_after if due.layout else due.files,
        "rows_to_remove": (due.expired.rows if due.expired else 0) + due.rejected,
        "would_free": {"files": due.free.files + due.log.files, "bytes": due.free.bytes + due.log.bytes},
        "keeps_versions": str(due.need.kept) if due.need and due.need.kept else None,
        "held": due.held,
        "left_alone": due.left_alone,
    }


def _told(due: Due) -> list[str]:
    found = ["properties as conf says"] if any(due.settings.values()) else []
    found += ["a pin that has expired goes"] if None in due.settings.values() else []
    if due.expired and due.expired.rows:
        found.append(f"{counted(due.expired.rows, 'records')} of deliveries up to {due.expired.through} go (keep_rows)")
    if due.rejected:
        found.append(f"{counted(due.rejected, 'rows')} of removed records go")
    if due.layout:
        found.append(f"{due.layout.technique}: {due.layout.why}, to about {due.layout.files_after:,}")
    if due.free.files:
        found.append(f"vacuum: {counted(due.free.files, 'files')}")
    if due.log.files:
        found.append(f"log: {counted(due.log.files, 'files')}")
    return found


def _told_landing(one: Deliveries) -> str:
    found = (
        [f"deliveries {one.first} to {one.last} go: {counted(one.files, 'files')}, {size(one.bytes)}"]
        if one.last
        else []
    )
    return "; ".join([*found, *(f"held: {held}" for held in one.held)])


def _holds(found: Forecast, console: "Console") -> None:
    held = [(due.name, line) for due in found.tables for line in due.held]
    if held:
        console.print("\nheld beyond what conf keeps", style="bold")
    for name, line in held:
        console.print(f"  {name}: {line}", soft_wrap=True)
    for one in found.runs:
        console.print(told_pin(one), soft_wrap=True)


def _moved(before: int, after: int) -> str:
    return f"{before:,} to {after:,}" if before != after else f"{after:,}" if after else ""


def _moved_size(before: int, after: int) -> str:
    return f"{size(before)} to {size(after)}" if before != after else size(after) if after else ""


def _grid(*headings: str) -> "Table":
    from rich.table import Table

    shown = Table(box=None, header_style="bold", pad_edge=False, padding=(0, 2, 0, 0))
    for heading in headings:
        shown.add_column(heading, justify="right" if heading in ("files", "bytes") else "left")
    return shown
