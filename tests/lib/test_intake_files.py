"""Files of a source: what is new is published once, whatever it is called, and never half."""

import gzip
import os
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from medallion.conf import Connection, Source
from medallion.conf.intake import FilesIntake
from medallion.errors import IntakeError
from medallion.intake import files, read_up_to
from medallion.intake.asked import Asked
from medallion.landing import Landing
from tests.lib.bare_landing import bare_landing


class Folder:
    """A source whose files lie in a folder, and the landing they are published in."""

    def __init__(self, tmp_path: Path, delivers: str = "events", extract: str = "delivery", **intake: Any) -> None:
        self.path = tmp_path / "in"
        self.path.mkdir()
        self.landing = bare_landing(tmp_path, "source")
        told = {"kind": "files", "settle_seconds": 0, **intake}
        facts = {"format": "csv", "delivers": delivers, "extract": extract, "system": "s", "intake": told}
        self.source = Source.model_validate(facts)
        self.said: list[str] = []
        self._moment = 1_700_000_000

    def put(self, name: str, content: bytes | str) -> Path:
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        self._moment += 10
        os.utime(path, (self._moment, self._moment))
        return path

    def take(self, url: str | None = None) -> list[list[tuple[str, bytes]]]:
        """Take in what is new and return the files of each delivery."""
        cursor = read_up_to(self.landing, None, 0)
        connection = Connection(url=url or str(self.path))
        asked = Asked("trial.source", self.source, connection, self.landing, cursor, None, self.path, self.said.append)
        assert isinstance(self.source.intake, FilesIntake)
        taken = files.take(asked, self.source.intake)
        self.notes = taken.notes
        return [[(f.name, content) for f, content in self.landing.contents(one)] for one in taken.manifests]


def test_new_events_are_one_delivery_and_come_once(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    folder.put("b.csv", "1")
    folder.put("a.csv", "2")

    assert folder.take() == [[("b.csv", b"1"), ("a.csv", b"2")]]  # in the order in which they were written
    assert folder.take() == []
    folder.put("c.csv", "3")
    assert folder.take() == [[("c.csv", b"3")]]


def test_names_mean_nothing_to_events(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    folder.put("a.csv", "1")
    folder.take()

    folder.put("copy of a.csv", "1")
    assert folder.take() == []
    folder.put("a.csv", "2")  # rewritten under its name
    assert folder.take() == [[("a.csv", b"2")]]
    os.utime(folder.path / "a.csv", (1, 1))  # only touched
    assert folder.take() == []


def test_a_file_that_is_an_extract_is_news_whatever_another_holds(tmp_path: Path) -> None:
    folder = Folder(tmp_path, "snapshot", "file")
    folder.put("mon.csv", "1")
    folder.put("tue.csv", "1")

    assert folder.take() == [[("mon.csv", b"1")], [("tue.csv", b"1")]]
    folder.put("mon.csv", "1")
    assert folder.take() == []


def test_each_extract_is_a_delivery_and_what_was_taken_does_not_come_back(tmp_path: Path) -> None:
    folder = Folder(tmp_path, "snapshot")
    folder.put("day1.csv", "A")
    folder.put("day2.csv", "B")

    assert folder.take() == [[("day1.csv", b"A")], [("day2.csv", b"B")]]
    assert folder.take() == []  # though day1 is not the latest
    folder.put("day3.csv", "B")  # the latest again, under another name
    assert folder.take() == []
    folder.put("day4.csv", "A")  # A, B, A: news
    assert folder.take() == [[("day4.csv", b"A")]]


def test_a_file_rewritten_back_and_forth_is_news_each_time(tmp_path: Path) -> None:
    folder = Folder(tmp_path, "snapshot")

    found = []
    for content in ("A", "B", "A", "A"):
        folder.put("extract.csv", content)
        found += folder.take()

    assert found == [[("extract.csv", b"A")], [("extract.csv", b"B")], [("extract.csv", b"A")]]


@pytest.mark.parametrize("name", [".hidden.csv", "_SUCCESS", "a.csv.tmp", "a.csv.part", "a.csv~", "B.CSV.TMP"])
def test_unfinished_names_are_left(tmp_path: Path, name: str) -> None:
    folder = Folder(tmp_path)
    folder.put(name, "1")

    assert folder.take() == []


def test_a_file_that_is_being_written_is_left_until_it_is_quiet(tmp_path: Path) -> None:
    folder = Folder(tmp_path, settle_seconds=3600)
    path = folder.put("a.csv", "half")
    os.utime(path)  # just now

    assert folder.take() == []
    assert folder.notes == ["a.csv is still being written"]
    os.utime(path, (1, 1))
    assert folder.take() == [[("a.csv", b"half")]]


def test_a_file_that_grows_while_it_is_read_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = Folder(tmp_path)
    folder.put("a.csv", "half")
    read = Path.read_bytes

    def growing(path: Path) -> bytes:
        content = read(path)
        with path.open("ab") as file:
            file.write(b" and more")
        return content

    with monkeypatch.context() as patched:
        patched.setattr(Path, "read_bytes", growing)
        assert folder.take() == []
    assert folder.take() == [[("a.csv", b"half and more")]]


def test_a_glob_chooses_also_in_folders(tmp_path: Path) -> None:
    folder = Folder(tmp_path, glob="**/*.csv")
    folder.put("2026/01/a.csv", "1")
    folder.put("2026/02/a.csv", "2")
    folder.put("2026/02/a.txt", "3")

    assert folder.take() == [[("2026__01__a.csv", b"1"), ("2026__02__a.csv", b"2")]]


def test_killed_between_two_deliveries_the_rest_comes_next_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = Folder(tmp_path, "snapshot")
    folder.put("day1.csv", "A")
    folder.put("day2.csv", "B")
    deliver = Landing.deliver

    def once(self: Landing, *arguments: Any) -> Any:
        if self.newest() == 1:
            raise KeyboardInterrupt
        return deliver(self, *arguments)

    with monkeypatch.context() as patched:
        patched.setattr(Landing, "deliver", once)
        with pytest.raises(KeyboardInterrupt):
            folder.take()

    assert folder.take() == [[("day2.csv", b"B")]]


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(IntakeError, match=r"trial\.source: found no folder .*nowhere; wanted one with files"):
        Folder(tmp_path).take(url=str(tmp_path / "nowhere"))


class _File(BaseHTTPRequestHandler):
    content, asked = b"A", 0

    def do_GET(self) -> None:
        type(self).asked += 1
        tag = f'"{hash(self.content)}"'
        same = self.headers.get("If-None-Match") == tag
        self.send_response(304 if same else 200)
        self.send_header("ETag", tag)
        self.send_header("Content-Length", "0" if same else str(len(self.content)))
        self.end_headers()
        if not same:
            self.wfile.write(self.content)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture
def address() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _File)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/rates/hist.csv.gz"
    server.shutdown()
    server.server_close()


def test_a_file_at_an_address_is_fetched_when_it_changed(tmp_path: Path, address: str) -> None:
    folder = Folder(tmp_path, "snapshot")
    _File.content = gzip.compress(b"A", mtime=0)

    assert folder.take(address) == [[("hist.csv.gz", _File.content)]]
    assert folder.take(address) == []
    _File.content = gzip.compress(b"B", mtime=0)
    assert folder.take(address) == [[("hist.csv.gz", _File.content)]]
