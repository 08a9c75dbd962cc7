"""Work done ahead: what needs no Spark is made while Spark is at work on what was made before."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Made = TypeVar("Made")


def one_ahead(items: Iterable[Item], make: Callable[[Item], Made]) -> Iterator[tuple[Item, Made]]:
    """Yield each item with what ``make`` made of it, in a thread that works on the next one meanwhile.

    Two are held at once. What ``make`` raises is raised in the item's turn.
    """
    with ThreadPoolExecutor(1) as pool:
        begun: tuple[Item, Future[Made]] | None = None
        for item in items:
            before, begun = begun, (item, pool.submit(make, item))
            if before is not None:
                yield before[0], before[1].result()
        if begun is not None:
            yield begun[0], begun[1].result()
