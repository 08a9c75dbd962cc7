"""Both accounting equations, held against every commit of a lake, and what they come to over all commits."""

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import date
from pathlib import Path
from zipfile import ZipFile

from medallion.lake import Commit, Lake
from medallion.run import Report
from medallion.tables import layer_of
from tests.conftest import Lakehouse

TERMS = {
    "bronze": ("stored", "duplicates"),
    "silver": ("written", "unchanged", "superseded", "quarantined", "waiting"),
}


def deliver_lines(shop: Lakehouse, payloads: Iterable[bytes]) -> None:
    """Publish order payloads as one delivery of JSON lines."""
    shop.deliver("orders", b"\n".join([*payloads, b""]), ending="jsonl")


def ecb_rates(folder: Path, first: date = date.min, last: date = date.max) -> bytes:
    """Return the European Central Bank's history file, or only its days from first to last."""
    with ZipFile(folder / "ecb_rates" / "eurofxref-hist.zip") as archive:
        header, *days = archive.read("eurofxref-hist.csv").splitlines(keepends=True)
    return b"".join([header, *(day for day in days if first <= date.fromisoformat(day[:10].decode()) <= last)])


def require_passed(report: Report) -> None:
    """Assert that no step of a run failed, and show those that did."""
    assert report.passed, [f"{o.table}: {o.error or o.reason}" for o in report.outcomes if o.error]


def require_balanced(shop: Lakehouse) -> None:
    """Assert both equations for every commit of every bronze and silver table; of bronze by Delta's own figure, too."""
    for name in shop.versions():
        terms = TERMS.get(layer_of(name), ())
        for commit in Lake(shop.conf).history(name) if terms else ():
            assert commit.account is not None, (name, commit)
            rows = commit.account.rows
            assert rows["read"] == sum(rows[term] for term in terms), (name, commit.version, rows)
            if commit.operation == "WRITE" and layer_of(name) == "bronze":
                assert rows["stored"] == int(commit.metrics["numOutputRows"]), (name, commit.version)


def totals(shop: Lakehouse, name: str) -> Counter[str]:
    """Return what a table's accounts add up to; a verdict on a version, which repeats its account, is left out."""
    found: dict[str, Mapping[str, int]] = {}
    for commit in Lake(shop.conf).history(name):
        found[_consumed(commit)] = commit.account.rows if commit.account else {}
    total = Counter[str]()
    for rows in found.values():
        total.update(rows)
    return total


def _consumed(commit: Commit) -> str:
    return str(commit.account.watermark if commit.account else commit.version)
