"""Real data as the shop's sources would deliver it, and what must come out of it.

`folder` is always the root of the real data. What must come out is computed from the files themselves, in
plain Python with exact decimals, without the payloads: neither a converter's nor the engine's fault hides.
"""

import csv
import gzip
import io
import json
import random
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import ROUND_HALF_UP, Decimal
from functools import cache
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_URL, uuid5
from zoneinfo import ZoneInfo

Row = dict[str, str]
Days = Iterator[tuple[date, list[bytes]]]  # each day's payloads, in file order

CUSTOMERS = ("customer_id", "email", "first_name", "last_name", "segment", "country_code", "updated_at")
PRODUCTS = ("product_id", "title", "category", "list_price", "currency", "updated_at")
_LONDON = ZoneInfo("Europe/London")
# Names of Online Retail that are no country's name in the ISO table; Jersey stands for both Channel Islands.
_COUNTRY_CODES: dict[str, str | None] = {
    "United Kingdom": "GB",
    "EIRE": "IE",
    "RSA": "ZA",
    "USA": "US",
    "Channel Islands": "JE",
    "Czech Republic": "CZ",
    "European Community": None,
    "Unspecified": None,
}


@dataclass
class Revenue:
    """Money in the currency of the data: gross is what was sold, net is less what came back."""

    net: Decimal = Decimal(0)
    gross: Decimal = Decimal(0)


@dataclass(frozen=True)
class OnlineRetail:
    """What Online Retail adds up to; an amount is quantity x unit price, a day that of the first line.

    Gross counts the lines of a positive quantity, net counts all. Keys are null where the data has none.
    """

    per_day: Mapping[date, Revenue]
    per_country: Mapping[str | None, Revenue]  # by ISO code
    per_customer: Mapping[str | None, Revenue]
    lines: int
    lines_without_customer: int
    identical_lines: int  # equal in every column to an earlier line of their invoice
    invoices: int
    cancellations: int


@dataclass
class Sales:
    """Orders and their revenue in dollars, without tax."""

    orders: int = 0
    revenue: Decimal = Decimal(0)


@dataclass(frozen=True)
class Jaffle:
    """What the jaffle year adds up to."""

    per_day: Mapping[date, Sales]
    per_day_and_store: Mapping[tuple[date, str], Sales]  # by the store's name
    orders: int
    items: int


def online_retail(folder: Path) -> Days:
    """Yield a day's invoices as order payloads, one each; an invoice lies within one day.

    A cancellation (`C536379`) is an order of its own, refunded, of negative quantities, and no update: it has
    its own number, date and lines, and names no invoice that it would cancel. Prices stand as in the file.
    """
    for path in sorted((folder / "online_retail" / "by-day").glob("*.csv")):
        invoices: dict[str, list[Row]] = defaultdict(list)
        for row in _rows(path):
            invoices[row["InvoiceNo"]].append(row)
        yield date.fromisoformat(path.stem), [_invoice(folder, *item) for item in invoices.items()]


def online_retail_customers(folder: Path) -> bytes:
    """Return all customers as an extract, each in the country of the last line; the data knows no names."""
    last = {_customer_id(row): row for row in _retail_lines(folder) if row["CustomerID"]}
    return _csv(
        CUSTOMERS,
        ((key, "", "", "", "", _country(folder, row), _london(row)) for key, row in sorted(last.items())),
    )


def online_retail_products(folder: Path) -> bytes:
    """Return all stock codes as an extract, titled by their last description, else by the code itself."""
    last = {row["StockCode"]: row for row in _retail_lines(folder)}
    titles = {row["StockCode"]: row["Description"] for row in _retail_lines(folder) if row["Description"].strip()}
    rows = ((code, titles.get(code, code), "", row["UnitPrice"], "GBP", _london(row)) for code, row in last.items())
    return _csv(PRODUCTS, sorted(rows))


def online_retail_expected(folder: Path) -> OnlineRetail:
    """Add up Online Retail."""
    days, countries, customers = (defaultdict[Any, Revenue](Revenue) for _ in range(3))
    seen: Counter[tuple[str, ...]] = Counter()
    without_customer = 0
    for row in _retail_lines(folder):
        seen[tuple(row.values())] += 1
        without_customer += not row["CustomerID"]
        quantity = int(row["Quantity"])
        amount = quantity * Decimal(row["UnitPrice"])
        day = date.fromisoformat(row["InvoiceDate"][:10])
        for revenue in (days[day], countries[_country(folder, row)], customers[_customer_id(row)]):
            revenue.net += amount
            revenue.gross += amount if quantity > 0 else 0
    invoices = {line[0] for line in seen}
    return OnlineRetail(
        per_day=dict(days),
        per_country=dict(countries),
        per_customer=dict(customers),
        lines=seen.total(),
        lines_without_customer=without_customer,
        identical_lines=seen.total() - len(seen),
        invoices=len(invoices),
        cancellations=sum(invoice.startswith("C") for invoice in invoices),
    )


def jaffle(folder: Path, zone: str = "UTC") -> Days:
    """Yield a day's orders as payloads, one line an item; the total is the subtotal, without tax.

    The data's times have no zone: they are taken as the shop's own, `zone`. The store's name stands as the
    city that an order is shipped to, which keeps revenue by day and store computable.
    """
    stores = {row["id"]: row["name"] for row in _jaffle_rows(folder, "stores")}
    products = {row["sku"]: row for row in _jaffle_rows(folder, "products")}
    skus: dict[str, list[str]] = defaultdict(list)
    for item in _jaffle_rows(folder, "items"):
        skus[item["order_id"]].append(item["sku"])
    days: dict[date, list[Row]] = defaultdict(list)
    for row in _jaffle_rows(folder, "orders"):
        days[date.fromisoformat(row["ordered_at"][:10])].append(row)
    for day, rows in sorted(days.items()):
        yield (
            day,
            [_encode(_jaffle_order(row, stores, [products[sku] for sku in skus[row["id"]]], zone)) for row in rows],
        )


def jaffle_customers(folder: Path) -> bytes:
    """Return all customers as an extract; the data knows names only."""
    rows = ((row["id"], "", *_two_names(row["name"])) for row in _jaffle_rows(folder, "customers"))
    return _csv(CUSTOMERS, ((*row, "", "US", "2018-09-01T00:00:00Z") for row in rows))


def jaffle_products(folder: Path) -> bytes:
    """Return all products as an extract."""
    rows = _jaffle_rows(folder, "products")
    facts = ((row["sku"], row["name"], row["type"], _dollars(row["price"])) for row in rows)
    return _csv(PRODUCTS, ((*fact, "USD", "2018-09-01T00:00:00Z") for fact in facts))


def jaffle_expected(folder: Path) -> Jaffle:
    """Add up the jaffle year, from the orders' own subtotals."""
    stores = {row["id"]: row["name"] for row in _jaffle_rows(folder, "stores")}
    days: dict[date, Sales] = defaultdict(Sales)
    shops: dict[tuple[date, str], Sales] = defaultdict(Sales)
    for row in _jaffle_rows(folder, "orders"):
        day = date.fromisoformat(row["ordered_at"][:10])
        for sales in (days[day], shops[day, stores[row["store_id"]]]):
            sales.orders += 1
            sales.revenue += Decimal(row["subtotal"]) / 100
    orders = sum(sales.orders for sales in days.values())
    return Jaffle(dict(days), dict(shops), orders, sum(1 for _ in _jaffle_rows(folder, "items")))


def shopify(folder: Path) -> list[bytes]:
    """Return every example payload of Shopify, byte by byte as in its file."""
    return [path.read_bytes() for path in sorted((folder / "shopify").glob("*.json"))]


def stripe(folder: Path) -> list[bytes]:
    """Return every example resource of Stripe as a payload."""
    fixtures = json.loads((folder / "stripe" / "fixtures3.json").read_bytes())
    return [_encode(resource) for resource in fixtures["resources"].values()]


def shuffled(payloads: Iterable[bytes], slices: int, seed: int) -> list[list[bytes]]:
    """Return payloads in random order, split into so many slices of nearly the same size."""
    order = list(payloads)
    random.Random(seed).shuffle(order)
    return [order[start::slices] for start in range(slices)]


def _invoice(folder: Path, number: str, rows: Sequence[Row]) -> bytes:
    first = min(_london(row) for row in rows)
    lines = [_line(row["StockCode"], row["Description"], int(row["Quantity"]), row["UnitPrice"]) for row in rows]
    customer = _customer_id(rows[0])
    return _encode(
        _order("online-retail", number, first, lines)
        | {
            "status": "refunded" if number.startswith("C") else "fulfilled",
            "currency": "GBP",
            "customer": {"id": customer, "email": None} if customer else None,
            "shipping_address": _shipped_to(None, _country(folder, rows[0])),
        }
    )


def _jaffle_order(row: Row, stores: Mapping[str, str], products: Sequence[Row], zone: str) -> dict[str, Any]:
    at = datetime.fromisoformat(row["ordered_at"]).replace(tzinfo=ZoneInfo(zone)).isoformat()
    lines = [_line(product["sku"], product["name"], 1, _dollars(product["price"])) for product in products]
    return _order("jaffle", row["id"], at, lines) | {
        "status": "fulfilled",
        "currency": "USD",
        "customer": {"id": row["customer"], "email": None},
        "shipping_address": _shipped_to(stores[row["store_id"]], "US"),
    }


def _order(shop: str, number: str, at: str, lines: Sequence[dict[str, Any]]) -> dict[str, Any]:
    total = sum((line["quantity"] * Decimal(line["price"]) for line in lines), Decimal(0))
    return {
        "delivery_id": str(uuid5(NAMESPACE_URL, f"{shop}/{number}")),
        "topic": "orders/create",
        "id": number,
        "created_at": at,
        "updated_at": at,
        "total_price": str(total.quantize(Decimal("0.01"), ROUND_HALF_UP)),
        "total_discounts": "0.00",
        "line_items": lines,
    }


def _line(product_id: str, title: str, quantity: int, price: str) -> dict[str, Any]:
    facts = {"product_id": product_id, "title": title or None, "quantity": quantity, "price": price}
    return facts | {"total_discount": "0.00"}


def _shipped_to(city: str | None, country_code: str | None) -> dict[str, str | None]:
    unknown = dict.fromkeys(("name", "address1", "address2", "city", "zip", "province_code"))
    return unknown | {"city": city, "country_code": country_code}


def _retail_lines(folder: Path) -> Iterator[Row]:
    for path in sorted((folder / "online_retail" / "by-day").glob("*.csv")):
        yield from _rows(path)


def _rows(path: Path) -> Iterator[Row]:
    with path.open(encoding="utf-8", newline="") as file:
        yield from csv.DictReader(file)


def _jaffle_rows(folder: Path, table: str) -> Iterator[Row]:
    with gzip.open(folder / "jafgen_A" / f"raw_{table}.csv.gz", "rt", encoding="utf-8", newline="") as file:
        yield from csv.DictReader(file)


def _customer_id(row: Row) -> str | None:
    return row["CustomerID"].removesuffix(".0") or None


def _london(row: Row) -> str:
    return datetime.fromisoformat(row["InvoiceDate"]).replace(tzinfo=_LONDON).isoformat()


def _country(folder: Path, row: Row) -> str | None:
    return _country_codes(folder)[row["Country"]]


@cache
def _country_codes(folder: Path) -> Mapping[str, str | None]:
    names = ("CLDR display name", "UNTERM English Short", "official_name_en")
    codes: dict[str, str | None] = {}
    for row in _rows(folder / "iso" / "country-codes.csv"):
        codes |= {row[name]: row["ISO3166-1-Alpha-2"] for name in names if row[name]}
    return codes | _COUNTRY_CODES


def _two_names(name: str) -> tuple[str, str]:
    first, _, last = name.partition(" ")
    return first, last


def _dollars(cents: str) -> str:
    return f"{Decimal(cents) / 100:.2f}"


def _csv(header: Sequence[str], rows: Iterable[Sequence[str | None]]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([header, *rows])
    return text.getvalue().encode()


def _encode(payload: Any) -> bytes:
    return json.dumps(payload, ensure_ascii=False, separators=(",", ":")).encode()
