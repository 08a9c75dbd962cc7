"""deploy/systemd: units that systemd takes, of commands that there are."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[1]
UNITS = sorted((PROJECT / "deploy" / "systemd").glob("*.service"))
TIMERS = sorted((PROJECT / "deploy" / "systemd").glob("*.timer"))
PLACE = "/opt/medallion"


def verified(units: list[Path]) -> str:
    """Return what systemd finds wrong with units, nothing where they will do."""
    command = ["systemd-analyze", "verify", *map(str, units)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    return done.stderr if done.returncode or done.stderr else ""


def here(unit: Path, folder: Path, **changes: str) -> Path:
    """Write a unit as it would be for this checkout and this Python, and with changes."""
    text = unit.read_text().replace(f"{PLACE}/.venv/bin", str(Path(sys.executable).parent)).replace(PLACE, str(PROJECT))
    for old, new in changes.items():
        text = text.replace(old, new)
    (folder / unit.name).write_text(text)
    return folder / unit.name


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not here")
def test_systemd_takes_the_units(tmp_path: Path) -> None:
    assert (len(UNITS), [timer.stem for timer in TIMERS]) == (5, ["medallion-health"])
    assert verified([here(unit, tmp_path) for unit in (*UNITS, *TIMERS)]) == ""
    assert "RestartSek" in verified([here(UNITS[1], tmp_path, RestartSec="RestartSek")])


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)
def test_a_unit_starts_what_there_is(unit: Path) -> None:
    program, *words = re.findall(r"^ExecStart=(.*)$", unit.read_text(), re.MULTILINE)[0].split()
    command = [str(Path(sys.executable).parent / Path(program).name), *words[:1], "--help"]

    if words[0].endswith(".py"):
        assert f"python {words[0]} {words[1]}" in (PROJECT / words[0]).read_text()
    else:
        shown = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True, cwd=PROJECT)
        assert all(word in shown.stdout for word in words)


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)
def test_a_unit_holds_no_secret_and_names_one_place(unit: Path) -> None:
    text = unit.read_text()

    assert not re.search(r"^Environment=(?!PREFECT_HOME=)", text, re.MULTILINE)
    assert "EnvironmentFile=" in text and f"WorkingDirectory={PLACE}\n" in text and "User=medallion\n" in text
