"""What every commit says of itself, in its own metadata: the only state there is beside the data."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

FORMAT = 1  # of the account in a commit's userMetadata
NO_VERSION = -1
# In an account's rows: keys that a refresh by what changed may have touched, and those of them without a row now.
KEYS, GONE = "keys", "gone"
# Techniques of commits that only maintain a table: what its rows were made from is told by the ones before.
MAINTAINED = {"compact", "cluster", "expire", "settings", "pin"}
# Technique of a commit that is the first half of a refresh: rows that are gone went, the others come with the next.
GOING = "going"


@dataclass(frozen=True)
class Mark:
    """How far an upstream has been consumed: up to a version of a table id, or a landing manifest's number."""

    version: int
    table_id: str = ""
    since: int = NO_VERSION  # the version consumed before, exclusive
    made_by: str = ""  # the run whose commit that version was: after a loss another may bear its number


@dataclass(frozen=True)
class Account:
    """What a commit says of itself, in its own metadata.

    ``data`` is the last version that changed rows and ``good`` the last one that passed its gate; a
    commit that changes no rows carries both forward, so the newest commit alone tells where a table is.
    ``cursor`` of a bronze table is how far its source was read, as the intake told. ``began`` is when the refresh
    did, in milliseconds since 1970, ``expected`` how many seconds its kind usually takes for as much data, and
    ``bytes_read`` the size of the files that it had to look into. ``code`` is the commit of git that made it, with a
    ``+`` where files differed from it. ``backfill`` is the upstream version that a silver table is on its way
    to, batch by batch, until it is there. ``received`` of a bronze table is how many records were read, and in how many
    deliveries, by the UTC day on which landing received them; ``removed`` is what `keep_rows` let go: ``through`` which
    delivery, how many ``rows`` in all, and ``on`` which day last.
    """

    run_id: str
    technique: str
    reason: str
    fingerprint: str
    watermark: Mapping[str, Mark] = field(default_factory=dict)
    rows: Mapping[str, int] = field(default_factory=dict)
    run_date: str | None = None
    data: int = NO_VERSION
    good: int = NO_VERSION
    cursor: Mapping[str, Any] | None = None
    began: int | None = None
    expected: float | None = None
    bytes_read: int | None = None
    code: str | None = None
    backfill: int | None = None
    received: Mapping[str, Sequence[int]] | None = None
    removed: Mapping[str, Any] | None = None

    @property
    def removed_through(self) -> int:
        """The delivery up to which a bronze table has let go of records; 0 where it has all."""
        return int((self.removed or {}).get("through", 0))

    def carried_on(self, run_id: str, technique: str, reason: str, **facts: Any) -> "Account":
        """Return the account of a commit that reads nothing new: where the table is stays as it was.

        ``facts`` are fields that do change. Nothing counts as consumed since the commit before.
        """
        marks = {
            name: replace(mark, since=mark.version) if name.startswith("landing.") else mark
            for name, mark in self.watermark.items()
        }
        nothing = {"began": None, "expected": None, "bytes_read": None, "rows": dict.fromkeys(self.rows, 0)}
        told = {"watermark": marks, **nothing, **facts}
        return replace(self, run_id=run_id, technique=technique, reason=reason, **told)

    def to_json(self) -> str:
        """Return the account as it is stored in ``userMetadata``."""
        return json.dumps({"medallion": FORMAT, **asdict(self)}, sort_keys=True)

    @classmethod
    def from_json(cls, text: str | None) -> "Account | None":
        """Read an account back; None for metadata that is not ours."""
        try:
            found = json.loads(text or "")
        except ValueError:
            return None
        if not isinstance(found, dict) or found.pop("medallion", None) != FORMAT:
            return None
        marks = {name: Mark(**mark) for name, mark in found.pop("watermark").items()}
        return cls(watermark=marks, **found)
