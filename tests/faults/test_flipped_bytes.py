"""Bytes that a disk gives back other than they were written: a run says so or mends it, and the audit names them."""

from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from medallion import cache, clock, gate, run
from medallion.audit import run as auditing
from medallion.errors import HistoryError, LandingError
from medallion.receiver import inbox
from medallion.receiver.inbox import Inbox, Payload
from tests import figures
from tests.faults.conftest import Prepared
from tests.faults.vault import BRONZE, GOLD, QUARANTINE, SILVER, Vault
from tests.lib.audit_breaks import flip
from tests.lib.bare_landing import bare_landing

ROW = "storage faults"


def _live(lake: Vault, name: str) -> Path:
    from deltalake import DeltaTable

    return Path(DeltaTable(lake.path(name)).file_uris()[0].removeprefix("file://"))


def _named(lake: Vault, path: Path) -> bool:
    """Tell whether the audit, without Spark, names a file."""
    found = auditing.audit(run.prepare(lake.conf), None)
    return any(path.name in example for one in found.findings for example in one.examples)


@pytest.mark.slow
@pytest.mark.parametrize(
    "names", [(BRONZE, SILVER), pytest.param((QUARANTINE, GOLD), marks=pytest.mark.soak)], ids=["rows", "derived"]
)
def test_a_run_that_reads_other_bytes_than_were_written_is_told_or_makes_them_anew(
    prepared: Prepared, tmp_path: Path, names: tuple[str, ...]
) -> None:
    counts = {"loud": 0, "recovered": 0}
    for name in names:
        lake = prepared.before.copy(tmp_path / name)
        path = _live(lake, name)
        kept = path.read_bytes()
        flip(path)
        assert _named(lake, path), name
        report = lake.run()
        if report.passed:
            counts["recovered"] += 1
        else:
            told = "; ".join(str(one.error) for one in report.outcomes if one.error)
            assert path.name in told and "damaged" in told and "\n" not in told, told
            counts["loud"] += 1
            path.write_bytes(kept)
            assert lake.run().passed
            counts["recovered"] += 1
        assert lake.contents() == prepared.after, name
    figures.note(ROW, injected=len(names), silent=0, **counts)
    assert counts["recovered"] == len(names)


@pytest.mark.slow
def test_spark_itself_looks_at_the_bytes_of_what_is_not_small(
    prepared: Prepared, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake = prepared.before.copy(tmp_path / "lake")
    assert lake.run(BRONZE).passed
    files = sorted(lake.path(BRONZE).glob("*.parquet"), key=lambda path: path.stat().st_mtime_ns)
    for path in files[-2:]:  # those of the last commit; of the columns that are read some must be hit
        for at in range(4, path.stat().st_size - 8, 512):
            flip(path, at)
    monkeypatch.setattr("medallion.small.SMALL_ROWS", 0)

    (outcome,) = lake.run(SILVER).outcomes

    figures.note(
        ROW, injected=1, loud=int(outcome.status == "failed"), recovered=0, silent=int(outcome.status == "done")
    )
    assert outcome.status == "failed"
    assert "a file is damaged" in str(outcome.error) and "\n" not in str(outcome.error), outcome.error


def test_without_the_look_a_small_table_is_read_as_it_is_now(
    prepared: Prepared, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control: some bit of a file can be flipped so that a reader gets other rows, and no word of it."""
    from medallion import query

    lake = prepared.before.copy(tmp_path / "lake")
    path = _live(lake, SILVER)
    kept = path.read_bytes()
    wanted = query.select(str(lake.path(SILVER)), "SELECT * FROM t")
    is_red = False
    for at in range(4, len(kept) - 8, max(1, len(kept) // 400)):
        path.write_bytes(kept)
        flip(path, at)
        try:
            is_red = query.select(str(lake.path(SILVER)), "SELECT * FROM t") != wanted
        except BaseException as error:
            if isinstance(error, KeyboardInterrupt):
                raise
            continue
        if is_red:
            break
    figures.control(ROW, "small files are held against the checksums beside them", red=is_red)
    assert is_red
    prepared_run = run.prepare(lake.conf)
    state = prepared_run.lake.state(SILVER)
    assert state is not None and lake.sessions is not None
    with pytest.raises(HistoryError, match="damaged: its bytes differ from the checksum beside it"):
        gate.read_version(lake.sessions.start(), state, state.data)


def test_every_bit_of_what_landed_is_held_against_its_manifest(tmp_path: Path) -> None:
    landing = bare_landing(tmp_path, "orders")
    manifest = landing.deliver([("a.json", b'{"id": 1, "amount": 10}')])
    path = landing.folder / manifest.files[0].path
    kept = path.read_bytes()
    for at in range(len(kept)):
        flip(path, at)
        with pytest.raises(LandingError, match=r"orders/files/.*/a\.json: its bytes differ from manifest 1"):
            list(landing.contents(manifest))
        path.write_bytes(kept)
    figures.note(ROW, injected=len(kept), loud=len(kept), recovered=len(kept), silent=0)
    assert [content for _, content in landing.contents(manifest)] == [kept]


def test_a_payload_that_is_not_as_it_was_acknowledged_is_not_landed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    landing = bare_landing(tmp_path, "orders")
    body = b'{"amount": 1000, "id": "A-1"}'
    with closing(Inbox(landing.folder)) as box:
        box.store([Payload("k1", clock.now().isoformat(timespec="microseconds"), body)])
    path = landing.folder / inbox.FILE
    kept = path.read_bytes()
    at = kept.index(b"1000, ")
    flip(path, at)

    with pytest.raises(LandingError, match="the payload of k1 is damaged: its bytes differ from its sha256"):
        inbox.gather(landing)

    assert landing.newest() == 0
    path.write_bytes(kept)
    (manifest,) = inbox.gather(landing)
    ((_, content),) = landing.contents(manifest)
    figures.note(ROW, injected=1, loud=1, recovered=int(b"1000" in content), silent=0)
    assert b'"amount\\": 1000' in content or b"1000" in content


def _spoil(path: Path, change: Callable[[bytearray], None]) -> None:
    content = bytearray(path.read_bytes())
    change(content)
    path.write_bytes(content)


def _zero(content: bytearray) -> None:
    content[4096:8192] = bytes(4096)


@pytest.mark.parametrize("harm", ["a page of zeros", "garbage", "cut in half"])
def test_a_cache_that_is_damaged_is_built_anew(prepared: Prepared, tmp_path: Path, harm: str) -> None:
    lake = prepared.before.copy(tmp_path / "lake")
    link = cache.place_of(lake.conf, SILVER).link
    wanted = lake.cached()
    with closing(cache.connect(link)) as connection:
        connection.execute("UPDATE state SET value = value - 1 WHERE name = 'version'")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    if harm == "a page of zeros":  # of the rows, while what it says of itself can be read
        with closing(cache.connect(link)) as connection:
            (page,) = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'rows'").fetchone()
        _spoil(link.resolve(), lambda content: content.__setitem__(slice(4096 * (page - 1), 4096 * page), bytes(4096)))
    elif harm == "garbage":
        link.resolve().write_bytes(b"garbage" * 1000)
    else:
        _spoil(link.resolve(), lambda content: content.__delitem__(slice(len(content) // 2, None)))

    (synced,) = lake.sync().tables

    figures.note(ROW, injected=1, loud=0, recovered=int(lake.cached() == wanted), silent=0)
    assert (synced.technique, synced.error) == ("full", None)
    assert lake.cached() == wanted
