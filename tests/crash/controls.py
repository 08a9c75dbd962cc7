"""Protections left out on purpose: with one of them off, the harness has to find something.

Each is a patch of the engine, and ``DIES_AT`` the point at which leaving it out shows: a point of the engine, or
``control`` for one between what should have been one step.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from typing import Any
from unittest import mock

from medallion import bronze, commits, faults, silver
from medallion.cache import Place, build, change
from medallion.landing import Landing, Manifest
from medallion.receiver import inbox

CONTROL = "control"


@dataclass(frozen=True)
class Control:
    """Where a protection is left out: what is patched by what; the day and stage that die, where, and what shows."""

    owner: Any
    name: str
    instead: Callable[..., Any]
    day: int
    stage: str
    dies_at: str
    shows: str


def _here() -> None:
    faults._reached(CONTROL)  # not a point of the engine


def _manifest_in_place(self: Landing, delivery: str, unnumbered: Manifest) -> Manifest:
    """Write the manifest under its number, instead of linking it there once it is whole."""
    folder = self.folder / "manifests"
    folder.mkdir(exist_ok=True)
    manifest = replace(unnumbered, number=self.newest() + 1)
    text = json.dumps(asdict(manifest))
    with self._manifest_path(manifest.number).open("w") as handle:
        handle.write(text[:50])
        handle.flush()
        _here()
        handle.write(text[50:])
    return manifest


@contextmanager
def _without_commit(self: inbox.Inbox) -> Iterator[None]:
    """Leave what was stored to a transaction that ends some time."""
    if not self._db.in_transaction:
        self._db.execute("begin immediate")
    yield


def _mark_first(box: inbox.Inbox, landing: Landing, most_bytes: int) -> Iterator[Manifest]:
    """Let go of payloads before they are in landing."""
    while (part := box.part(box.newest(), most_bytes)) is not None:
        box.mark_landed(part.rows)
        _here()
        yield landing.deliver([(inbox.DELIVERED_AS, part.content)])


_settle, _commit, _fill = silver._settle, silver._commit, build._fill
_unsettled: dict[str, Sequence[Any]] = {}


def _commit_first(*arguments: Any) -> None:
    """Write the quarantine after the table's own commit."""
    _commit(*arguments)
    _here()
    _settle(*_unsettled.pop(arguments[1].name))


def _swap_first(path: Any, source: Any, *arguments: Any) -> Any:
    """Let readers see a cache that is being filled."""
    Place(path.parent, source.definition.table).swap(arguments[0])
    return _fill(path, source, *arguments)


@contextmanager
def _each_for_itself(connection: Any) -> Iterator[None]:
    """Change a cache without a transaction."""
    yield


def _append(lake: Any, target: Any, source: Any, keys: Any, account: Any) -> Any:
    """Append rows where they should be merged."""
    rows = source.where("not _gone").drop("_gone") if "_gone" in source.columns else source
    return commits.append(lake, target, rows, account)


CONTROLS = {
    "manifest is linked": Control(Landing, "_publish", _manifest_in_place, 0, "land", CONTROL, "no readable manifest"),
    "inbox commits": Control(
        inbox.Inbox, "_transaction", _without_commit, 0, "post", "inbox.after_store_commit:4", "lost"
    ),
    "landed, then marked": Control(inbox, "_publish", _mark_first, 0, "run", CONTROL, "lost"),
    "known records": Control(bronze, "_known", lambda *_: [], 1, "run", "run.all_done", "twice"),
    "quarantine first": Control(silver, "_commit", _commit_first, 1, "run", CONTROL, "quarantine"),
    "merged by key": Control(commits, "merge", _append, 1, "run", "run.all_done", "torn"),
    "swapped when whole": Control(build, "_fill", _swap_first, 0, "sync", "cache.rows_read", "torn"),
    "one transaction": Control(change, "_transaction", _each_for_itself, 1, "sync", "cache.row_put", "torn"),
}


@contextmanager
def without(name: str) -> Iterator[None]:
    """Leave a protection out; none where the name is empty."""
    if not name:
        yield
        return
    left = CONTROLS[name]
    with mock.patch.object(left.owner, left.name, left.instead):
        if left.instead is _commit_first:
            later = lambda *arguments: _unsettled.update({arguments[1].name: arguments})  # noqa: E731
            with mock.patch.object(silver, "_settle", later):
                yield
                return
        yield
