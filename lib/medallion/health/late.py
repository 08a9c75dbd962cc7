"""What is late or unusual by now, whether a run takes place or not: data, runs by their schedule, caches."""

import datetime as dt
from collections.abc import Iterator, Mapping
from typing import Any
from zoneinfo import ZoneInfo

from medallion import arrivals, clock, freshness, query
from medallion.account import NO_VERSION
from medallion.check import Check
from medallion.conf import Conf, Expectation
from medallion.health.found import Judged, Standing, Trouble, command
from medallion.lake import Lake, State
from medallion.output import lasting
from medallion.tables import Bronze, Table

_GRACE = dt.timedelta(minutes=30)  # within which a run that is due may begin


def judged(conf: Conf, lake: Lake, tables: Mapping[str, Table], states: Mapping[str, State | None]) -> Iterator[Judged]:
    """Yield what each table's expectations of time say of it as it stands."""
    for name, table in tables.items():
        if isinstance(table, Bronze):
            for check in arrivals.at_rest(conf, lake, name, table.source):
                yield Judged(name, check.label.partition("(")[0], check)
        else:
            for rule in conf.expectations(name):
                if rule.rule == "freshness":
                    yield Judged(name, "freshness", _fresh(rule, states[name]))


def troubles(conf: Conf, found: list[Judged], failed: set[str]) -> Iterator[Trouble]:
    """Yield what is late, and volumes that are not as usual; but for tables that failed, which tell more."""
    for one in found:
        if one.check.passed or one.table in failed:
            continue
        standing: Standing = "red" if one.check.severity == "fail" else "warn"
        told = f"{one.check.label}: {one.check.said}"
        if one.rule == "volume":
            look = command(conf, f"history {one.table}")
            yield Trouble(standing, one.table, told, look, "anomaly", one.check.label, one.check.failed)
        else:
            again = command(conf, f"run {conf.name} --table {one.table.partition('.')[2]}")
            yield Trouble(
                standing, one.table, told, f"{again}; if nothing comes, ask its source", "late", one.check.label
            )


def schedule(conf: Conf, last_run: dt.datetime | None) -> Iterator[Trouble]:
    """Yield that no run began when the schedule wanted one; where there never was a run, none is missed."""
    when = conf.pipeline.schedule
    if when is None or last_run is None:
        return
    from cronsim import CronSim

    until = (clock.now() - _GRACE).astimezone(ZoneInfo(when.zone))
    due = next(CronSim(when.cron, until, reverse=True))
    if last_run < due:
        ago = lasting((clock.now() - due).total_seconds())
        what = f"no run since {last_run:%Y-%m-%d %H:%M} UTC; one was due {ago} ago, by its schedule {when.cron}"
        yield Trouble("warn", conf.name, what, command(conf, f"run {conf.name}"), "late", "schedule")


def _fresh(rule: Expectation, state: State | None) -> Check:
    if state is None or state.good == NO_VERSION:
        return freshness.judge(rule, None)
    seen = query.seen(query.columns_at(state.path, state.good))
    column = query.quoted([str(rule.column)])
    newest = query.select(state.path, f"SELECT max({column}) AS newest FROM t {seen}", state.good)
    return freshness.judge(rule, _moment(newest[0]["newest"]))


def _moment(value: Any) -> dt.datetime | None:
    """Return a moment in UTC; of a date its beginning."""
    if value is None:
        return None
    at: dt.datetime = value if isinstance(value, dt.datetime) else dt.datetime.combine(value, dt.time())
    return at.astimezone(dt.UTC) if at.tzinfo else at.replace(tzinfo=dt.UTC)
