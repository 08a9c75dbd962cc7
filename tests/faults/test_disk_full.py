"""A disk that is full: told in a line, readers keep what they had, and with room again all goes through as if never."""

import errno
import shutil
import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from medallion import cache, clock
from medallion.errors import LakehouseError, LandingError, StorageError
from medallion.receiver import inbox
from medallion.receiver.inbox import Answer, Inbox, Payload
from medallion.run import Report
from tests import figures
from tests.faults import disks, vault
from tests.faults.conftest import Prepared
from tests.faults.vault import SILVER, Vault
from tests.lib.bare_landing import bare_landing

ROW = "storage faults"
MIB = 1 << 20
PAGE = 4096
FULL = "the disk is full; wanted room"


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    with disks.small(tmp_path / "disk", 16 * MIB) as folder:
        yield folder


def test_a_delivery_that_finds_no_room_leaves_nothing_behind(disk: Path) -> None:
    landing = bare_landing(disk, "orders")
    first = landing.deliver([("a.json", b"{}")])
    files = [(f"{n}.json", bytes([n]) * 40_000) for n in range(5)]
    before = sorted(disk.rglob("*"))
    places = set()
    for free in range(0, 60 * PAGE, 5 * PAGE):
        with disks.filled(disk, free):
            try:
                landing.deliver(files)
            except OSError as error:
                assert error.errno == errno.ENOSPC
                places.add(Path(str(error.filename)).name)
                assert sorted(path for path in disk.rglob("*") if path.name != "ballast") == before, free
                assert landing.newest() == 1
                continue
        break
    assert [number for number, _ in enumerate(landing.after(0), 1)] == [1, 2]
    assert [content for _, content in landing.contents(landing.manifest(2))] == [content for _, content in files]
    assert landing.manifest(1) == first
    figures.note(ROW, injected=len(range(0, free, 5 * PAGE)), loud=len(range(0, free, 5 * PAGE)), recovered=1, silent=0)
    assert free >= 45 * PAGE


def test_a_delivery_that_failed_would_take_room_with_every_try(disk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The control."""
    monkeypatch.setattr(shutil, "rmtree", lambda *_, **__: None)
    landing = bare_landing(disk, "orders")
    with disks.filled(disk, 30 * PAGE), pytest.raises(OSError, match="No space left"):
        landing.deliver([(f"{n}.json", bytes(40_000)) for n in range(5)])

    left = list(disk.rglob("*.json"))
    figures.control(ROW, "what a failed delivery wrote is removed", red=bool(left))
    assert left


def test_an_inbox_without_room_refuses_and_keeps_what_it_acknowledged(disk: Path) -> None:
    landing = bare_landing(disk, "orders")
    now = clock.now().isoformat(timespec="microseconds")
    acknowledged, refused = {}, 0
    with closing(Inbox(landing.folder)) as box:
        for number in range(60):
            payload = Payload(f"k{number}", now, bytes([65 + number % 26]) * 20_000)
            with disks.filled(disk, (number % 12) * 4 * PAGE):
                try:
                    assert box.store([payload]) == [Answer.STORED]
                    acknowledged[payload.key] = payload.body
                except (sqlite3.Error, OSError):
                    refused += 1
        box.settle()
    gathered_full = 0
    for free in (0, 2 * PAGE, 20 * PAGE, 60 * PAGE):
        with disks.filled(disk, free), pytest.raises(LandingError) as raised:
            inbox.gather(landing)
        assert "nothing of it is lost" in str(raised.value)
        gathered_full += 1
    inbox.gather(landing)
    landed = b"".join(content for one in landing.after(0) for _, content in landing.contents(one))
    silent = sum(body not in landed for body in acknowledged.values())
    figures.note(ROW, injected=refused + gathered_full, loud=refused + gathered_full, recovered=1, silent=silent)
    assert silent == 0 and refused > 5 and len(acknowledged) > 5
    with closing(Inbox(landing.folder)) as box:
        assert box.waiting() == 0


def test_a_cache_without_room_is_told_and_goes_on_serving(prepared: Prepared, disk: Path) -> None:
    """Built anew and brought in line: from the versions of the day before, and from nothing."""
    told: Counter[str] = Counter()
    recovered = 0
    after = prepared.before.copy(disk.parent / "after")
    assert after.sync().passed
    wanted = after.cached()
    for free in (0, 1, 2, 4, 8, 12, 16, 20, 24, 28, 32):
        lake = prepared.before.copy(disk.parent / f"lake-{free}")
        lake = Vault(lake.project, lake.folder, None, (f"cache.root={disk / 'cache'}",))
        if free % 8:
            shutil.copytree(lake.folder / "cache", disk / "cache", symlinks=True)
            _age(lake)
            had = lake.cached()
        with disks.filled(disk, free * PAGE):
            problem = _problem(lake)
            if free % 8 and problem:
                assert lake.cached() == had
        if problem:
            told[problem.partition(":")[0]] += 1
            assert "full" in problem and "\n" not in problem, problem
        assert lake.sync().passed
        assert lake.cached() == wanted
        recovered += 1
        shutil.rmtree(disk / "cache")
    figures.note(ROW, injected=told.total(), loud=told.total(), recovered=recovered, silent=0)
    assert told.total() >= 4, told


def _age(lake: Vault) -> None:
    """Make a cache one that was brought in line with a version before."""
    link = cache.place_of(lake.conf, SILVER).link
    with closing(cache.connect(link)) as connection:
        connection.execute("UPDATE state SET value = value - 1 WHERE name = 'version'")


def _problem(lake: Vault) -> str:
    try:
        return str(lake.sync().tables[0].error or "")
    except LakehouseError as error:
        return str(error)


def _place(report: Report | str, moved: frozenset[str]) -> str:
    """Name the place that a run came to: the last table that moved, and what kept the next one."""
    if isinstance(report, str):
        return f"before any table: {report.partition(': ')[2][:40]}"
    failed = next((outcome for outcome in report.outcomes if outcome.status == "failed"), None)
    reached = ", ".join(sorted(moved)) or "nothing"
    return f"{failed.table if failed else 'records of the run'}, after {reached}"


def _sweep(prepared: Prepared, disk: Path, frees: list[int]) -> set[str]:
    """Run with so many free bytes each, then with room; return the places that were hit."""
    places: set[str] = set()
    counts: Counter[str] = Counter()
    for free in frees:
        lake = prepared.before.copy(disk / "lake")
        had = lake.versions()
        with disks.filled(disk, free):
            place = _disturbed(prepared, lake, had)
        if place:
            places.add(place)
            counts.update(injected=1, loud=1)
        for _ in range(2):  # a version that nobody judged is judged first, and no more than that is left
            report = lake.run()
            assert report.passed, (free, [outcome.error for outcome in report.outcomes])
            assert lake.contents() == prepared.after, free
        lake.record(report)
        counts.update(recovered=int(bool(place)))
        shutil.rmtree(disk / "lake")
    figures.note(ROW, **counts, silent=0)
    return places


def _disturbed(prepared: Prepared, lake: Vault, had: dict[str, int]) -> str:
    """Run on a disk without room; return the place that was hit, nothing where all went through."""
    report: Report | str
    try:
        report = lake.run()
    except StorageError as error:
        report = str(error)
    told = [report] if isinstance(report, str) else [str(outcome.error) for outcome in report.outcomes if outcome.error]
    if not isinstance(report, str) and report.passed:
        try:
            lake.record(report)
        except StorageError as error:
            told = [str(error)]
    for one in told:
        assert FULL in one and "\n" not in one and "\tat " not in one, one
    seen = lake.seen()
    for name, rows in seen.items():
        assert rows in (prepared.seen[name], vault.public_of(prepared.after, name)), name
    now = lake.versions()
    return _place(report, frozenset(name for name, version in now.items() if version != had[name])) if told else ""


@pytest.mark.slow
def test_a_run_on_a_full_disk_is_told_and_made_up_for(prepared: Prepared, disk: Path) -> None:
    places = _sweep(prepared, disk, [0, 17 * PAGE, 26 * PAGE, 40 * PAGE])

    assert len(places) >= 3, places


@pytest.mark.soak
def test_wherever_a_run_finds_its_disk_full(prepared: Prepared, disk: Path) -> None:
    places = _sweep(prepared, disk, [pages * PAGE for pages in range(0, 90, 4)])

    assert len(places) >= 5, places
