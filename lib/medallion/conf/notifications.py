"""Whom an environment tells of what, and by which channel: secrets by reference, as everywhere."""

import re
from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field, PlainSerializer, PlainValidator, model_validator
from pydantic import Strict as StrictMode

from medallion.conf.duration import Duration, PauseField
from medallion.conf.model import Name, Strict
from medallion.conf.secret import SecretField, SecretRef, parse_secret

Rule = Literal["on_failure", "on_recovery", "on_late", "on_anomaly", "on_completion"]
RULES: tuple[Rule, ...] = ("on_failure", "on_recovery", "on_late", "on_anomaly", "on_completion")
_ADDRESS = r"^[^@\s<>,;]+@[^@\s<>,;]+$"
_WANTED = "env:NAME, file:/absolute/path, a list of channels' names, or null"

Address = Annotated[str, Field(pattern=_ADDRESS)]


class Webhook(Strict):
    """An address that takes a JSON document; whoever has it can post there, so it is a secret."""

    kind: Literal["webhook"] = Field(description="webhook, email or log")
    url: SecretField = Field(description="env:NAME or file:/absolute/path")


class Email(Strict):
    """Messages to people by way of a mail server."""

    kind: Literal["email"] = Field(description="webhook, email or log")
    host: str = Field(min_length=1, description="the name of a mail server")
    port: int = Field(default=587, ge=1, le=65535, description="a port from 1 to 65535")
    tls: Literal["starttls", "always", "none"] = Field(default="starttls", description="starttls, always or none")
    sender: Address = Field(description="an e-mail address")
    to: Annotated[tuple[Address, ...], StrictMode(False)] = Field(min_length=1, description="a list of addresses")
    user: str | None = Field(default=None, min_length=1, description="a user's name, or null")
    password: SecretField | None = Field(default=None, description="env:NAME, file:/absolute/path or null")

    @model_validator(mode="after")
    def _is_kept_from_others(self) -> "Email":
        if (self.user is None) != (self.password is None):
            raise ValueError("wanted user and password, or neither")
        if self.password and self.tls == "none":
            raise ValueError("tls: found none, by which the password would go over the net as it is; wanted starttls")
        return self


class LogLine(Strict):
    """Lines in the log of whatever runs: stderr of the command line, Prefect's log of a flow run."""

    kind: Literal["log"] = Field(description="webhook, email or log")


Channel = Annotated[Webhook | Email | LogLine, Field(discriminator="kind")]


def _told(value: object) -> SecretRef | tuple[str, ...]:
    """Return channels by name, or a webhook by reference; what is neither is not repeated, it may be a secret."""
    if not isinstance(value, list | tuple):
        return parse_secret(value)
    if not all(isinstance(name, str) and re.fullmatch(r"[a-z][a-z0-9_]{0,40}", name) for name in value):
        raise ValueError("found something else than names in a list (not shown); wanted names of channels")
    return tuple(value)


def _plain(value: SecretRef | tuple[str, ...]) -> str | list[str]:
    return str(value) if isinstance(value, SecretRef) else list(value)


Told = Annotated[SecretRef | tuple[str, ...], PlainValidator(_told), PlainSerializer(_plain)]


class Notifications(Strict):
    """Who is told of what: channels by name, or a webhook by reference.

    A trouble is told once when it begins, again after ``remind_after`` while it lasts, and when it is over.
    """

    channels: dict[Name, Channel] = Field(default_factory=dict, description="a map of names to channels")
    on_failure: Told | None = Field(default=None, description=_WANTED)
    on_recovery: Told | None = Field(default=None, description=_WANTED)
    on_late: Told | None = Field(default=None, description=_WANTED)
    on_anomaly: Told | None = Field(default=None, description=_WANTED)
    on_completion: Told | None = Field(default=None, description=_WANTED)
    remind_after: PauseField | None = Field(
        default=Duration(hours=24), description="a length of time such as 24 hours, or null: never"
    )

    @model_validator(mode="after")
    def _are_there(self) -> "Notifications":
        for rule in RULES:
            told = getattr(self, rule)
            if isinstance(told, tuple) and not set(told) <= set(self.channels):
                known = ", ".join(self.channels) or "none: there is no channel"
                raise ValueError(f"{rule}: found a channel that is not there; wanted some of {known}")
        return self

    @property
    def any(self) -> bool:
        """Whether anybody is told of anything."""
        return any(getattr(self, rule) for rule in RULES)

    def of(self, rule: Rule) -> dict[str, Channel]:
        """Return the channels that a rule names, by name; a webhook given by reference has that of its rule."""
        told = getattr(self, rule)
        if isinstance(told, SecretRef):
            return {rule: Webhook(kind="webhook", url=told)}
        return {name: self.channels[name] for name in told or ()}

    def secrets(self) -> Iterator[tuple[tuple[str, ...], SecretRef]]:
        """Yield the secrets of its channels, with their keys."""
        for name, channel in self.channels.items():
            found = [(key, value) for key, value in channel if isinstance(value, SecretRef)]
            yield from ((("channels", name, key), value) for key, value in found)
