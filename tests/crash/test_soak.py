"""Random days, killed at random points and moments, until time is up; the same seed makes the same choices again.

MEDALLION_SOAK_SECONDS is how long (120 if not set), MEDALLION_SEED the seed (a random one, which is printed).
"""

import json
import os
import random
import secrets
import signal
import time
from collections import Counter
from dataclasses import asdict, dataclass, field
from pathlib import Path

import pytest

from tests import figures
from tests.crash import harness, invariants, scenario, stages
from tests.crash.harness import TRIES, Lab
from tests.crash.scenario import Day, Depot

pytestmark = [pytest.mark.soak, pytest.mark.timeout(0)]

SECONDS = float(os.environ.get("MEDALLION_SOAK_SECONDS", "120"))
PRODUCTS = [f"p{number}" for number in range(1, 7)]


@dataclass
class Sender:
    """Makes days: new and corrected orders, broken ones, some that were sent before, prices, a growing catalog."""

    random: random.Random
    posts: dict[str, str] = field(default_factory=dict)
    prices: dict[str, str] = field(default_factory=dict)
    catalog: dict[str, str] = field(default_factory=dict)
    extracts: int = 0

    def day(self) -> Day:
        """Return the next day."""
        posts = dict(self._post() for _ in range(self.random.randint(2, 8)))
        prices = dict(self._price() for _ in range(self.random.randint(0, 3)))
        self.posts.update(posts)
        self.prices.update(prices)
        return Day(posts, prices, self._extract() if self.random.random() < 0.6 else {})

    def _post(self) -> tuple[str, str]:
        if self.posts and self.random.random() < 0.2:
            return self.random.choice(list(self.posts.items()))
        id = f"o{len(self.posts)}-{self.random.randrange(10**6)}"
        if self.random.random() < 0.1:
            return id, f'{{"sent": "{id}", "id": '  # cut off
        lines = " ".join(
            self.random.choice(["", "", "", "-"]) + self.random.choice(PRODUCTS)
            for _ in range(self.random.randint(0, 3))
        )
        key = self.random.choice([*[f"order-{number}" for number in range(12)], None])
        amount, gone = self.random.randint(-2, 20), self.random.random() < 0.1
        return id, scenario.order(id, key, self.random.randint(1, 50), amount, lines, deleted=gone)

    def _price(self) -> tuple[str, str]:
        if self.prices and self.random.random() < 0.2:
            return self.random.choice(list(self.prices.items()))
        id = f"c{len(self.prices)}-{self.random.randrange(10**6)}"
        since = f"2026-{self.random.randint(1, 12):02}-{self.random.randint(1, 28):02}"
        return id, scenario.price(id, self.random.choice(PRODUCTS), since, self.random.randint(1, 500))

    def _extract(self) -> dict[str, list[str]]:
        self.extracts += 1
        if self.random.random() < 0.8:  # else the same extract again
            self.catalog[self.random.choice(PRODUCTS)] = f"name {self.extracts}"
        lines = [f"{product},{name}" for product, name in sorted(self.catalog.items())]
        return {f"products-{self.extracts:05}.csv": lines} if lines else {}


@dataclass
class Soak:
    """One lake that lives through all of it, and how often what happened."""

    lab: Lab
    random: random.Random
    depot: Depot
    days: list[Day] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    found: list[str] = field(default_factory=list)

    def live(self, day: Day) -> None:
        """Go through a day, killed in some of its stages, and check."""
        self.days.append(day)
        for stage in stages.STAGES:
            after = harness.lines(self.depot)
            if stage != "drop" and self.random.random() < 0.4:
                self._die(day, stage)
            self._take_up(day, stage, after)
        self.found += [f"day {len(self.days)}: {one}" for one in self.lab.unsound(self.depot)]
        found = invariants.without_gone_children(self.depot, invariants.contents(self.depot))
        wanted = self._never_killed()
        self.found += [f"day {len(self.days)}: {one}" for one in invariants.differences(found, wanted, "differs")]

    def _die(self, day: Day, stage: str) -> None:
        sheet = self.lab.folder / "day.json"
        sheet.write_text(json.dumps(asdict(day)))
        known = self.lab.reached[self.random.randrange(len(scenario.DAYS)), stage]
        point, times = self.random.choice(sorted(known.items()))
        at_a_point = self.random.random() < 0.7
        variables = (
            {"MEDALLION_FAULT_AT": f"{point}:{self.random.randint(1, max(1, times // 2))}"} if at_a_point else {}
        )
        seconds = None if at_a_point else self.random.uniform(0.5, 20 if stage == "run" else 1.5)
        code, told = harness.child(self.depot, stage, str(sheet), variables, seconds=seconds)
        assert code in (0, -signal.SIGKILL), told
        where = variables.get("MEDALLION_FAULT_AT", f"{seconds} s")
        self.counts["kills" if code else "ended before"] += 1
        harness.say(f"day {len(self.days)}, {stage} at {where}: {'killed' if code else 'ended before'}")

    def _take_up(self, day: Day, stage: str, after: int) -> None:
        problem = ""
        for _ in range(TRIES):
            try:
                return self.lab.take_up(self.depot, day, stage, after, only=True)
            except Exception as error:  # noqa: BLE001 - whatever it is, it is tried again
                problem = f"{type(error).__name__}: {error}"
        self.found.append(f"day {len(self.days)}: stuck: {stage}: {problem}")

    def _never_killed(self) -> invariants.Content:
        """Return what a lake holds that was sent the same and had one run, nobody killing it."""
        depot = scenario.new(self.lab.project, self.lab.folder / f"mirror-{len(self.days)}")
        for day in self.days:
            for stage in ("post", "land", "drop"):
                self.lab.take_up(depot, day, stage, harness.lines(depot), only=True)
        self.lab.take_up(depot, Day(), "run", 0)
        return invariants.without_gone_children(depot, invariants.contents(depot))


def test_random_days_killed_at_random_lose_nothing(lab: Lab, capsys: pytest.CaptureFixture[str]) -> None:
    seed = int(os.environ.get("MEDALLION_SEED") or secrets.randbelow(10**9))
    chance = random.Random(seed)
    sender, folder = Sender(chance), Path(lab.folder / "soak")
    soak = Soak(lab, chance, scenario.new(lab.project, folder))
    started = time.monotonic()
    with capsys.disabled():
        harness.say(f"\nMEDALLION_SEED={seed}")
        while time.monotonic() - started < SECONDS and not soak.found:
            soak.live(sender.day())
        kinds = harness.kinds([one.partition(": ")[2] for one in soak.found])
        harness.say(
            f"MEDALLION_SEED={seed} days={len(soak.days)} kills={soak.counts['kills']} "
            f"ended_before={soak.counts['ended before']} lost={kinds['lost']} twice={kinds['twice']} "
            f"stuck={kinds['stuck']} other={kinds.total() - kinds['lost'] - kinds['twice'] - kinds['stuck']}"
        )

    counts = {one: kinds[one] for one in ("lost", "twice", "stuck")}
    other = kinds.total() - sum(counts.values())
    figures.note("random kills", days=len(soak.days), kills=soak.counts["kills"], **counts, other=other)
    figures.seed("random kills", seed)
    assert soak.found == []
    assert soak.counts["kills"] > 0
