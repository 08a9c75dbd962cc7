"""SQLite's loop: an operation fails, or dies, at its first call that changes something on disk, then at its second ...

``python -m tests.crash.calls <operation> <how> <folder>`` goes on until the operation ends without it, and prints how
many calls there are and what did not hold. ``how`` is ``dies`` (killed before the call), ``fails`` (an error instead
of the call) or ``fails_after`` (an error although the call was done). Each try is a process of its own, forked from
one that has not used delta-rs, whose threads would not survive that.
"""

import errno
import io
import json
import os
import shutil
import signal
import sqlite3
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from unittest import mock

from tests.crash.operations import OPERATIONS, Operation

_MOST_CALLS = 2000
_DONE, _FIRED = 0, 7
_HAPPENED = "in the middle of the test"


class Calls:
    """Counts calls that change something, and has one of them fail or die."""

    def __init__(self, number: int, how: str) -> None:
        self._left, self._how = number, how
        self.fired = False

    def __call__(self, call: Callable[..., Any], error: Exception, *arguments: Any, **named: Any) -> Any:
        """Do a call, or not."""
        self._left -= 1
        if self._left != 0:
            return call(*arguments, **named)
        if self._how == "dies":
            os.kill(os.getpid(), signal.SIGKILL)
        self.fired = True
        if self._how == "fails_after":
            call(*arguments, **named)
        raise error

    @contextmanager
    def counted(self) -> Iterator[None]:
        """Have the calls of os, io and sqlite3 counted."""
        with mock.patch.multiple(os, **{name: self._of(getattr(os, name)) for name in _CHANGES}):
            with mock.patch.object(os, "open", self._opening(os.open, lambda _, flags, *__, **___: flags & _WRITES)):
                writes = lambda _, mode="r", *__, **___: set(mode) & set("wxa+")  # noqa: E731
                with (
                    mock.patch.object(io, "open", self._opening(io.open, writes)),
                    mock.patch.object(sqlite3, "connect", self._connect(sqlite3.connect)),
                ):
                    yield

    def _of(self, call: Callable[..., Any]) -> Callable[..., Any]:
        return lambda *arguments, **named: self(call, OSError(errno.EIO, _HAPPENED), *arguments, **named)

    def _opening(self, call: Callable[..., Any], changes: Callable[..., object]) -> Callable[..., Any]:
        def opened(*arguments: Any, **named: Any) -> Any:
            if not changes(*arguments, **named):
                return call(*arguments, **named)
            return self(call, OSError(errno.ENOSPC, _HAPPENED), *arguments, **named)

        return opened

    def _connect(self, connect: Callable[..., Any]) -> Callable[..., Any]:
        calls = self

        class Counted(sqlite3.Connection):
            def _statement(self, call: Callable[..., Any], sql: str, *values: Any) -> Any:
                if sql.lstrip().lower().startswith("select"):
                    return call(sql, *values)
                return calls(call, sqlite3.OperationalError(_HAPPENED), sql, *values)

            def execute(self, sql: str, *values: Any) -> Any:  # type: ignore[override]
                return self._statement(super().execute, sql, *values)

            def executemany(self, sql: str, *values: Any) -> Any:  # type: ignore[override]
                return self._statement(super().executemany, sql, *values)

            def executescript(self, sql: str) -> Any:  # type: ignore[override]
                return self._statement(super().executescript, sql)

        return lambda *arguments, **named: connect(*arguments, **{**named, "factory": Counted})


_CHANGES = ("fsync", "link", "replace", "rename", "mkdir", "symlink", "unlink")
_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT


def forked(work: Callable[[], int]) -> int:
    """Do work in a forked process, and return its exit code; that of one that was killed is negative."""
    sys.stdout.flush()
    child = os.fork()
    if child == 0:
        code = 1
        try:
            code = work()
        except BaseException:  # noqa: BLE001 - whatever it is, the process that forked it tells
            sys.excepthook(*sys.exc_info())
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def attempt(operation: Operation, folder: Path, number: int, how: str) -> int:
    """Do the operation; tell whether it got to the call that fails."""
    calls = Calls(number, how)
    with calls.counted(), suppress(Exception):
        operation.act(folder)
    return _FIRED if calls.fired else _DONE


def looked_at(operation: Operation, folder: Path, told: Path) -> int:
    """Check what was left, take it up without faults, and check that; write what does not hold."""
    problems = [f"right after: {one}" for one in operation.left(folder)]
    operation.act(folder)
    problems += [f"taken up: {one}" for one in operation.whole(folder)]
    told.write_text("\n".join(problems))
    return 0


def loop(operation: Operation, how: str, folder: Path) -> tuple[int, list[str]]:
    """Return how many calls the operation makes, and what did not hold after which."""
    template, work, told = folder / "template", folder / "work", folder / "told"
    template.mkdir(parents=True)
    assert forked(lambda: operation.prepare(template) or 0) == 0
    problems: list[str] = []
    for number in range(1, _MOST_CALLS):
        shutil.copytree(template, work, symlinks=True)
        code = forked(lambda at=number: attempt(operation, work, at, how))  # type: ignore[misc]
        assert code in (_DONE, _FIRED, -signal.SIGKILL), code
        told.unlink(missing_ok=True)
        if forked(lambda: looked_at(operation, work, told)) != 0:
            problems.append(f"call {number}: could not be taken up")
        elif told.read_text():
            problems.append(f"call {number}: {told.read_text()}")
        shutil.rmtree(work)
        if code == _DONE:
            return number - 1, problems
    raise AssertionError(f"more than {_MOST_CALLS} calls")


if __name__ == "__main__":
    name, how, folder = sys.argv[1:]
    count, found = loop(OPERATIONS[name], how, Path(folder))
    sys.stdout.write(json.dumps({"calls": count, "problems": found}) + "\n")
