"""Names that lead elsewhere: nothing is made, read or changed outside of the roots."""

import json
import os
import socket
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from medallion import conf as conf_door
from medallion.conf import Conf, Connection, Source
from medallion.conf.intake import FilesIntake
from medallion.errors import ConfError, LakehouseError, LandingError
from medallion.feed import land_folder, sort_folder
from medallion.intake import files
from medallion.intake.asked import Asked, Taken
from medallion.landing import Landing
from medallion.receiver.inbox import Inbox, Payload, gather
from tests import figures
from tests.lib.bare_landing import bare_landing
from tests.lib.conftest import Lab
from tests.security.corpus import PATHS, STRINGS, UNICODE
from tests.security.surroundings import CANARY, unchanged

ROOT = "landing"


def test_a_delivered_file_has_a_plain_name_or_is_refused(tmp_path: Path) -> None:
    """Whatever a name is, the file lies in its delivery's own folder, under that very name."""
    landing = bare_landing(tmp_path, "source")
    taken = 0
    with unchanged(tmp_path, ROOT) as around:
        for name in (*STRINGS, "x" * 255, "x" * 256, "é" * 128):
            try:
                manifest = landing.deliver([(name, b"1")])
            except LandingError as error:
                assert "wanted a plain name" in str(error), name
                continue
            taken += 1
            (file,) = manifest.files
            path = landing.folder / file.path
            assert (file.name, path.name) == (name, name)
            assert path.resolve().parent.parent == (landing.folder / "files").resolve()

    assert len(landing.after(0)) == taken
    figures.note("path traversal", tried=len(STRINGS) + 3, outside=around.outside)


def test_without_the_look_at_names_a_file_lies_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Control: were every name a plain one, this one would lie beside its delivery."""
    monkeypatch.setattr("medallion.landing.os.path.basename", lambda name: name)

    bare_landing(tmp_path, "source").deliver([("../x", b"1")])

    is_red = list(tmp_path.glob("landing/trial/source/files/x")) != []
    figures.control("path traversal", "a delivered file's name is a plain one", red=is_red)
    assert is_red


def test_names_that_differ_by_case_or_composition_are_two_files(tmp_path: Path) -> None:
    names = ["a.json", "A.json", "\u00e9.json", "e\u0301.json", "\u1e9e.json", "ss.json", "\ufb01.json", "fi.json"]
    landing = bare_landing(tmp_path, "source")

    manifest = landing.deliver([(name, name.encode()) for name in names])

    assert [(file.name, content) for file, content in landing.contents(manifest)] == [(n, n.encode()) for n in names]


@pytest.mark.parametrize("path", ["../../../../canary", "{canary}", "files/../../../../canary", "link", "files/gone"])
def test_a_manifest_that_names_a_file_elsewhere_gives_nothing_of_it(tmp_path: Path, path: str) -> None:
    """Who can change a manifest still needs the file's hash; and is not told what is in it."""
    landing = bare_landing(tmp_path, "source")
    landing.deliver([("a.json", b"1")])
    manifest = landing.folder / "manifests" / "000000000001.json"
    with unchanged(tmp_path, ROOT) as around:
        (landing.folder / "link").symlink_to(around.canary)
        told = json.loads(manifest.read_text())
        told["files"][0]["path"] = path.format(canary=around.canary)
        manifest.write_text(json.dumps(told))

        with pytest.raises(LandingError) as refused:
            list(landing.contents(landing.manifest(1)))

        assert CANARY.decode() not in str(refused.value)
        (landing.folder / "link").unlink()
    figures.note("path traversal", tried=1, outside=around.outside)


@pytest.mark.parametrize("id", [one for one in (*PATHS, *UNICODE) if one.isascii()])
def test_a_webhooks_id_is_a_key_and_no_files_name(tmp_path: Path, id: str) -> None:
    landing = bare_landing(tmp_path, "source")
    with unchanged(tmp_path, ROOT) as around:
        inbox = Inbox(landing.folder)
        inbox.store([Payload(id, "2026-01-30T06:00:00.000000+00:00", b"{}")])
        inbox.close()
        (manifest,) = gather(landing)

    assert [file.name for file in manifest.files] == ["payloads.envelopes.jsonl"]
    assert json.loads(next(landing.contents(manifest))[1])["id"] == id
    figures.note("path traversal", tried=1, outside=around.outside)


class Drop:
    """A folder that others write to, and an intake that reads it."""

    def __init__(self, tmp_path: Path, **intake: Any) -> None:
        self.path = tmp_path / "in" / "here"
        self.path.mkdir(parents=True)
        self.landing = bare_landing(tmp_path, "source")
        told = {"kind": "files", "settle_seconds": 0, "glob": "**/*", **intake}
        self.source = Source.model_validate({"format": "json", "delivers": "events", "system": "s", "intake": told})

    def take(self) -> Taken:
        assert isinstance(self.source.intake, FilesIntake)
        connection = Connection(url=str(self.path))
        asked = Asked("trial.source", self.source, connection, self.landing, {}, None, self.path, lambda _: None)
        return files.take(asked, self.source.intake)

    def landed(self) -> dict[str, bytes]:
        found = [self.landing.contents(one) for one in self.landing.after(0)]
        return {file.name: content for contents in found for file, content in contents}


@pytest.fixture
def drop(tmp_path: Path) -> Drop:
    return Drop(tmp_path)


@pytest.fixture
def elsewhere(tmp_path: Path) -> Iterator[Path]:
    """A folder beside the one that is read, with a canary in it."""
    folder = tmp_path / "in" / "private"
    folder.mkdir(parents=True)
    (folder / "secret.json").write_bytes(CANARY)
    yield folder


LINKS: dict[str, Callable[[Path, Path], None]] = {
    "a link to a file": lambda here, there: (here / "a.json").symlink_to(there / "secret.json"),
    "a relative link": lambda here, there: (here / "a.json").symlink_to("../private/secret.json"),
    "a link to a link": lambda here, there: (
        (here / ".b").symlink_to(there / "secret.json"),
        (here / "a.json").symlink_to(here / ".b"),
    )[0],
    "a link to a folder": lambda here, there: (here / "folder").symlink_to(there),
    "a link to a folder far above": lambda here, there: (here / "folder").symlink_to(there.parent),
    "a link to itself": lambda here, there: (here / "a.json").symlink_to(here / "a.json"),
    "a link to nothing": lambda here, there: (here / "a.json").symlink_to(there / "gone"),
    "a pipe": lambda here, there: os.mkfifo(here / "a.json"),
    "a device": lambda here, there: (here / "a.json").symlink_to("/dev/zero"),
    "a process": lambda here, there: (here / "a.json").symlink_to("/proc/self/environ"),
}


@pytest.mark.parametrize("glob", ["**/*", "*", "*/*"])
@pytest.mark.parametrize("what", LINKS)
def test_what_leads_out_of_a_folder_is_left(tmp_path: Path, elsewhere: Path, what: str, glob: str) -> None:
    drop = Drop(tmp_path / "x", glob=glob)
    LINKS[what](drop.path, elsewhere)
    (drop.path / "folder2").mkdir()
    for place in ("good.json", "folder2/good.json"):
        (drop.path / place).write_bytes(b"{}")
    with unchanged(tmp_path, "x") as around:
        taken = drop.take()

    assert drop.landed() != {}
    assert set(drop.landed().values()) == {b"{}"}
    assert all("leads out of its folder and is left" in note for note in taken.notes)
    figures.note("path traversal", tried=1, outside=around.outside)


def test_a_socket_in_a_folder_is_left(drop: Drop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(drop.path)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("a.json")

        assert drop.take().manifests == []


def test_a_link_within_its_folder_is_a_file(drop: Drop) -> None:
    (drop.path / "day").mkdir()
    (drop.path / "day" / "a.json").write_bytes(b"{}")
    (drop.path / "newest.json").symlink_to(drop.path / "day" / "a.json")

    assert drop.take().notes == []
    assert set(drop.landed()) <= {"day__a.json", "newest.json"}


def test_without_the_look_at_where_links_lead_a_secret_is_landed(
    drop: Drop, elsewhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Path, "is_relative_to", lambda *_: True)
    (drop.path / "a.json").symlink_to(elsewhere / "secret.json")

    drop.take()

    is_red = CANARY in drop.landed().values()
    figures.control("path traversal", "a link out of an intake's folder is left", red=is_red)
    assert is_red


@pytest.mark.parametrize(
    "glob", ["../private/*", "**/../../private/*", "/etc/*", "a/../../x", "**x", "a\0b", "..", "a\nb"]
)
def test_a_pattern_that_leads_out_of_its_folder_is_refused(glob: str) -> None:
    with pytest.raises(ValidationError, match="wanted a pattern of names below the folder"):
        FilesIntake(kind="files", glob=glob)


@pytest.mark.parametrize("glob", ["*", "*.csv", "*/*.json", "**/*.json.gz", "[a-c]?.csv", "orders..csv", "..a"])
def test_any_other_pattern_is_taken(glob: str) -> None:
    assert FilesIntake(kind="files", glob=glob).glob == glob


def test_no_name_in_a_folder_keeps_the_others_from_being_taken(drop: Drop) -> None:
    """Two that would be one in landing, one that is too long there, and one that is no text."""
    deep = drop.path / ("a" * 200) / ("b" * 200)
    deep.mkdir(parents=True)
    (drop.path / "x").mkdir()
    names = {b"x/y.json": b"1", b"x__y.json": b"2", b"caf\xe9.json": b"3", b"a\nb.json": b"4"}
    for name, content in names.items():
        Path(os.fsdecode(os.path.join(os.fsencode(drop.path), name))).write_bytes(content)
    (deep / "c.json.gz").write_bytes(b"5")

    drop.take()

    landed = drop.landed()
    assert sorted(landed.values()) == [b"1", b"2", b"3", b"4", b"5"]
    assert landed["caf\\xe9.json"] == b"3"
    digest = sha256(str((deep / "c.json.gz").relative_to(drop.path)).encode()).hexdigest()[:32]
    assert landed[f"{digest}.json.gz"] == b"5"
    assert all(len(name.encode()) <= 255 for name in landed)


@pytest.mark.parametrize("name", [one for one in PATHS if one not in ("aux",)])
def test_a_source_or_pipeline_of_such_a_name_is_none(lab: Lab, tmp_path: Path, name: str) -> None:
    conf = lab.folder / "conf" / "pipelines" / "lab.yaml"
    as_it_was = conf.read_text()
    with unchanged(tmp_path, "conf") as around:
        with pytest.raises(ConfError):
            conf_door.load(name, (), lab.folder)
        with pytest.raises(ConfError):
            lab.conf().source(name)
        conf.write_text(as_it_was.replace("  readings:", f"  {json.dumps(name)}:", 1))
        with pytest.raises(ConfError, match=r"^conf/pipelines/lab\.yaml: "):
            lab.conf()
    figures.note("path traversal", tried=3, outside=around.outside)


@pytest.mark.parametrize("key", [f"storage.{layer}.root" for layer in ("landing", "bronze", "ops")] + ["cache.root"])
@pytest.mark.parametrize("value", ['"a\\0b"', '"a\\nb"', '"\\x1b[2J"', '"a\\u202eb"', '""', "~/x"])
def test_a_root_that_no_folder_can_have_is_refused(lab: Lab, key: str, value: str) -> None:
    with pytest.raises(ConfError, match="wanted a folder"):
        lab.conf(f"{key}={value}")


def test_a_folder_of_ones_own_is_sorted_and_only_read(lab: Lab, tmp_path: Path) -> None:
    """`make demo DATA=`: what is no source's is told, and nothing of it is landed."""
    folder = tmp_path / "given"
    (folder / "readings").mkdir(parents=True)
    (folder / "readings" / "a.json").write_bytes(b"{}")
    for name in ("canary", "..json", "x/readings"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(CANARY)

    with pytest.raises(ConfError, match="cannot tell which source delivers"):
        sort_folder(lab.conf(), folder)

    (folder / "canary").unlink()
    (folder / "x" / "readings").unlink()
    (drop,) = sort_folder(lab.conf(), folder)
    land_folder(lab.conf(), drop)
    assert [file.name for file in Landing(lab.conf(), "readings").manifest(1).files] == ["a.json"]


def test_a_lake_error_of_a_name_is_one_for_people(project: Callable[..., Conf]) -> None:
    with pytest.raises(LakehouseError):
        project("../x", {}, "description: x")
