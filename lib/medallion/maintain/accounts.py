"""What commits of maintenance say of themselves: where the table is stays as it was."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from medallion.lake import Account, Mark


def maintained(account: Account, run_id: str, technique: str, reason: str, **facts: Any) -> Account:
    """Return the account of a commit that only maintains a table; its watermark is carried forward, nothing read."""
    marks: Mapping[str, Mark] = {
        name: replace(mark, since=mark.version) if name.startswith("landing.") else mark
        for name, mark in account.watermark.items()
    }
    told = {"began": None, "expected": None, "bytes_read": None, "rows": dict.fromkeys(account.rows, 0), **facts}
    return replace(account, run_id=run_id, technique=technique, reason=reason, watermark=marks, **told)
