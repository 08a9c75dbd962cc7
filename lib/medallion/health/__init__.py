"""How a pipeline fares, told by logs, manifests and records of runs; without Spark, and nothing is written."""

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping

from medallion import cache, ops
from medallion import run as runs_door
from medallion.account import NO_VERSION
from medallion.audit import margins, pins
from medallion.audit.margins import Margin
from medallion.audit.pins import Pinned
from medallion.cache.search import Reader
from medallion.cache.status import status_of
from medallion.conf import Conf
from medallion.errors import HistoryError, LandingError
from medallion.health import late, runs
from medallion.health.found import Backlog, Behind, Judged, Pipeline, Score, Standing, Trouble, command
from medallion.lake import State
from medallion.landing import Landing
from medallion.maintain import runpins
from medallion.output import counted
from medallion.step import Run
from medallion.tables import Bronze, Silver
from medallion.views.names import quarantine_of
from medallion.views.status import rejected

__all__ = ["Backlog", "Behind", "Judged", "Pipeline", "Score", "Trouble", "of"]

_RUNS = 100  # among which one that passed is looked for
_CAME = ("stored", "written")  # rows in an account


def of(conf: Conf) -> Pipeline:
    """Return how a pipeline fares."""
    found = Pipeline(conf.name, conf.environment)
    done = ops.last_runs(conf, _RUNS)
    found.last_run = runs.began(done[0] if done else None)
    found.last_passed = runs.began(next((run for run in done if run["passed"]), None))
    if not done:
        again = command(conf, f"run {conf.name}")
        found.troubles.append(Trouble("warn", conf.name, "no run yet", again, "late", "never"))
    found.troubles += late.schedule(conf, done[0]["started_at"] if done else None)
    found.troubles += _caches(conf)
    try:
        _look(conf, found, done[0]["run_id"] if done else None)
    except (HistoryError, LandingError) as error:  # a table or a delivery that cannot be read is what this is for
        audit = command(conf, f"audit {conf.name} --fast")
        found.troubles.insert(0, Trouble("red", conf.name, str(error), audit, "failure", "unreadable"))
    return found


def _look(conf: Conf, found: Pipeline, newest: str | None) -> None:
    """Look at tables and deliveries; raises HistoryError or LandingError where one cannot be read."""
    prepared = runs_door.prepare(conf)
    states = {name: prepared.lake.state(name) for name in prepared.tables}
    checks = [one for one in ops.newest_checks(conf) if one["table"] in states]
    steps = [
        step
        for step in ops.newest_steps(conf)
        if step["table"] in states or (step["table"] == conf.name and step["run_id"] == newest)
    ]
    failing = list(runs.failures(conf, steps, checks))
    failed = {trouble.subject for trouble in failing}
    _set_aside(prepared, found)
    found.backlog = list(_backlog(prepared, states))
    pinned = pins.pin(prepared)
    found.margins = list(margins.margins(pinned))
    found.pinned = {one.run_id: one.until.isoformat() for one in runpins.of(pinned)}
    found.behind = list(_behind(pinned, found.margins))
    found.judged = list(late.judged(conf, prepared.lake, prepared.tables, states))
    scored = {table: told for table, told in ops.scores(conf, runs.BEFORE + 1).items() if table in states}
    found.scores = runs.scores(scored)
    found.troubles += [
        *failing,
        *_stuck(conf, states, failed),
        *_ahead(prepared, states),
        *_margins(conf, found.margins),
        *late.troubles(conf, found.judged, failed),
        *runs.fallen(conf, prepared.lake, scored),
        *runs.missed(conf, checks),
    ]


def _set_aside(prepared: Run, found: Pipeline) -> None:
    for name, table in prepared.tables.items():
        if isinstance(table, Silver):
            held = rejected(prepared.lake, quarantine_of(name))
            found.quarantined += held["quarantined"]
            found.waiting += held["waiting"]


def _pending(prepared: Run, states: Mapping[str, State | None]) -> Iterator[tuple[str, int, int]]:
    """Yield each source with its deliveries, and how many of them bronze has not taken in."""
    for name, table in prepared.tables.items():
        if isinstance(table, Bronze):
            state, newest = states[name], Landing(prepared.conf, table.source).newest()
            mark = state.account.watermark.get(f"landing.{table.source}") if state and state.account else None
            yield table.source, newest, newest - (mark.version if mark else 0)


def _backlog(prepared: Run, states: Mapping[str, State | None]) -> Iterator[Backlog]:
    for source, deliveries, pending in _pending(prepared, states):
        if pending > 0:
            oldest = Landing(prepared.conf, source).manifest(deliveries - pending + 1)
            yield Backlog(source, pending, oldest.received_at)


def _ahead(prepared: Run, states: Mapping[str, State | None]) -> Iterator[Trouble]:
    for source, _, pending in _pending(prepared, states):
        if pending < 0:
            what = f"bronze has taken in {-pending} deliveries more than landing holds"
            yield Trouble("red", source, what, "bring landing back from a backup", "failure", "ahead")


def _behind(pinned: Pinned, left: Iterable[Margin]) -> Iterator[Behind]:
    for one in left:
        entries = pinned.tables[one.upstream].log.entries
        told = [entries[version] for version in one.pending if version in entries]
        if told:
            rows = sum(e.account.rows.get(term, 0) for e in told if e.account and e.moves_rows for term in _CAME)
            since = dt.datetime.fromtimestamp(told[0].at_ms / 1000, dt.UTC).isoformat(timespec="seconds")
            yield Behind(one.consumer, one.upstream, len(one.pending), rows, since)


def _stuck(conf: Conf, states: Mapping[str, State | None], failed: set[str]) -> Iterator[Trouble]:
    for name, state in states.items():
        if state is not None and state.good != state.data and name not in failed:
            kept = "nothing" if state.good == NO_VERSION else f"version {state.good}"
            what = f"version {state.data} did not pass its gate, or was not judged; readers see {kept}"
            again = command(conf, f"run {conf.name}")
            yield Trouble("red", name, what, f"{again}: its report says what failed", "failure", "run")


def _caches(conf: Conf) -> Iterator[Trouble]:
    for name in conf.pipeline.cache.tables:
        full = f"{conf.name}.{name}"
        place = cache.place_of(conf, full)
        found = status_of(place, Reader(place), (conf.name, name))
        if found.state in ("failed", "killed"):
            again = command(conf, f"sync {conf.name}")
            yield Trouble("red", f"cache of {full}", str(found.error), again, "failure", "cache")


def _margins(conf: Conf, left: Iterable[Margin]) -> Iterator[Trouble]:
    for one in left:
        label = f"history of {one.upstream}"
        if one.standing == "gone":
            yield Trouble("red", one.consumer, f"{label} is gone", margins.in_full(conf.name), "late", label)
        elif one.standing != "ok" and one.held:
            what = f"has yet to read {counted(len(one.pending), 'versions')} of {one.upstream}, which maintenance keeps"
            yield Trouble("warn", one.consumer, f"{what} for it", command(conf, f"run {conf.name}"), "late", label)
        elif one.standing != "ok":
            days = f"{one.left_days:,.0f} of {one.kept_days:,.0f} days"
            what = f"of the history of {one.upstream} that it has yet to read {days} are left"
            standing: Standing = "red" if one.standing == "soon" else "warn"
            yield Trouble(standing, one.consumer, what, margins.in_time(conf.name), "late", label)
