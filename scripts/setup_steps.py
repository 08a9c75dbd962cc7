"""What the steps of scripts/setup.py share: where things are, running a command, telling how long it took."""

import os
import shlex
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = (3, 11)
SITE_PACKAGES = VENV / "lib" / "python3.11" / "site-packages"
FAILURE_LINES = 25


class SetupError(Exception):
    """Something the machine lacks or refuses; the message says what to do."""


def say(what: str, end: str = "\n") -> None:
    """Tell the person at the terminal, at once."""
    print(what, end=end, flush=True)


@contextmanager
def step(what: str) -> Iterator[None]:
    """Say what is being done, and the seconds it took."""
    say(f"setup: {what} ...", end=" ")
    started = time.monotonic()
    try:
        yield
    except SetupError:
        say("failed")
        raise
    say(f"{time.monotonic() - started:.0f} s")


def run(command: Sequence[str], hint: str, **variables: str) -> None:
    """Run a command in this process's environment; where it fails, raise SetupError with its last lines."""
    done = subprocess.run(command, env=os.environ | variables, capture_output=True, text=True, check=False)
    if done.returncode:
        tail = "\n".join((done.stdout + done.stderr).splitlines()[-FAILURE_LINES:])
        raise SetupError(f"{shlex.join(command)} failed:\n{tail}\n\nWhat to do: {hint}; then run it again.")


def pip_install(*arguments: str) -> None:
    """Install with the environment's pip, which takes its settings from where it always does."""
    command = [str(VENV / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    run([*command, *arguments], "check the network and pip's settings (PIP_INDEX_URL, PIP_CERT, HTTPS_PROXY)")
