"""A page over the records of runs: durations, volumes, quality, quarantine, alerts; a file that needs nothing else."""

from collections.abc import Sequence
from typing import Any

from medallion import clock
from medallion.conf import Conf
from medallion.dashboard import facts
from medallion.output import printable


def _shown(value: Any) -> Any:
    """Return text as it is printed: what turns the order of letters by is written out."""
    return printable(value) if type(value) is str else value


def page(confs: Sequence[Conf], days: int) -> str:
    """Return the page of some pipelines' last days as HTML: without scripts, and nothing comes from elsewhere."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    shown = [facts.of(conf, days) for conf in confs]
    pages = Environment(
        loader=PackageLoader("medallion.dashboard", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_shown,
    )
    made_at = f"{clock.now():%Y-%m-%d %H:%M} UTC"
    return pages.get_template("page.html").render(pipelines=shown, days=days, made_at=made_at, ago=facts.ago)
