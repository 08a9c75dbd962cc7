"""Secrets by reference: conf says where a secret stands, and only who needs it asks for its value."""

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import PlainSerializer, PlainValidator

from medallion.errors import ConfError

_FORM = re.compile(r"env:[A-Za-z_][A-Za-z0-9_]*|file:/[^\x00-\x1f]+")


@dataclass(frozen=True)
class SecretRef:
    """``env:NAME`` or ``file:/run/secrets/name``; printed or logged, it is only the reference."""

    reference: str

    def __str__(self) -> str:
        """Return the reference, never the value."""
        return self.reference

    def reveal(self) -> str:
        """Return the secret itself, a file's without the line end; raise ConfError where there is none."""
        scheme, _, place = self.reference.partition(":")
        value = os.environ.get(place) if scheme == "env" else _content(Path(place))
        if not value:
            lacks = "the variable is not set" if scheme == "env" else "the file is absent, unreadable or empty"
            raise ConfError(f"{self.reference}: no secret there: {lacks}")
        return value


def parse_secret(value: object) -> SecretRef:
    """Return a reference; raise ValueError for anything else, without repeating it: it may be the secret."""
    if isinstance(value, SecretRef):
        return value
    if not isinstance(value, str) or not _FORM.fullmatch(value):
        raise ValueError(
            "found something else than a reference (not shown, it may be the secret itself); "
            "wanted env:NAME or file:/absolute/path"
        )
    return SecretRef(value)


def _content(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, ValueError):  # ValueError: not UTF-8, and its text would show the bytes
        return None


SecretField = Annotated[SecretRef, PlainValidator(parse_secret), PlainSerializer(str)]
