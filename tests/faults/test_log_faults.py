"""Every file of a table's log, spoilt in every way: reading it is refused, or gives all of it; never less, or older."""

import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from medallion import log_files, query
from medallion.errors import HistoryError
from medallion.lake import Lake
from tests import figures
from tests.faults.conftest import Prepared
from tests.faults.vault import BRONZE, GOLD, QUARANTINE, SILVER, Vault

Harm = Callable[[Path], object]
PLACES = ("newest", "middle", "first")


def _bytes(change: Callable[[bytes], bytes]) -> Harm:
    return lambda path: path.write_bytes(change(path.read_bytes()))


def _flipped(content: bytes) -> bytes:
    """Flip a bit of a digit, which leaves JSON as it is, else of the byte in the middle."""
    at = next((n for n in range(len(content) // 2, len(content)) if content[n : n + 1].isdigit()), len(content) // 2)
    return content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :]


def _next_version(path: Path) -> None:
    numbers = [int(place.stem) for place in path.parent.glob("*.json") if place.stem.isdigit()]
    shutil.copy(path, path.with_name(f"{max(numbers) + 1:020}.json"))


HARMS: dict[str, Harm] = {
    "empty": _bytes(lambda content: b""),
    "gone": Path.unlink,
    "cut in half": _bytes(lambda content: content[: len(content) // 2]),
    "cut by its last line": _bytes(lambda content: b"".join(content.splitlines(keepends=True)[:-1])),
    "cut by its last byte": _bytes(lambda content: content.rstrip()[:-1]),
    "all zeros": _bytes(lambda content: bytes(len(content))),
    "garbage": _bytes(lambda content: b"\x89garbage\n" * 40),
    "garbage in front": _bytes(lambda content: b"garbage\n" + content),
    "garbage behind": _bytes(lambda content: content + b"garbage\n"),
    "twice in one": _bytes(lambda content: content + content),
    "lines turned round": _bytes(lambda content: b"".join(content.splitlines(keepends=True)[::-1])),
    "a bit flipped": _bytes(_flipped),
}
POINTERS: dict[str, Harm] = {
    **{name: HARMS[name] for name in ("empty", "gone", "cut in half", "all zeros", "garbage", "twice in one")},
    "too far": lambda path: path.write_text(json.dumps({"version": 99, "size": 5})),
    "too old": lambda path: path.write_text(json.dumps({"version": 0, "size": 5})),
}


@dataclass(frozen=True)
class Read:
    """What a run reads of a table before it writes."""

    version: int
    good: int
    table_id: str
    rows: tuple[str, ...]
    bytes: int


def _read(lake: Lake, name: str) -> Read:
    state = lake.state(name)
    if state is None:
        raise HistoryError(f"{name}: is not there: it is made anew")
    table = log_files.opened(name, state.path, state.data)
    log_files.require_files(name, table)
    rows = query.select(state.path, "SELECT * FROM t", state.data)
    told = sorted(json.dumps(row, default=str, sort_keys=True) for row in rows)
    return Read(state.version, state.good, state.table_id, tuple(told), lake.size(name))


def _entry(log: Path, place: str, pattern: str) -> Path:
    """Return a numbered file of the log: its newest, the one in the middle, or its first."""
    found = sorted(log.glob(pattern))
    return {"newest": found[-1], "middle": found[len(found) // 2], "first": found[0]}[place]


def _cases(vault: Vault, name: str) -> Iterator[tuple[str, Path, Harm]]:
    """Yield what is spoilt and how; each on a log as it was."""
    log = vault.path(name) / "_delta_log"
    files = {f"{place} commit": _entry(log, place, "*[0-9].json") for place in PLACES}
    files |= {f"{place} checkpoint": _entry(log, place, "*.checkpoint*.parquet") for place in ("newest", "first")}
    files |= {f"{place} checksum": _entry(log, place, "0*.crc") for place in PLACES}
    files["newest commit with rows"] = max(path for path in log.glob("*[0-9].json") if b'{"add":' in path.read_bytes())
    files["newest commit's own sums"] = log / f".{files['newest commit'].name}.crc"
    for what, path in files.items():
        yield from ((f"{what}: {how}", path, harm) for how, harm in HARMS.items())
    yield from ((f"pointer: {how}", log / "_last_checkpoint", harm) for how, harm in POINTERS.items())
    yield "newest commit: once more as the next", files["newest commit"], _next_version
    yield "oldest commit: once more as the next", files["first commit"], _next_version


def _judged(lake: Lake, name: str, whole: Read) -> str:
    """Say what comes of reading: told, as it was, or else."""
    try:
        found = _read(lake, name)
    except HistoryError as error:
        assert str(error).startswith(f"{name}: "), error
        assert "\n" not in str(error) and len(str(error)) < 700, error
        return "told"
    if found == whole or (replace(found, version=whole.version) == whole and found.version > whole.version):
        return "as it was"
    return f"else: version {found.version} of {whole.version}, {len(found.rows)} rows of {len(whole.rows)}"


def _results(prepared: Prepared, folder: Path, name: str) -> dict[str, str]:
    vault = prepared.before.copy(folder / "spoilt")
    lake = Lake(vault.conf)
    log = vault.path(name) / "_delta_log"
    shutil.copytree(log, folder / "kept")
    whole = _read(lake, name)
    results = {}
    for what, path, harm in _cases(vault, name):
        harm(path)
        results[what] = _judged(lake, name, whole)
        shutil.rmtree(log)
        shutil.copytree(folder / "kept", log)
    return results


@pytest.mark.parametrize("name", [BRONZE, SILVER, GOLD, QUARANTINE])
def test_no_damage_to_a_log_is_read_as_a_table_that_is_shorter_or_older(
    prepared: Prepared, tmp_path: Path, name: str
) -> None:
    results = _results(prepared, tmp_path, name)

    loud = sum(result == "told" for result in results.values())
    recovered = sum(result == "as it was" for result in results.values())
    silent = {what: result for what, result in results.items() if result not in ("told", "as it was")}
    figures.note("storage faults", injected=len(results), loud=loud, recovered=recovered, silent=len(silent))
    assert silent == {}
    assert loud > 20 and recovered > 20, (loud, recovered)


def test_without_a_look_at_checksums_a_log_that_is_cut_is_read_as_shorter(
    prepared: Prepared, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control."""
    monkeypatch.setattr("medallion.checksum.differs", lambda path: None)

    results = _results(prepared, tmp_path, SILVER)

    silent = [what for what, result in results.items() if result not in ("told", "as it was")]
    figures.control("storage faults", "commits are held against the checksums beside them", red=bool(silent))
    assert "newest commit with rows: cut by its last line" in silent, silent


def test_without_a_look_at_the_log_itself_it_is_read_as_older(
    prepared: Prepared, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control."""
    monkeypatch.setattr(log_files._Log, "trouble", lambda self: None)

    results = _results(prepared, tmp_path, SILVER)

    silent = [what for what, result in results.items() if result not in ("told", "as it was")]
    figures.control("storage faults", "a log is looked at before it is read", red=bool(silent))
    assert "newest commit: empty" in silent, silent
