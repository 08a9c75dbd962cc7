"""Lakes of the pipeline `mill`, refreshed once."""

from collections.abc import Callable, Iterator

import pytest

from tests.conftest import Lakehouse
from tests.gold import compare, mill
from tests.gold.mill import Mill, line

Factory = Callable[..., Lakehouse]


@pytest.fixture(scope="module")
def first(shared_scratch: Factory) -> Mill:
    """A lake that was refreshed once."""
    made = Mill(shared_scratch(mill.NAME, mill.MODULES, mill.CONF))
    made.write("regions", [{"region": 1, "label": "north"}, {"region": 2, "label": "south"}])
    made.write("buyers", [{"buyer": "a", "region": 1}, {"buyer": "b", "region": 2}, {"buyer": "c", "region": None}])
    heads = (("a", "paid"), ("b", "open"), ("c", "void"), (None, None))
    made.write("orders", [{"order_id": n, "buyer": b, "status": s} for n, (b, s) in enumerate(heads, 1)])
    lines = [line(1 + n // 2, n % 2, "pq"[n % 2], n % 5, str(n), n) for n in range(8)]
    made.write("lines", [*lines, line(4, 2, None, 2, None, 3), line(9, 0, "p", 1, "2.50", 3)])
    outcomes = made.refresh()
    assert {name: outcome.error for name, outcome in outcomes.items() if outcome.error} == {}
    return made


@pytest.fixture
def incremental() -> Iterator[None]:
    """Have gold refreshed by what changed, however small it is."""
    with compare.incremental():
        yield
