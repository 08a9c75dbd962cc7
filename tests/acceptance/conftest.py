"""Where real data is, and shops that all tests of a file look at, since filling one takes a while."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from medallion import conf as conf_door
from medallion.clock import NOW
from medallion.session import Sessions
from tests.conftest import LAYERS, PROJECT, Lakehouse


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real data; without one the test is skipped."""
    folder = os.environ.get("MEDALLION_REAL_DATA")
    if not folder:
        pytest.skip("MEDALLION_REAL_DATA names no folder of real data")
    return Path(folder)


@pytest.fixture(scope="module")
def shop_at(
    real_data: Path, tmp_path_factory: pytest.TempPathFactory, sessions: Sessions
) -> Iterator[Callable[..., Lakehouse]]:
    """A factory of shops, each on an empty lake; from then on it always is the moment given.

    It asks for the real data first, so that Spark does not start for tests that are skipped.
    """

    def make(now: str, *overrides: str) -> Lakehouse:
        clock.setenv(NOW, now)
        root = tmp_path_factory.mktemp("shop")
        roots = [f"storage.{layer}.root={root / layer}" for layer in LAYERS]
        return Lakehouse(conf_door.load("shop", [*roots, *overrides], PROJECT), sessions)

    with pytest.MonkeyPatch.context() as clock:
        yield make
