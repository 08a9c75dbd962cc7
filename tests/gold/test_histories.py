"""Any history of silver, by any writer, and any moments of refresh: gold is what a full refresh makes of it."""

import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from medallion import changes, commits, gold, held, small
from tests import figures
from tests.conftest import LAYERS
from tests.gold.mill import GOLD, Mill, line

# What is refreshed in one history; several have tables in common.
CHAINS = (
    ("priced", "by_label", "per_day", "everything"),
    ("priced", "order_sums", "top", "best"),
    ("per_day", "running", "weeks", "order_sums"),
)
ORDERS, PRODUCTS, DAYS = st.integers(1, 5), st.sampled_from(["p", "q", "r", None]), st.integers(0, 20)
UNITS = st.one_of(st.none(), st.integers(-3, 6))
AMOUNTS = st.one_of(st.none(), st.sampled_from(["-1.50", "0.01", "5.00", "12.34", "99999999.99"]))
LINES = st.builds(line, ORDERS, st.integers(0, 2), PRODUCTS, UNITS, AMOUNTS, DAYS)
BUYERS, REGIONS = st.sampled_from(["a", "b", "c", "unknown", None]), st.sampled_from([1, 2, 3, None])
STATUSES = st.sampled_from(["paid", "open", "void", None])
HEADS = st.fixed_dictionaries({"order_id": ORDERS, "buyer": BUYERS, "status": STATUSES})
FLAG = st.booleans()
TOMBSTONES = st.sampled_from([True, False, False])
WAYS = st.sampled_from(["merge", "merge", "merge", "whole", "column"])


class History(RuleBasedStateMachine):
    """One history; its lake is a copy of one that was refreshed once."""

    first: Mill
    folder: Path
    numbers: Iterator[int]
    done: Counter[str]

    @initialize(chain=st.sampled_from(CHAINS), few=FLAG, whole=FLAG, small_ones=FLAG, large=FLAG)
    def begin(self, chain: tuple[str, ...], few: bool, whole: bool, small_ones: bool, large: bool) -> None:
        """Copy the lake; ``few`` rows are held on the driver, a ``whole`` is written, ``small_ones`` are read there.

        The rows of ``large`` ones are replaced, not merged, and full refreshes lay them out.
        """
        lake = self.folder / str(next(self.numbers))
        copied = Path(self.first.lake.conf.root("silver")).parent
        shutil.copytree(copied, lake)
        roots = [f"storage.{layer}.root={lake / layer}" for layer in LAYERS]
        self.mill = Mill(self.first.lake.with_overrides(*roots), {n: dict(r) for n, r in self.first.rows.items()})
        for name, versions in self.first.known.items():
            self.mill.known[name].update(versions)
        self.chain = [name for name in GOLD if name in chain]
        held.FEW = gold.FEW = 200_000 if few else -1
        gold._WHOLE_BYTES = 2**20 if whole else -1
        changes.FEED_BYTES = small.SMALL_BYTES = 2**20 if small_ones else -1
        commits.LARGE_BYTES, gold._MANY_ROWS = (0, 3) if large else (2**20, 2**20)

    @rule(rows=st.lists(LINES, min_size=1, max_size=4, unique_by=lambda one: (one["order_id"], one["line"])), by=WAYS)
    def lines(self, rows: list[dict[str, Any]], by: str) -> None:
        """Lines come or change, late ones and those of unknown orders too."""
        self.mill.write("lines", rows, by=by)

    @rule(order=ORDERS, number=st.integers(0, 2))
    def line_goes(self, order: int, number: int) -> None:
        """A line is deleted."""
        self.mill.write("lines", [{**line(order, number, "p", 1, "1", 1), "_deleted": True}])

    @rule(order=ORDERS, number=st.integers(0, 2), to=st.integers(5, 7))
    def key_changes(self, order: int, number: int, to: int) -> None:
        """A line gets another key: the old one goes, the new one comes, in one commit."""
        row = self.mill.rows["lines"].get((order, number))
        if row is not None:
            self.mill.write("lines", [{**row, "_deleted": True}, {**row, "order_id": to, "_deleted": False}])

    @rule()
    def sent_again(self) -> None:
        """Rows are written as they are."""
        self.mill.write("lines", list(self.mill.rows["lines"].values())[:3])

    @rule(head=HEADS, gone=TOMBSTONES, by=WAYS)
    def order(self, head: dict[str, Any], gone: bool, by: str) -> None:
        """An order comes, changes or goes."""
        self.mill.write("orders", [{**head, "_deleted": gone}], by=by)

    @rule(buyer=st.sampled_from(["a", "b", "c", "d"]), region=REGIONS, gone=TOMBSTONES)
    def buyer(self, buyer: str, region: int | None, gone: bool) -> None:
        """A buyer comes, moves or goes."""
        self.mill.write("buyers", [{"buyer": buyer, "region": region, "_deleted": gone}])

    @rule(region=st.integers(1, 3), label=st.sampled_from(["north", "south", "east", None]), gone=TOMBSTONES)
    def region(self, region: int, label: str | None, gone: bool) -> None:
        """A region gets a name, or goes."""
        self.mill.write("regions", [{"region": region, "label": label, "_deleted": gone}])

    @rule(name=st.sampled_from(["lines", "buyers"]))
    def compacted(self, name: str) -> None:
        """Files are rewritten without a change."""
        self.mill.compact(name)

    @rule(name=st.sampled_from(["lines", "orders"]))
    def restored(self, name: str) -> None:
        """Somebody brings a table back to how it was."""
        self.mill.restore(name)

    @rule()
    def refreshed(self) -> None:
        """Gold is refreshed."""
        outcomes = self.mill.refresh(*self.chain)
        assert {name: outcome.error for name, outcome in outcomes.items() if outcome.error} == {}

    @rule()
    def compared(self) -> None:
        """Gold is held against a full refresh, at versions that the run left behind."""
        self.refreshed()
        assert self.mill.differences(*self.chain) == {}

    def teardown(self) -> None:
        """Compare at the end of every history."""
        if hasattr(self, "mill"):
            self.compared()
            self.done.update(self.mill.techniques)
            figures.note("Incremental equals full", tried=1, held=1)


def run_histories(first: Mill, folder: Path, examples: int, steps: int, *, anew: bool) -> Counter[str]:
    """Try so many histories, each time ``anew`` or the same; return how often which technique was used."""
    done: Counter[str] = Counter()
    before = (held.FEW, gold._WHOLE_BYTES, changes.FEED_BYTES, small.SMALL_BYTES)
    large = (commits.LARGE_BYTES, gold._MANY_ROWS)
    facts = {"first": first, "folder": folder, "numbers": iter(range(10**6)), "done": done}
    machine = type("Machine", (History,), facts)
    try:
        run_state_machine_as_test(
            machine,
            settings=settings(
                max_examples=examples,
                stateful_step_count=steps,
                deadline=None,
                derandomize=not anew,
                phases=[Phase.generate],
                suppress_health_check=list(HealthCheck),
                print_blob=True,
            ),
        )
    finally:
        held.FEW, gold._WHOLE_BYTES, changes.FEED_BYTES, small.SMALL_BYTES = before
        gold.FEW = held.FEW
        commits.LARGE_BYTES, gold._MANY_ROWS = large
    return done


@pytest.mark.slow
@pytest.mark.usefixtures("incremental")
def test_gold_refreshed_by_what_changed_is_what_a_full_refresh_makes(first: Mill, tmp_path: Path) -> None:
    done = run_histories(first, tmp_path, 20, 4, anew=False)

    assert {"affected_keys", "affected_groups", "signed_delta", "skip"} <= set(done)
    assert done["affected_keys"] + done["affected_groups"] + done["signed_delta"] > done["full"]


@pytest.mark.soak
@pytest.mark.timeout(60 * 60)
@pytest.mark.usefixtures("incremental")
@pytest.mark.parametrize("part", range(10))
def test_gold_is_what_a_full_refresh_makes_after_any_of_many_histories(
    first: Mill, tmp_path: Path, part: int, record_property: Callable[[str, object], None]
) -> None:
    """Two hundred in all, each time others; in parts, so that they can be seen to advance, and run side by side."""
    done = run_histories(first, tmp_path, 20, 8, anew=True)

    record_property("techniques", dict(done))
    assert done["affected_keys"] + done["affected_groups"] + done["signed_delta"] > done["full"]
