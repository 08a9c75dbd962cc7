"""The process that keeps a warm Spark server: starts it, ends it when nobody has used it for long, tidies up after it.

``python -m medallion.warm.keeper`` reads what to keep as JSON from its input, says how the start goes on its
output, a line of JSON each, and lives as long as the server. It needs nothing but the standard library, so that
it costs next to nothing all the while. A server whose keeper is killed dies with it.
"""

import ctypes
import fcntl
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from medallion.warm import clients
from medallion.warm.files import ABOUT, LOCK, LOG, SETTINGS, TOKEN, USED, answers, write

HOST = "127.0.0.1"

_START_SECONDS = 180
_END_SECONDS = 15
_LOCK_SECONDS = 1  # whoever looks whether the lock is held, holds it for a moment
_LOOK_SECONDS = 1.0
_KILLED_WITH_PARENT = 1  # Linux: PR_SET_PDEATHSIG


@dataclass(frozen=True)
class Task:
    """What to keep: a command that serves on a port, and what is said of it; ``{port}`` in settings is the port.

    ``idle_seconds`` of None: it stays until it is told to end. Settings and token are secrets.
    """

    folder: Path
    command: list[str]
    environment: Mapping[str, str]
    settings: Mapping[str, str]
    token: str
    about: Mapping[str, Any]
    port: int | None
    idle_seconds: float | None
    plain: bool = False  # say how it goes for people, not as JSON

    @classmethod
    def from_json(cls, text: str) -> "Task":
        """Read a task as `to_json` wrote it."""
        raw = json.loads(text)
        return cls(**{**raw, "folder": Path(raw["folder"])})

    def to_json(self) -> str:
        """Return the task as text."""
        return json.dumps({**vars(self), "folder": str(self.folder)})


class Failed(Exception):
    """A server that does not start; the message says why."""


class Keeper:
    """Keeps one server from its start to its end."""

    def __init__(self, task: Task) -> None:
        self._task = task
        self._folder = task.folder
        self._woken = threading.Event()
        self._told_to_end = False
        self._process: subprocess.Popen[bytes] | None = None
        self._lock: IO[str] | None = None

    def run(self) -> int:
        """Keep the server until it ends; return the exit code: 1 where it did not start or died."""
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, self._end)
        signal.signal(signal.SIGCHLD, lambda *_: self._woken.set())
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            if not self._take_lock():
                self._say("busy", "another one is being started, or is up")
                return 0
            return self._keep()
        except OSError as error:
            self._say("failed", f"{error.filename or self._folder}: {error.strerror}")
        except Failed as error:
            self._say("failed", str(error))
        return 1

    def _keep(self) -> int:
        """Start, watch and end the server, which is ours alone."""
        about: dict[str, Any] = {}
        died = None
        try:
            about = self._start()
            self._say("up", f"{HOST}:{about['port']}")
            died = self._watch(about)
            return 1 if died else 0
        finally:
            self._remove(ABOUT)  # first of all, so that nobody comes any more
            self._end_process()
            self._remove(TOKEN, SETTINGS, USED)
            if died:  # said by the next who looks for the server
                with suppress(OSError):
                    write(self._folder / ABOUT, json.dumps({**about, "ended": died}))

    def _start(self) -> dict[str, Any]:
        """Start the server and return what is said of it, once it answers."""
        port = _free_port(self._task.port)
        settings = {key: value.replace("{port}", str(port)) for key, value in self._task.settings.items()}
        write(self._folder / SETTINGS, "".join(map(_property, settings.items())), secret=True)
        write(self._folder / TOKEN, self._task.token, secret=True)
        with (self._folder / LOG).open("wb") as log:
            (self._folder / LOG).chmod(0o600)
            self._process = subprocess.Popen(
                self._task.command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=dict(self._task.environment),
                start_new_session=True,  # a ^C at the terminal is for us to pass on
                preexec_fn=_die_with_parent,
            )
        self._wait_for_answer(port)
        self._remove(SETTINGS)
        about = {
            **self._task.about,
            "host": HOST,
            "port": port,
            "pid": self._process.pid,
            "keeper": os.getpid(),
            "started": time.monotonic(),
        }
        self._note_use()
        write(self._folder / ABOUT, json.dumps(about))
        return about

    def _wait_for_answer(self, port: int) -> None:
        until = time.monotonic() + _START_SECONDS
        while not answers(HOST, port, 0.2):
            if self._has_ended():
                raise Failed(f"Spark's server ended at once: {_last_words(self._folder / LOG)}")
            if self._told_to_end:
                raise Failed("told to end while it started")
            if time.monotonic() > until:
                raise Failed(f"Spark's server does not answer within {_START_SECONDS} s; see {self._folder / LOG}")
            self._woken.wait(0.1)
            self._woken.clear()
        if self._has_ended():
            raise Failed(f"port {port}: taken by another program meanwhile")

    def _watch(self, about: Mapping[str, Any]) -> str | None:
        """Wait until the server is to end; return why it died, None where it did not."""
        used, unused_since = True, time.monotonic()
        while not self._told_to_end:
            self._woken.wait(_LOOK_SECONDS)
            self._woken.clear()
            if self._has_ended():
                return _cause(self._process.returncode if self._process else 0)
            if not self._is_announced(about):  # the folder was removed or is another's: nobody can find it any more
                return None
            now = time.monotonic()
            if clients.in_use(self._folder):
                used, unused_since = True, now
                continue
            if used:
                self._note_use()
            used = False
            limit = self._task.idle_seconds
            if limit is not None and now - unused_since > limit and self._closed(about):
                return None
        return None

    def _closed(self, about: Mapping[str, Any]) -> bool:
        """Take the announcement back, and tell whether nobody came just before that."""
        self._remove(ABOUT)
        if not clients.in_use(self._folder):
            return True
        write(self._folder / ABOUT, json.dumps(about))
        return False

    def _is_announced(self, about: Mapping[str, Any]) -> bool:
        try:
            return bool(json.loads((self._folder / ABOUT).read_text())["id"] == about["id"])
        except (OSError, ValueError, KeyError):
            return False

    def _remove(self, *names: str) -> None:
        for name in names:
            with suppress(OSError):
                (self._folder / name).unlink()

    def _note_use(self) -> None:
        """Say since when nobody has used the server; a full disk is no reason to end it."""
        with suppress(OSError):
            write(self._folder / USED, str(time.monotonic()))

    def _take_lock(self) -> bool:
        self._lock = (self._folder / LOCK).open("a+")
        until = time.monotonic() + _LOCK_SECONDS
        while True:
            try:
                fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                self._lock.truncate(0)
                self._lock.write(str(os.getpid()))
                self._lock.flush()
                return True
            except BlockingIOError:
                if time.monotonic() > until:
                    return False
            time.sleep(0.05)

    def _has_ended(self) -> bool:
        return self._process is not None and self._process.poll() is not None

    def _end(self, *_: object) -> None:
        self._told_to_end = True
        self._woken.set()

    def _end_process(self) -> None:
        if self._process is None or self._process.poll() is not None:
            return
        self._process.terminate()
        try:
            self._process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _say(self, state: str, what: str) -> None:
        """Tell whoever started us; it may have gone."""
        text = f"Spark server: {state}: {what}" if self._task.plain else json.dumps({"state": state, "what": what})
        with suppress(OSError):
            sys.stdout.write(text + "\n")
            sys.stdout.flush()


def _free_port(wanted: int | None) -> int:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, wanted or 0))
        except OSError as error:
            raise Failed(f"spark.port: {wanted}: {error.strerror}; wanted a free port, or null: any free one") from None
        return int(probe.getsockname()[1])


def _property(setting: tuple[str, str]) -> str:
    """Return a line of a Java properties file."""
    key, value = (text.replace("\\", "\\\\").replace("\n", "\\n").replace("\r", "\\r") for text in setting)
    for mark in " :=#!":
        key = key.replace(mark, f"\\{mark}")
    return f"{key}={f'{chr(92)}{value}' if value.startswith(' ') else value}\n"


def _last_words(log: Path) -> str:
    """Return what a server said before it ended: the first line that names an error, else the last one."""
    lines = [line.strip() for line in log.read_text(errors="replace").splitlines() if line.strip()]
    telling = [line for line in lines if "Exception" in line or "rror" in line]
    return f"{[*telling, *lines[-1:], 'it said nothing'][0]} (more in {log})"


def _cause(code: int) -> str:
    """Return in words why a process ended that nobody told to."""
    if code < 0:
        hint = ", perhaps for want of memory" if code == -signal.SIGKILL else ""
        return f"killed by signal {-code}{hint}"
    return f"it ended by itself with exit code {code}"


def _die_with_parent() -> None:
    """Have the system kill this process when its parent ends, however that happens; only Linux can."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_KILLED_WITH_PARENT, signal.SIGKILL)


if __name__ == "__main__":
    sys.exit(Keeper(Task.from_json(sys.stdin.read())).run())
