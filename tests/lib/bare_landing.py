"""A landing folder without a project around it."""

from pathlib import Path

from medallion.landing import Landing


class _Conf:
    name = "trial"

    def __init__(self, root: Path) -> None:
        self._root = root

    def root(self, layer: str) -> str:
        return str(self._root / layer)


def bare_landing(root: Path, source: str) -> Landing:
    """Return the landing of a source below a folder."""
    return Landing(_Conf(root), source)  # type: ignore[arg-type]  # all that landing asks of it
