"""What an application must send: checked when it posts, so that its developer reads at once what silver will refuse.

The same rules as the pipeline's expectations; what breaks them is stored all the same, and ends in quarantine.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated

from pydantic import AfterValidator, AwareDatetime, BaseModel, BeforeValidator, ConfigDict

EVENT_TYPES = (
    "signup", "activate", "login", "logout", "page_view", "search", "add_to_cart", "checkout", "purchase",
    "comment", "edit", "share",
)  # fmt: skip
EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)


def _known_type(text: str) -> str:
    if text.strip().lower() not in EVENT_TYPES:
        raise ValueError(f"wanted one of {', '.join(EVENT_TYPES)}")
    return text


def _late_enough(moment: datetime) -> datetime:
    if moment < EARLIEST:
        raise ValueError(f"wanted a time from {EARLIEST:%Y-%m-%d} on")
    return moment


def _text(value: object) -> object:
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _filled(text: str) -> str:
    if not text.strip():
        raise ValueError("wanted an id that is not blank")
    return text


Id = Annotated[str, BeforeValidator(_text), AfterValidator(_filled)]


class Event(BaseModel):
    """One event; further fields are taken and passed over."""

    model_config = ConfigDict(extra="allow", hide_input_in_errors=True)

    event_id: Id
    user_id: Id
    event_type: Annotated[str, AfterValidator(_known_type)]
    occurred_at: Annotated[AwareDatetime, AfterValidator(_late_enough)]


RECORDS: Mapping[str, type[BaseModel]] = {"events": Event}
