"""Which Java Spark would run on, and what is said where there is none that will do."""

from pathlib import Path

import pytest

from medallion import java
from medallion.errors import SetupError


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder for JAVA_HOME; set-up brought none."""
    monkeypatch.setattr("sys.prefix", str(tmp_path / "environment"))
    return tmp_path / "home"


def write_java(home: Path, version: str, code: int = 0) -> Path:
    path = home / "bin" / "java"
    path.parent.mkdir(parents=True)
    path.write_text(f"#!/bin/sh\necho 'openjdk version \"{version}\"' >&2\nexit {code}\n")
    path.chmod(0o755)
    return path


def test_the_java_that_set_up_brought_comes_first(home: Path, tmp_path: Path) -> None:
    brought = write_java(tmp_path / "environment" / "java", "17.0.9")
    write_java(home, "21.0.1")

    assert java.find({"JAVA_HOME": str(home)}) == brought


def test_java_home_comes_before_path(home: Path, tmp_path: Path) -> None:
    on_path = write_java(tmp_path / "other", "17.0.9")
    wanted = write_java(home, "21.0.1")
    path = str(on_path.parent)

    assert java.find({"JAVA_HOME": str(home), "PATH": path}) == wanted
    assert java.find({"PATH": path}) == on_path
    assert java.find({"JAVA_HOME": str(tmp_path / "none"), "PATH": path}) is None  # Spark would not look further


@pytest.mark.parametrize(("version", "release"), [("17.0.15", 17), ("21", 21), ("25-ea", 25)])
def test_a_java_that_spark_takes_is_taken(home: Path, version: str, release: int) -> None:
    path = write_java(home, version)

    assert java.require({"JAVA_HOME": str(home)}) == path
    assert java.trouble({"JAVA_HOME": str(home)}) == f"Java {release} at {path} is one that Spark takes"


@pytest.mark.parametrize(("version", "release"), [("1.8.0_391", 8), ("11.0.2", 11)])
def test_a_java_too_old_is_refused(home: Path, version: str, release: int) -> None:
    path = write_java(home, version)

    with pytest.raises(SetupError) as refused:
        java.require({"JAVA_HOME": str(home)})
    assert str(refused.value) == (
        f"Java: found {release} at {path}; wanted 17, 21 or 25: set JAVA_HOME to one, or `make setup` brings one"
    )


def test_no_java_is_told(home: Path) -> None:
    with pytest.raises(SetupError, match="Java: found none on PATH or in JAVA_HOME; wanted Java 17, 21 or 25"):
        java.require({"PATH": str(home)})


def test_a_newer_java_is_tried_and_suspected_where_spark_does_not_start(home: Path) -> None:
    path = write_java(home, "29.0.1")

    assert java.require({"JAVA_HOME": str(home)}) == path
    assert java.trouble({"JAVA_HOME": str(home)}) == f"Java: found 29 at {path}; wanted 17, 21 or 25"
