"""Which commit of git the project's code stands at: what has to be checked out to make a table anew as it was."""

import subprocess
from functools import lru_cache
from pathlib import Path

_PARTS = ("jobs", "lib", "conf")


@lru_cache
def commit_of(project: Path) -> str | None:
    """Return the commit, with a ``+`` where code or conf differs from it; None where git does not tell."""
    commit = _git(project, "rev-parse", "HEAD")
    if not commit:
        return None
    return commit + ("+" if _git(project, "status", "--porcelain", "--", *_PARTS) else "")


def _git(project: Path, *words: str) -> str | None:
    try:
        done = subprocess.run(["git", *words], cwd=project, capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None
