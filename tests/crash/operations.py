"""Operations in plain Python that change files, what may be seen if one breaks off, and what must hold in the end.

Each can be done again on what it left; what was acknowledged stands in ``acked``, outside of what is tested.
"""

import json
import os
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from medallion.landing import Landing
from medallion.receiver import inbox
from medallion.receiver.inbox import Answer, Inbox, Payload
from tests.lib import cache_lab

_open, _write = os.open, os.write  # not those that are counted
IDS = [f"id-{number}" for number in range(6)]
_AT = "2026-01-31T12:00:00+00:00"


@dataclass(frozen=True)
class Operation:
    """How a folder is made ready, the operation, what may be there right after it broke off, and in the end."""

    prepare: Callable[[Path], None]
    act: Callable[[Path], None]
    left: Callable[[Path], Iterator[str]]
    whole: Callable[[Path], Iterator[str]]


def _ack(folder: Path, id: str) -> None:
    descriptor = _open(folder / "acked", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    _write(descriptor, f"{id}\n".encode())
    os.close(descriptor)


def _acked(folder: Path) -> list[str]:
    path = folder / "acked"
    return path.read_text().split() if path.exists() else []


def _landing(folder: Path) -> Landing:
    landing = object.__new__(Landing)  # without conf
    landing.source, landing.folder = "orders", folder / "orders"
    return landing


def _delivered(folder: Path) -> Counter[str]:
    """Return how often each id is in landing; raises LandingError where a delivery is not whole."""
    landing = _landing(folder)
    contents = [content for manifest in landing.after(0) for _, content in landing.contents(manifest)]
    return Counter(json.loads(line)["id"] for content in contents for line in content.splitlines())


def _nothing(folder: Path) -> None:
    return None


def _deliver(folder: Path) -> None:
    for id in IDS[:3]:
        if id not in _acked(folder):
            lines = [json.dumps({"id": id, "part": part}).encode() for part in range(2)]
            _landing(folder).deliver([(f"{part}.json", line) for part, line in enumerate(lines)])
            _ack(folder, id)


def _deliveries_are_whole(folder: Path) -> Iterator[str]:
    found = _delivered(folder)
    yield from (f"{id} is acknowledged and not there" for id in _acked(folder) if id not in found)
    yield from (f"{id} has {count} files" for id, count in found.items() if count not in (2, 4))
    if sum(found.values()) > 2 * 4:
        yield f"more was sent again than what was not acknowledged: {found}"


def _store(folder: Path) -> None:
    box = Inbox(folder / "orders")
    try:
        for pair in (IDS[:2], IDS[2:4], IDS[4:]):
            if not set(pair) <= set(_acked(folder)):
                answers = box.store([Payload(id, _AT, b'{"id":1}') for id in pair])
                assert Answer.REUSED not in answers
                for id in pair:
                    _ack(folder, id)
    finally:
        box.close()


def _held(folder: Path) -> Counter[str]:
    if not (folder / "orders" / inbox.FILE).exists():
        return Counter()
    box = Inbox(folder / "orders")
    try:
        part = box.part(box.newest(), 2**30)
        return Counter(json.loads(line)["id"] for line in part.content.splitlines()) if part else Counter()
    finally:
        box.close()


def _acked_are_held(folder: Path) -> Iterator[str]:
    found = _held(folder)
    yield from (f"{id} is acknowledged and not there" for id in _acked(folder) if id not in found)
    yield from (f"{id} is there {count} times" for id, count in found.items() if count > 1)
    if len(found) % 2:
        yield f"half of a transaction is there: {sorted(found)}"


def _all_are_held(folder: Path) -> Iterator[str]:
    if _held(folder) != Counter(IDS):
        yield f"found {_held(folder)}"


def _gather(folder: Path) -> None:
    inbox.gather(_landing(folder), 2 * len(inbox.envelope(Payload(IDS[0], _AT, b'{"id":1}'))))


def _somewhere(folder: Path) -> Iterator[str]:
    yield from (f"{id} is gone" for id in set(IDS) - set(_held(folder)) - set(_delivered(folder)))


def _landed(folder: Path) -> Iterator[str]:
    found = _delivered(folder)
    yield from (f"{id} is not in landing" for id in IDS if id not in found)
    if sum(found.values()) > len(IDS) + 2:
        yield f"more than one part came again: {found}"
    if _held(folder):
        yield f"still in the inbox: {_held(folder)}"


def _cached_before(folder: Path) -> cache_lab.Yard:
    yard = cache_lab.make_yard(folder)
    yard.write(cache_lab.log(number) for number in range(30))
    yard.sync()
    return yard


def _keep_wanted(yard: cache_lab.Yard) -> None:
    for version in (0, 1):
        (yard.folder / f"wanted-{version}").write_text(repr(yard.wanted(version)))


def _wanted(yard: cache_lab.Yard) -> list[str]:
    return [(yard.folder / f"wanted-{version}").read_text() for version in (0, 1)]


def _prepare_build(folder: Path) -> None:
    yard = _cached_before(folder)
    yard.write((cache_lab.log(number, status="New") for number in range(40)), mode="overwrite")
    _keep_wanted(yard)
    _redefine(yard)


def _redefine(yard: cache_lab.Yard) -> None:
    """Have the next sync build: the definition is not the one that the cache was made by."""
    conf = yard.folder / "conf" / "pipelines" / "yard.yaml"
    conf.write_text(conf.read_text().replace("searched: [title, notes]", "searched: [title]"))


def _prepare_follow(folder: Path) -> None:
    yard = _cached_before(folder)
    yard.merge([cache_lab.log(3, status="New"), cache_lab.log(5, crew=4), cache_lab.log(90)], gone=["L-00007"])
    _keep_wanted(yard)


def _sync(folder: Path) -> None:
    yard = cache_lab.Yard(folder)
    done = yard.sync()
    if done.error:
        raise OSError(done.error)


def _one_version(folder: Path) -> Iterator[str]:
    yard = cache_lab.Yard(folder)
    if repr(yard.held()) not in _wanted(yard):
        yield "readers see neither the version before nor the one after"


def _in_line(folder: Path) -> Iterator[str]:
    yard = cache_lab.Yard(folder)
    if repr(yard.held()) != _wanted(yard)[1]:
        yield "not in line with its table"
    cache_lab.sound(yard)
    if yard.sync().technique != "none":
        yield "written again"
    builds = list(yard.place.root.glob(f"{yard.place.table}.*.sqlite"))
    if len(builds) > 2:
        yield f"left over: {sorted(path.name for path in builds)}"


OPERATIONS = {
    "landing": Operation(_nothing, _deliver, _deliveries_are_whole, _deliveries_are_whole),
    "inbox": Operation(_nothing, _store, _acked_are_held, _all_are_held),
    "gather": Operation(_store, _gather, _somewhere, _landed),
    "cache_build": Operation(_prepare_build, _sync, _one_version, _in_line),
    "cache_follow": Operation(_prepare_follow, _sync, _one_version, _in_line),
}
