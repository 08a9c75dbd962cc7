"""Whom runs tell their lineage, in the form of OpenLineage."""

import re
from typing import Annotated

from pydantic import AfterValidator, Field, model_validator

from medallion.conf.model import Strict
from medallion.conf.secret import SecretField


def _place(text: str) -> str:
    is_server = re.fullmatch(r"https?://[^\s/?#@]+[^\s?#@]*", text) is not None
    if not is_server and ("://" in text or not text.strip() or text.startswith("~") or not text.isprintable()):
        raise ValueError("wanted http(s)://host:port without anything secret in it, or a file of this machine")
    return text


class OpenLineage(Strict):
    """Where events of runs go, and as whose."""

    to: Annotated[str, AfterValidator(_place)] | None = Field(
        default=None, description="http(s)://host:port of a server, a file, or null: nobody is told"
    )
    key: SecretField | None = Field(default=None, description="env:NAME, file:/absolute/path or null")
    namespace: str = Field(default="medallion", pattern=r"^\S+$", description="a name for these jobs and tables")
    timeout_seconds: int = Field(default=2, ge=1, le=60, description="a whole number of seconds from 1 to 60")

    @property
    def is_server(self) -> bool:
        """Whether events are posted to a server."""
        return self.to is not None and "://" in self.to

    @model_validator(mode="after")
    def _key_has_a_server(self) -> "OpenLineage":
        if self.key is not None and not self.is_server:
            raise ValueError("key: only a server asks for one; wanted to: http(s)://host:port, or no key")
        return self
