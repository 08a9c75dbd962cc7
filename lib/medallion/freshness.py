"""How old the newest of a table is, held against the clock."""

from datetime import UTC, datetime, timedelta

from medallion import clock
from medallion.check import Check
from medallion.conf import Conf, Expectation
from medallion.landing import Landing
from medallion.output import lasting


def judge(expectation: Expectation, newest: datetime | None) -> Check:
    """Return whether the newest moment is within the time that is allowed; without any there is nothing to judge."""
    what = f"newest {expectation.column}" if expectation.column else "last delivery"
    within = expectation.within or timedelta()
    if newest is None:
        return Check(expectation.label, expectation.severity, 0, 0, True, said=f"no {what} yet: not judged")
    age = clock.now() - newest
    late = age > within
    said = f"{what} is of {newest:%Y-%m-%d %H:%M} UTC, {lasting(age.total_seconds())} ago; wanted within {within}"
    stops = late and expectation.severity == "fail"
    return Check(expectation.label, expectation.severity, int(late), 1, not late, said=said, stops=stops)


def of_source(expectation: Expectation, conf: Conf, source: str) -> Check:
    """Judge a bronze table by when landing received its source's newest delivery."""
    landing = Landing(conf, source)
    number = landing.newest()
    newest = datetime.fromisoformat(landing.manifest(number).received_at) if number else None
    return judge(expectation, newest)


def from_micros(micros: int | None) -> datetime | None:
    """Return a moment of so many microseconds since 1970."""
    return None if micros is None else datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=micros)
