"""One project with prepared lakes for all that kills."""

from pathlib import Path

import pytest

from medallion.session import Sessions
from tests.crash.harness import Lab


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory, sessions: Sessions, request: pytest.FixtureRequest) -> Lab:
    """Both days gone through without a kill, in the Spark of this test run."""
    if request.config.getoption("--connect"):
        pytest.skip("what is killed starts a Spark of its own")
    folder = Path(tmp_path_factory.mktemp("crash"))
    lab = Lab(folder / "project", folder, sessions)
    lab.prepare()
    return lab
