"""Where a source's records come from: what a data engineer decides (``intake``), and where it is (``connections``).

A source with an intake but without a connection in the environment's conf is delivered by hand, as by `medallion land`.
"""

import os
import re
from pathlib import Path, PurePath
from typing import Annotated, Literal
from urllib.parse import unquote

from pydantic import Field, field_validator, model_validator
from pydantic import Strict as StrictMode

from medallion.conf.duration import Duration, PauseField
from medallion.conf.model import Strict
from medallion.conf.secret import SecretField

_IDENTIFIER = re.compile(r"[a-z_][a-z0-9_]*(\.[a-z_][a-z0-9_]*)?")
Names = Annotated[tuple[str, ...], StrictMode(False)]


class WebhookIntake(Strict):
    """Payloads that are posted to the receiver (`medallion serve`), one JSON document each."""

    kind: Literal["webhook"] = Field(description="webhook")
    max_depth: int = Field(default=32, ge=1, le=150, description="a whole number from 1 to 150 of nested levels")


class FilesIntake(Strict):
    """Files of a folder, or one file at an http address."""

    kind: Literal["files"] = Field(description="files")
    glob: str = Field(default="*", min_length=1, description="a pattern of file names such as *.csv")
    settle_seconds: int = Field(
        default=10, ge=0, description="a whole number >= 0 of seconds that a file must have been left alone"
    )

    @field_validator("glob")
    @classmethod
    def _is_below(cls, glob: str) -> str:
        wanted = "wanted a pattern of names below the folder, such as *.csv or */*.json"
        if not glob.isprintable() or ".." in PurePath(glob).parts:
            raise ValueError(wanted)
        try:
            next(Path(os.devnull).glob(glob), None)  # not a folder, so that only the pattern is read
        except (ValueError, NotImplementedError):
            raise ValueError(wanted) from None
        return glob


class Paging(Strict):
    """How a REST service tells of its next page."""

    by: Literal["link", "page", "offset", "cursor"] = Field(description="link, page, offset or cursor")
    parameter: str | None = Field(default=None, description="the query parameter of the page, offset or cursor")
    size_parameter: str | None = Field(default=None, description="the query parameter of a page's size, or null")
    size: int = Field(default=100, ge=1, description="a whole number >= 1 of records a page")
    first: int = Field(default=1, ge=0, description="the number of the first page: 0 or 1")
    next: str | None = Field(default=None, description="where the next cursor stands, such as $.meta.next")

    @model_validator(mode="after")
    def _complete(self) -> "Paging":
        if self.by != "link" and self.parameter is None:
            raise ValueError(f"parameter: missing; paging by {self.by} sends it")
        if self.by == "cursor" and self.next is None:
            raise ValueError("next: missing; paging by cursor reads the next one there")
        return self


class Since(Strict):
    """How to ask for what is new only: from the greatest value of a field that was seen, and a little before it."""

    parameter: str = Field(min_length=1, description="the query parameter that takes it")
    field: str = Field(min_length=1, description="where it stands in a record, such as $.updated_at")
    overlap: PauseField = Field(
        default=Duration(minutes=5), description="how far before it to ask again, such as 5 minutes"
    )


class RestIntake(Strict):
    """Records of a REST service; ``resource`` is joined to the connection's url."""

    kind: Literal["rest"] = Field(description="rest")
    resource: str = Field(min_length=1, description="the resource's name below the service's address, such as users")
    records: str | None = Field(
        default=None, description="where the list of records stands, such as $.data; null: all of it"
    )
    parameters: dict[str, str] = Field(default_factory=dict, description="a map of query parameters to text")
    paging: Paging | None = Field(default=None, description="a map that begins with by, or null: one page")
    since: Since | None = Field(default=None, description="a map of parameter, field and overlap, or null")

    @field_validator("resource")
    @classmethod
    def _is_below(cls, resource: str) -> str:
        """Refuse what would be joined to another address than the connection's, or to one above it."""
        steps = re.split(r"[/\\]", unquote(resource.partition("?")[0]))
        is_plain = resource.isprintable() and resource[0] not in "/\\" and ":" not in steps[0]
        if not is_plain or ".." in steps:
            raise ValueError("wanted the resource's name below the service's address, such as users")
        return resource


class DatabaseIntake(Strict):
    """Rows of a PostgreSQL table: all of them, or those that changed since the last time.

    Changed rows are told by ``changed``, a column that grows with each change of a row: asked again for a little
    before the greatest that was seen, since transactions do not end in the order of their times. ``deletes``
    compares keys, and delivers a mark for each that is gone.
    """

    kind: Literal["database"] = Field(description="database")
    table: str = Field(description="a table's name, with its schema where that is not public")
    key: Names = Field(min_length=1, description="a list of the columns of its primary key")
    changed: str | None = Field(default=None, description="a column that grows with each change, or null: read it all")
    overlap: PauseField = Field(
        default=Duration(minutes=5), description="how far before the last change to read again, such as 5 minutes"
    )
    deletes: bool = Field(default=True, description="true or false: whether to look for rows that are gone")
    partitions: int = Field(default=2, ge=1, le=32, description="a whole number from 1 to 32 of parts read at once")

    @field_validator("table")
    @classmethod
    def _is_name(cls, table: str) -> str:
        if not _IDENTIFIER.fullmatch(table):
            raise ValueError("wanted a table's name of a-z, 0-9 and _, perhaps with its schema: schema.table")
        return table


Intake = Annotated[
    WebhookIntake | FilesIntake | RestIntake | DatabaseIntake,
    Field(discriminator="kind", description="a map with kind"),
]


class Connection(Strict):
    """Where a source is, and how to get in; which of the fields it takes depends on the source's intake.

    ``url`` is a folder or an http address of files, the base address of a REST service, or
    ``postgresql://host:port/database``. ``keys`` are those a webhook's sender signs with, the newest first.
    """

    url: str | None = Field(default=None, min_length=1, description="a folder or an address, without secrets in it")
    user: str | None = Field(default=None, description="a user's name, or null")
    password: SecretField | None = Field(default=None, description="env:NAME, file:/absolute/path or null")
    token: SecretField | None = Field(default=None, description="env:NAME, file:/absolute/path or null")
    keys: Annotated[tuple[SecretField, ...], StrictMode(False)] = Field(
        default=(), max_length=2, description="a list of at most two of env:NAME or file:/absolute/path"
    )

    answer_seconds: int = Field(
        default=600, ge=1, description="a whole number >= 1 of seconds that one answer of a service may take"
    )

    @field_validator("url")
    @classmethod
    def _without_secret(cls, url: str | None) -> str | None:
        if url is not None and re.search(r"://[^/]*@", url):
            raise ValueError("found a user or password in it (not shown); wanted user: and password: beside it")
        return url


class Receiver(Strict):
    """Where the webhook receiver listens."""

    host: str = Field(default="127.0.0.1", min_length=1, description="an address such as 127.0.0.1")
    port: int = Field(default=8787, ge=0, le=65535, description="a port; 0: any free one")
    max_batch: int = Field(default=500, ge=1, description="a whole number >= 1 of payloads made durable together")
