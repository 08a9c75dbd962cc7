"""Group commit: one thread makes durable what has queued meanwhile, in one transaction, and then answers all of it."""

import asyncio
import queue
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Thread

from medallion.errors import SetupError
from medallion.faults import point
from medallion.receiver.inbox import FILE, Answer, Inbox, Payload

BATCHES_WAITING = 8
_RETRY_SECONDS = 2.0  # until a disk is tried again that could not be written

Answered = asyncio.Future[Answer | None]


@dataclass(frozen=True)
class _Waiting:
    payload: Payload
    answered: Answered


class Writer:
    """The only writer of an inbox in its process; ``name`` is what messages to ``say`` call its source."""

    def __init__(self, name: str, folder: Path, max_batch: int, say: Callable[[str], None]) -> None:
        """Open the inbox; raises SetupError where that cannot be."""
        self._name, self._folder, self._max_batch, self._say = name, folder, max_batch, say
        self._queue: queue.Queue[_Waiting | None] = queue.Queue(max_batch * BATCHES_WAITING)
        self._thread: Thread | None = None
        self._failing = False
        try:
            self._inbox: Inbox | None = Inbox(folder)
        except (sqlite3.Error, OSError) as error:
            raise SetupError(f"{folder / FILE}: {error}; wanted a folder of this user on a local disk") from None

    @property
    def is_ready(self) -> bool:
        """Whether a payload put now would most likely be stored."""
        return not self._failing and self._thread is not None and self._thread.is_alive()

    def start(self) -> None:
        """Begin to write, with answers for the event loop that runs now."""
        self._loop = asyncio.get_running_loop()
        self._thread = Thread(target=self._work, name=f"inbox {self._name}", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Write what is in the queue, and end."""
        self._queue.put(None)
        if self._thread is not None:
            self._thread.join()

    def put(self, payload: Payload) -> Answered:
        """Queue a payload, and return what will be its answer: None where it may not be durable.

        Raises queue.Full where too many wait already.
        """
        answered: Answered = asyncio.get_running_loop().create_future()
        self._queue.put_nowait(_Waiting(payload, answered))
        return answered

    def _work(self) -> None:
        is_last = False
        while not is_last:
            batch, is_last = self._next()
            if batch:
                answers = self._attempt([one.payload for one in batch])
                with suppress(RuntimeError):  # the loop has ended, and with it whoever waited
                    self._loop.call_soon_threadsafe(_answer, batch, answers)
            elif self._failing:
                self._attempt([])
        if self._inbox is not None:
            self._inbox.close()

    def _next(self) -> tuple[list[_Waiting], bool]:
        """Return what has queued, at most a batch, and whether it is the last; after a failure perhaps nothing."""
        batch: list[_Waiting] = []
        try:
            one = self._queue.get(timeout=_RETRY_SECONDS if self._failing else None)
            while one is not None:
                batch.append(one)
                if len(batch) == self._max_batch:
                    return batch, False
                one = self._queue.get_nowait()
        except queue.Empty:
            return batch, False
        return batch, True

    def _attempt(self, payloads: Sequence[Payload]) -> list[Answer] | None:
        """Store payloads; None where that failed. After a failure the inbox is opened anew, and settled first."""
        try:
            if self._inbox is None:
                self._inbox = Inbox(self._folder)
            if self._failing:
                self._inbox.settle()
            point("inbox.before_store")
            answers = self._inbox.store(payloads)
            point("inbox.before_answer")
        except (sqlite3.Error, OSError) as error:
            self._note(f"cannot store payloads ({error}); they are answered 503 and not taken", failing=True)
            if self._inbox is not None:
                self._inbox.close()
                self._inbox = None
            return None
        self._note("stores payloads again", failing=False)
        return answers

    def _note(self, what: str, *, failing: bool) -> None:
        if failing != self._failing:
            self._failing = failing
            self._say(f"{self._name}: {what}")


def _answer(batch: Sequence[_Waiting], answers: Sequence[Answer] | None) -> None:
    for place, one in enumerate(batch):
        if not one.answered.done():  # done: nobody waits any more
            one.answered.set_result(answers[place] if answers is not None else None)
