"""The archive of `make dist`: the same bytes for the same sources, and whose code it may stand in for."""

import json
import os
import shutil
import zipfile
from pathlib import Path

import dist
import pytest

from medallion import archive, conf
from medallion.archive import Archive
from medallion.errors import ConfError

PROJECT = Path(__file__).resolve().parents[2]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Return a small project with a bit of each part, and files that do not belong in an archive."""
    folder = tmp_path / "project"
    for name, content in {
        "lib/medallion/__init__.py": "",
        "lib/medallion/__pycache__/old.pyc": "compiled",
        "lib/medallion/views/plan.py": "PLAN = 1",
        "jobs/lab/silver/readings.py": "table = None",
        "jobs/lab/silver/checks/readings.one.sql": "SELECT 1",
        "jobs/lab/notes.txt": "not taken",
        "conf/platform/dev.yaml": "storage: {}",
        "conf/spark/log4j2.properties": "rootLogger.level = error",
        "data/landing/secret.py": "not taken",
    }.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content)
    return folder


def runs_from(monkeypatch: pytest.MonkeyPatch, made: Path) -> Archive:
    found = archive.read(made)
    monkeypatch.setattr(archive, "own", lambda: found)
    archive.unpacked.cache_clear()
    return found


def test_an_archive_holds_engine_jobs_and_conf_and_nothing_else(project: Path, tmp_path: Path) -> None:
    made = dist.build(project, tmp_path / "dist")

    assert made.name == f"medallion-{dist.version()}.zip"
    assert sorted(archive.read(made).contents()) == [
        "conf/platform/dev.yaml",
        "conf/spark/log4j2.properties",
        "jobs/lab/silver/checks/readings.one.sql",
        "jobs/lab/silver/readings.py",
        "medallion/__init__.py",
        "medallion/views/plan.py",
    ]
    assert [file.name for file in made.parent.iterdir()] == [made.name]


def test_the_same_sources_give_the_same_bytes(project: Path, tmp_path: Path) -> None:
    again = tmp_path / "again"
    shutil.copytree(project, again)
    os.utime(again / "jobs/lab/silver/readings.py", (1, 1))
    (again / "jobs/lab/silver/readings.py").chmod(0o755)

    first, second = dist.build(project, tmp_path / "1"), dist.build(again, tmp_path / "2")

    assert first.read_bytes() == second.read_bytes()


@pytest.mark.parametrize(
    ("name", "counts"),
    [
        ("lib/medallion/views/plan.py", True),
        ("jobs/lab/silver/checks/readings.one.sql", True),
        ("conf/platform/dev.yaml", False),
    ],
)
def test_the_digest_is_of_the_code(project: Path, tmp_path: Path, name: str, counts: bool) -> None:
    before = archive.read(dist.build(project, tmp_path / "1"))
    (project / name).write_text("changed: 1")
    after = archive.read(dist.build(project, tmp_path / "2"))

    assert (before.digest != after.digest) is counts
    assert before.path.read_bytes() != after.path.read_bytes()


def test_folders_have_entries_so_that_python_finds_packages_without_an_init(project: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(dist.build(project, tmp_path)) as opened:
        assert {"jobs/", "jobs/lab/", "jobs/lab/silver/"} <= set(opened.namelist())


def test_this_project_has_an_archive_of_its_own(tmp_path: Path) -> None:
    made = archive.read(dist.build(PROJECT, tmp_path))

    assert {"jobs/pipeline.py", "medallion/job.py", "conf/platform/prod.yaml"} <= made.contents().keys()


def test_a_folder_is_no_archive() -> None:
    assert archive.own() is None
    archive.require_same_code(PROJECT)
    assert archive.unpacked() is None


def test_a_zip_of_others_is_refused(tmp_path: Path) -> None:
    for name, manifest in (("none.zip", None), ("other.zip", json.dumps({"name": "x"})), ("broken.zip", "{")):
        with zipfile.ZipFile(tmp_path / name, "w") as made:
            if manifest:
                made.writestr(archive.MANIFEST, manifest)
        with pytest.raises(ConfError, match=f"{name}: found no archive.json; wanted the archive that `make dist`"):
            archive.read(tmp_path / name)


def test_the_same_code_is_accepted_whatever_conf_says(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs_from(monkeypatch, dist.build(project, tmp_path))
    (project / "conf/platform/dev.yaml").write_text("storage: {changed: true}")

    archive.require_same_code(project)


@pytest.mark.parametrize("change", ["changed", "added", "removed"])
def test_other_code_is_refused_by_its_names(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    made = runs_from(monkeypatch, dist.build(project, tmp_path))
    place = project / "jobs/lab/silver" / ("new.py" if change == "added" else "readings.py")
    place.unlink() if change == "removed" else place.write_text("table = 1")

    with pytest.raises(ConfError) as refused:
        archive.require_same_code(project)

    assert f"(digest {made.digest[:12]}): jobs/lab/silver/{place.name}; wanted an archive of" in str(refused.value)


def test_a_project_that_has_no_engine_is_held_against_its_jobs_only(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs_from(monkeypatch, dist.build(project, tmp_path))
    shutil.rmtree(project / "lib")

    archive.require_same_code(project)


def test_where_there_is_no_checkout_the_project_is_the_archive_unpacked(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs_from(monkeypatch, dist.build(project, tmp_path))

    folder = archive.unpacked()

    assert folder is not None and folder == archive.unpacked()
    assert sorted(file.name for file in folder.iterdir()) == ["archive.json", "conf", "jobs"]
    assert (folder / "jobs/lab/silver/readings.py").read_text() == "table = None"
    assert conf.find_project(tmp_path) == folder
    assert conf.find_project(project / "jobs" / "pipeline.py") == project
    archive.unpacked.cache_clear()
