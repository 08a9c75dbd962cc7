"""The European Central Bank's own file as a source: from a folder and, packed, from an address."""

import csv
import io
import threading
import zipfile
from collections.abc import Iterator
from decimal import Decimal
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.acceptance.accounting import require_passed


@pytest.fixture(scope="module")
def rates_file(real_data: Path) -> Path:
    (found,) = (real_data / "ecb_rates").glob("eurofxref*")
    return found


@pytest.fixture(scope="module")
def content(rates_file: Path) -> bytes:
    with zipfile.ZipFile(rates_file) as packed:
        return packed.read(packed.namelist()[0])


@pytest.fixture
def address(content: bytes, tmp_path: Path) -> Iterator[str]:
    served = tmp_path / "served"
    served.mkdir()
    with zipfile.ZipFile(served / "eurofxref-hist.zip", "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("packed again, other bytes.csv", content)

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(served)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/eurofxref-hist.zip"
    server.shutdown()
    server.server_close()


def test_the_banks_file_comes_from_a_folder_and_the_same_from_an_address_is_no_news(
    shop_at, rates_file, content, address
):
    tables = ("shop.bronze.exchange_rates", "shop.silver.exchange_rates")
    url = "connections.shop.exchange_rates.url"
    at_folder = shop_at("2026-11-20T06:00:00+00:00", f"{url}={rates_file.parent}")
    at_address = at_folder.with_overrides(f"{url}={address}")

    report = at_folder.run(*tables)
    again = at_folder.run(*tables)
    packed = at_address.run(*tables)

    days = len(content.splitlines()) - 1  # of which one is the header

    require_passed(report)
    assert report.outcomes[0].rows == {"read": days, "stored": days, "duplicates": 0}
    assert [outcome.status for outcome in again.outcomes] == ["skipped", "skipped"]
    assert packed.outcomes[0].rows == {"read": days, "stored": 0, "duplicates": days}

    quoted = {
        (currency.strip(), row["Date"]): Decimal(rate)
        for row in csv.DictReader(io.StringIO(content.decode()))
        for currency, rate in row.items()
        if currency and currency.strip() not in ("", "Date") and rate not in ("", "N/A")
    }
    found = at_folder.rows("shop.silver.exchange_rates").where("currency <> 'EUR'").collect()
    assert {(row.currency, str(row.rate_date)): row.units_per_euro for row in found} == quoted
