"""Packed files: what is in them is read in memory and goes nowhere; a damaged one or a bomb spoils only itself."""

import bz2
import gzip
import io
import random
import resource
import stat
import struct
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from medallion.conf import Source
from medallion.records import packed, read
from medallion.records.packed import ALWAYS_BYTES, MOST_TIMES, PackedError, unpacked
from tests import figures
from tests.lib.bare_landing import bare_landing
from tests.security.corpus import STRINGS
from tests.security.surroundings import ran, unchanged

SEED = 20261
JSON = Source.model_validate({"format": "json", "delivers": "events", "system": "s"})
METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)


def zipped(*members: tuple[str | zipfile.ZipInfo, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """Return a zip of members; one with a name twice warns, and is wanted."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", method) as archive:
        for name, text in members:
            archive.writestr(name, text)
    return content.getvalue()


def link(name: str, mode: int = stat.S_IFLNK) -> zipfile.ZipInfo:
    """Return a member that is a link, as Unix writes it."""
    made = zipfile.ZipInfo(name)
    made.create_system = 3
    made.external_attr = (mode | 0o777) << 16
    return made


def test_members_of_any_name_go_nowhere(tmp_path: Path) -> None:
    """A name only tells the format; no member is ever written to a file."""
    names = [name for name in STRINGS if name and "\0" not in name and not name.endswith("/")]
    landing = bare_landing(tmp_path, "source")
    with unchanged(tmp_path, "landing") as around:
        for name in names:
            content, called = unpacked(zipped((f"{name}.json", b"{}")), "x.zip")
            assert (content, "/" in called) == (b"{}", False)
        files = [(f"{number}.zip", zipped((f"{name}.json", b"{}"))) for number, name in enumerate(names)]
        batch = read(landing, JSON, [landing.deliver(files)])

    assert set(batch.table["payload"].to_pylist()) == {"{}"}
    figures.note("path traversal", tried=len(names), outside=around.outside)


@pytest.mark.parametrize(
    ("what", "content", "told"),
    [
        ("a link", zipped((link("a.json"), b"../../canary")), "../../canary"),  # its text, as any other file's
        ("a device", zipped((link("a.json", stat.S_IFCHR), b"")), ""),
        ("two files", zipped(("a.json", b"1"), ("b.json", b"2")), "holds 2 files, wanted one"),
        ("no file", zipped(("a/", b"")), "holds 0 files, wanted one"),
        ("a tar", b"", "cannot be unpacked: File is not a zip file"),
    ],
)
def test_what_is_not_one_plain_file_is_told_or_read_as_one(
    tmp_path: Path, what: str, content: bytes, told: str
) -> None:
    landing = bare_landing(tmp_path, "source")
    if what == "a tar":
        made = io.BytesIO()
        with tarfile.open(fileobj=made, mode="w") as tar:
            tar.addfile(tarfile.TarInfo("../../x"))
        content = made.getvalue()
    with unchanged(tmp_path, "landing") as around:
        row = read(landing, JSON, [landing.deliver([("x.zip", content)])]).table.to_pylist()[0]

    assert told in (row["payload"] or "") + (row["problem"] or "")
    figures.note("path traversal", tried=1, outside=around.outside)


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_member_that_is_there_twice_is_not_chosen_between() -> None:
    with pytest.raises(PackedError, match="holds 2 files, wanted one"):
        unpacked(zipped(("a.json", b"1"), ("a.json", b"2")), "x.zip")


def _bomb_of_gzip(size: int) -> tuple[str, bytes]:
    return "x.json.gz", gzip.compress(bytes(size))


def _bomb_of_zip(size: int) -> tuple[str, bytes]:
    return "x.zip", zipped(("x.json", bytes(size)))


def _bomb_of_bzip2(size: int) -> tuple[str, bytes]:
    return "x.zip", zipped(("x.json", bytes(size)), method=zipfile.ZIP_BZIP2)


def _bomb_in_many_parts(size: int) -> tuple[str, bytes]:
    part = gzip.compress(bytes(1_000_000))
    return "x.gz", part * (size // 1_000_000)


def _bomb_that_lies(size: int) -> tuple[str, bytes]:
    """A zip whose directory says that its file is small."""
    content = zipped(("x.json", bytes(size)))
    return "x.zip", content.replace(struct.pack("<L", size), struct.pack("<L", 10))


BOMBS: list[Callable[[int], tuple[str, bytes]]] = [
    _bomb_of_gzip, _bomb_of_zip, _bomb_of_bzip2, _bomb_in_many_parts, _bomb_that_lies,
]  # fmt: skip


@pytest.mark.parametrize("bomb", BOMBS, ids=lambda bomb: bomb.__name__)
def test_a_bomb_is_refused_before_it_fills_the_memory(tmp_path: Path, bomb: Callable[[int], tuple[str, bytes]]) -> None:
    """By the constants of `records.packed`: what a small file may unpack to, and how many times its size."""
    size = ALWAYS_BYTES + 1_000_000
    name, content = bomb(size)
    assert len(content) * MOST_TIMES < size
    landing = bare_landing(tmp_path, "source")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    other = ("good.json", b'{"a": 1}')

    rows = read(landing, JSON, [landing.deliver([(name, content), other])]).table.to_pylist()

    told = [row["problem"] for row in rows]
    assert told[1] is None
    assert told[0].startswith("cannot be unpacked: ")
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024 < 5 * ALWAYS_BYTES
    figures.note("injection", tried=1, executed=ran(), unaccounted=0)


def test_without_its_bound_a_bomb_is_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packed, "MOST_TIMES", 10**6)
    size = ALWAYS_BYTES + 1

    name, content = _bomb_of_gzip(size)

    is_red = len(unpacked(content, name)[0]) == size
    figures.control("injection", "what a small file unpacks to is bounded", red=is_red)
    assert is_red


def test_a_file_that_is_packed_well_is_no_bomb() -> None:
    text = b"".join(b'{"id": %d, "name": "somebody", "city": "Vienna"}\n' % number for number in range(20_000))

    assert unpacked(gzip.compress(text), "x.jsonl.gz") == (text, "x.jsonl")
    assert unpacked(gzip.compress(bytes(ALWAYS_BYTES)), "x.gz")[0] == bytes(ALWAYS_BYTES)


def _damaged(content: bytes, chance: random.Random) -> bytes:
    made = bytearray(content)
    for _ in range(chance.choice((1, 1, 2, 4))):
        made[chance.randrange(len(made))] = chance.randrange(256)
    return bytes(made[: chance.choice((len(made), len(made), chance.randrange(len(made))))])


def test_a_damaged_file_is_a_record_with_a_problem_and_spoils_no_other(tmp_path: Path) -> None:
    """Whatever is damaged in it; a step that stops at a file would stop at it in every run."""
    figures.seed("injection", SEED)
    chance = random.Random(SEED)
    text = b'{"a": 1}' * 50
    whole = [("x.zip", zipped(("a/b.json", text), method=method)) for method in METHODS]
    whole += [("x.json.gz", gzip.compress(text)), ("x.gz", bz2.compress(text))]
    files = [
        (f"{number}-{name}", _damaged(content, chance))
        for number in range(800)
        for name, content in [chance.choice(whole)]
    ]
    landing = bare_landing(tmp_path, "source")

    batch = read(landing, JSON, [landing.deliver([*files, ("good.json", b'{"good": 1}')])])

    told = batch.table.to_pylist()
    assert told[-1]["payload"] == '{"good": 1}'
    assert len(told) == len(files) + 1
    figures.note("injection", tried=len(files), executed=ran(), unaccounted=len(files) + 1 - len(told))


def test_a_damaged_parquet_file_is_told_too(tmp_path: Path) -> None:
    source = Source.model_validate({"format": "parquet", "delivers": "events", "system": "s"})
    days = pa.array([20_000, 5_000_000, None], pa.int32()).cast(pa.date32())  # the second is no day of Python's
    rows = pa.table({"a": ["x", "y", None], "n": [1, 2, 3], "d": pa.array([0, 1, 2], pa.date32())})
    chance = random.Random(SEED)
    files = []
    for number, table in enumerate([pa.table({"d": days}), *[rows] * 300]):
        content = io.BytesIO()
        pq.write_table(table, content)
        files.append((f"{number}.parquet", _damaged(content.getvalue(), chance) if number else content.getvalue()))
    landing = bare_landing(tmp_path, "source")

    table = read(landing, source, [landing.deliver(files)]).table

    problems = dict(zip(table["landing_file"].to_pylist(), table["problem"].to_pylist(), strict=True))
    assert len(problems) == len(files)
    assert next(problem for file, problem in problems.items() if file.endswith("/0.parquet")).startswith("not Parquet")
    figures.note("injection", tried=len(files), executed=ran(), unaccounted=len(files) - len(problems))
