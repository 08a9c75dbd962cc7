"""What lies around a place that must not be left: looked at before and after, with a secret that must not appear."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.security.corpus import MARKER

CANARY = b"canary-c0ffee-bytes-of-a-file-outside"


@dataclass
class Surroundings:
    """A folder with a canary in it; ``inside`` are the roots below it that may change."""

    folder: Path
    inside: tuple[str, ...]
    outside: int = field(default=0)

    @property
    def canary(self) -> Path:
        return self.folder / "canary"

    def listing(self) -> dict[str, tuple[int, int]]:
        """Return all that lies outside of the roots, with size and kind."""
        found = {}
        for base, folders, files in os.walk(self.folder):
            folders[:] = [one for one in folders if str((Path(base) / one).relative_to(self.folder)) not in self.inside]
            for name in (*folders, *files):
                about = os.lstat(os.path.join(base, name))
                found[os.path.relpath(os.path.join(base, name), self.folder)] = (about.st_mode, about.st_size)
        return {name: about for name, about in found.items() if not about[0] & 0o040000 or name not in self.inside}

    def holds_canary(self) -> list[str]:
        """Return the files below the roots that hold the canary's bytes, links not followed."""
        roots = [self.folder / one for one in self.inside]
        files = [path for root in roots for path in root.rglob("*") if path.is_file() and not path.is_symlink()]
        return [str(path.relative_to(self.folder)) for path in files if CANARY in path.read_bytes()]


@contextmanager
def unchanged(folder: Path, *inside: str) -> Iterator[Surroundings]:
    """See to it that nothing outside of the roots is made, changed or removed, and the canary is copied nowhere."""
    around = Surroundings(folder, inside)
    around.canary.write_bytes(CANARY)
    before = around.listing()
    yield around
    after = around.listing()
    around.outside = len(set(before.items()) ^ set(after.items())) + len(around.holds_canary())
    assert after == before
    assert around.holds_canary() == []


def executed(*folders: Path) -> list[str]:
    """Return the files that a string of the corpus has made by being run."""
    return [str(path) for folder in folders for path in folder.glob(f"{MARKER}*")]


def ran() -> int:
    """Return how many strings have left a file where this process stands: those that were run."""
    return len(executed(Path.cwd()))
