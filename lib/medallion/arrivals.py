"""What a bronze table takes in, judged as it comes: how much it is for its day, and whether anything came lately."""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta

from medallion import clock, freshness, gate, volume
from medallion.check import Check
from medallion.conf import Conf, Expectation
from medallion.lake import Commit, Lake, State
from medallion.step import Step
from medallion.tables import Bronze


class Arrivals:
    """The days of a bronze table, as its commits and the deliveries of this run tell them."""

    def __init__(self, step: Step, table: Bronze, state: State | None) -> None:
        """Read the history of a table that has expectations of its volume; of others nothing."""
        self._step, self._table = step, table
        self._rules = gate.expectations_of(step)
        wanted = state is not None and any(rule.rule == "volume" for rule in self._rules)
        commits = list(step.lake.history(step.name, volume.COMMITS)) if wanted else []
        self._days = volume.days_of(commits)
        self._taken = _until(commits, state.good) if state else {}
        # Of a version that did not pass all days are judged again: it is what they hold together that did not.
        self._judged_anew = _since(commits, state.good) if state and state.good != state.data else set()

    def take(self, received: Mapping[str, Sequence[int]]) -> None:
        """Add what a batch brings."""
        came = volume.received(received)
        self._days = volume.together(self._days, came)
        self._judged_anew |= set(came)

    def checks(self) -> list[Check]:
        """Return how all that came so far fares."""
        volumes = [rule for rule in self._rules if rule.rule == "volume"]
        found = [_volume(rule, self._days, self._judged_anew, self._taken) for rule in volumes]
        conf = self._step.run.conf
        late = [freshness.of_source(r, conf, self._table.source) for r in self._rules if r.rule == "freshness"]
        return [*found, *late]


def at_rest(conf: Conf, lake: Lake, name: str, source: str) -> list[Check]:
    """Judge a bronze table as it stands now, without a run: yesterday, today, and the newest delivery."""
    rules = conf.expectations(name)
    found = [freshness.of_source(rule, conf, source) for rule in rules if rule.rule == "freshness"]
    volumes = [rule for rule in rules if rule.rule == "volume"]
    state = lake.state(name) if volumes else None
    if state is not None:
        commits = list(lake.history(name, volume.COMMITS))
        days, taken = volume.days_of(commits), _until(commits, state.good)
        found += [_volume(rule, days, {clock.run_date()}, taken) for rule in volumes]
    return found


def _volume(rule: Expectation, days: volume.Days, looked_at: set[date], taken: volume.Days) -> Check:
    today = clock.run_date()
    yesterday = today - timedelta(days=1)
    also = {yesterday} if days and min(days) <= yesterday else set()
    return volume.judge(rule, days, looked_at | also, today, taken)


def _until(commits: Sequence[Commit], good: int) -> volume.Days:
    return volume.days_of(commit for commit in commits if commit.version <= good)


def _since(commits: Sequence[Commit], good: int) -> set[date]:
    return set(volume.days_of(commit for commit in commits if commit.version > good))
