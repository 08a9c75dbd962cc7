"""Exchange rates of the sample shop, in the layout of the ECB's history file."""

from datetime import date, timedelta
from math import sin

from jobs.shop.sample.shop import DAY_0, HISTORY_DAYS, date_of_day

# Units of a currency for one euro, about which a rate moves; None: retired, N/A on every day.
_LEVELS = {
    "USD": 1.17, "JPY": 182.0, "BGN": 1.9558, "CYP": None, "CZK": 24.3, "DKK": 7.47, "EEK": None, "GBP": 0.87,
    "HUF": 385.0, "LTL": None, "PLN": 4.22, "RON": 5.09, "SEK": 10.7, "CHF": 0.93, "NOK": 11.5, "HRK": None,
    "TRY": 50.5, "AUD": 1.7, "CAD": 1.6,
}  # fmt: skip
_BGN_RETIRED = date(2026, 1, 1)
_HOLIDAYS = ((12, 25), (12, 26), (1, 1), (5, 1))
LATE_DATE = date(2026, 1, 30)
# On day 0 the file has no CHF since this date, longer than any rate may stand in for.
CHF_MISSING_SINCE = DAY_0 - timedelta(days=29)


def extract(day: int) -> bytes:
    """Return all rates known on a day as CSV, newest first; what comes late is there from day 1 on."""
    lines = ["Date," + "".join(f"{currency}," for currency in _LEVELS)]
    last = date_of_day(day)
    for age in range(HISTORY_DAYS + day + 10):
        on = last - timedelta(days=age)
        if _is_business_day(on) and (day > 0 or on != LATE_DATE):
            lines.append(f"{on}," + "".join(f"{_rate(currency, on, day)}," for currency in _LEVELS))
    return "\n".join([*lines, ""]).encode()


def _is_business_day(on: date) -> bool:
    return on.weekday() < 5 and (on.month, on.day) not in _HOLIDAYS


def _rate(currency: str, on: date, day: int) -> str:
    level = _LEVELS[currency]
    is_retired = level is None or (currency == "BGN" and on >= _BGN_RETIRED)
    is_late = currency == "CHF" and day == 0 and on >= CHF_MISSING_SINCE
    if level is None or is_retired or is_late:
        return "N/A"
    if currency == "BGN":
        return "1.9558"  # pegged
    wave = sin(on.toordinal() / 17 + len(currency) + ord(currency[0])) + sin(on.toordinal() * 1.7) / 8
    return f"{level * (1 + 0.02 * wave):.5g}"
