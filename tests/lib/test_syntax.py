"""Code is read in one thread at a time, whatever the collector does meanwhile."""

import gc
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from medallion import syntax

CODE = "\n".join(
    f"def f{n}(a, b=({n}, [1, 2])):\n    return [x + {n} for x in (a, b) if (x or (a and b))]" for n in range(100)
)


def _let_others_go(*_: object) -> None:
    time.sleep(0.0005)


@pytest.fixture
def _collecting() -> Iterator[None]:
    """Collect garbage often, with other threads going on meanwhile, as behind py4j's finalizers."""
    before = gc.get_threshold()
    gc.callbacks.append(_let_others_go)
    gc.set_threshold(50)
    yield
    gc.set_threshold(*before)
    gc.callbacks.remove(_let_others_go)


@pytest.mark.usefixtures("_collecting")
def test_threads_parse_side_by_side() -> None:
    with ThreadPoolExecutor(3) as pool:
        trees = list(pool.map(lambda _: syntax.parse(CODE), range(12)))

    assert {len(tree.body) for tree in trees} == {100}
