"""What a process that is started quietly says: all but the one line that nobody can use."""

import subprocess
import sys
import time

import pytest

from medallion import quiet

NOISE = "WARNING: Using incubator modules: jdk.incubator.vector"


def _say(text: str) -> None:
    subprocess.run([sys.executable, "-c", f"import sys; sys.stderr.write({text!r})"], check=True)


def _heard(capfd: pytest.CaptureFixture[str], ending: str) -> str:
    """Return what came on stderr, up to its ending or for some seconds."""
    heard = ""
    for _ in range(200):
        heard += capfd.readouterr().err
        if heard.endswith(ending):
            break
        time.sleep(0.05)
    return heard


def test_a_process_started_quietly_is_heard_but_for_the_noise(capfd: pytest.CaptureFixture[str]) -> None:
    with quiet.starting():
        _say(f"{NOISE}\nERROR: out of memory\n")

    assert _heard(capfd, "memory\n") == "ERROR: out of memory\n"


def test_a_process_that_lives_on_is_still_heard(capfd: pytest.CaptureFixture[str]) -> None:
    with quiet.starting():
        said = subprocess.Popen([sys.executable, "-c", "import sys; input(); sys.stderr.write('late\\n')"], stdin=-1)
    said.communicate(b"\n")

    assert _heard(capfd, "late\n") == "late\n"


def test_stderr_is_as_before_afterwards(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ValueError, match="no Spark"), quiet.starting():
        raise ValueError("no Spark")
    _say(f"{NOISE}\n")

    assert _heard(capfd, "vector\n") == f"{NOISE}\n"
