"""Each point has a name of its own, is reached by what the harness does, and costs nothing where no test asks."""

import os
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

from tests.crash import harness

DIES = "from medallion.faults import point\nfor n in range(3):\n    point('a.b')\n    print(n, flush=True)"


def _run(**variables: str) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, "-c", DIES],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), **variables},
        capture_output=True,
        text=True,
        check=False,
        start_new_session=True,
    )
    return done.returncode, done.stdout


def test_points_have_names_of_their_own() -> None:
    names = Counter(harness.points())

    assert len(names) >= 40
    assert [name for name, count in names.items() if count > 1] == []


def test_a_point_ends_the_process_the_time_it_is_asked_to_and_does_nothing_otherwise(tmp_path: Path) -> None:
    log = tmp_path / "log"

    assert _run() == (0, "0\n1\n2\n")
    assert _run(MEDALLION_FAULT_AT="a.c") == (0, "0\n1\n2\n")
    assert _run(MEDALLION_FAULT_AT="a.b") == (-signal.SIGKILL, "")
    assert _run(MEDALLION_FAULT_AT="a.b:3", MEDALLION_FAULT_LOG=str(log)) == (-signal.SIGKILL, "0\n1\n")
    assert log.read_text() == "a.b\na.b\na.b\n"
