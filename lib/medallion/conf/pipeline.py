"""The pipeline tier of conf, ``conf/pipelines/<pipeline>.yaml``: what a data engineer decides."""

import re
from collections import Counter
from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, PlainValidator, field_validator, model_validator
from pydantic import Strict as StrictMode

from medallion.conf.cache import PipelineCache
from medallion.conf.expectation import Expectation
from medallion.conf.intake import DatabaseIntake, Intake
from medallion.conf.model import Key, Name, Problem, Refresh, Strict
from medallion.conf.schedule import Schedule

_JSON_PATH = re.compile(r"\$(\.[A-Za-z_]\w*|\[\d+\]|\['[^']+'\])+")
_TABLE = re.compile(r"(bronze|silver|gold)\.[a-z][a-z0-9_]*")

# Keys that say where something is; those of the second set also as the last word of a longer key (api_url).
_WHERE = frozenset("port path root database user username token master credentials access_key".split())
_WHERE_LAST = frozenset("host hostname bucket url uri endpoint password secret".split())
_FREE_TEXT = frozenset(("pattern", "expression", "description", "values"))
_PLACE = re.compile(r"~?/[\w.]|[A-Za-z]:[\\/]|env:\w+$|file:/")
_ELSEWHERE = "is a place or a secret, which belongs to conf/platform/<environment>.yaml"


def _parameter(value: object) -> Any:
    """Return a value that JSON can hold; raise ValueError for what it cannot, such as infinity."""
    if isinstance(value, dict):
        return {str(key): _parameter(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_parameter(inner) for inner in value]
    is_plain = value is None or isinstance(value, str | int | float)
    if not is_plain or (isinstance(value, float) and not abs(value) < float("inf")):
        raise ValueError("wanted text, a finite number, true, false, null, a list or a map")
    return value


def _table(name: str) -> str:
    if not _TABLE.fullmatch(name):
        raise ValueError("wanted <layer>.<table>, such as silver.orders, of bronze, silver or gold")
    return name


def _gold_table(name: str) -> str:
    if not _table(name).startswith("gold."):
        raise ValueError("wanted gold.<table>: other layers take in what is new, always")
    return name


class Source(Strict):
    """What one source delivers and how its records are told apart.

    ``json`` is one payload a file (.json), one a line (.jsonl), or each of the list at ``records`` in a file.
    ``events`` are told apart by their idempotency key, a ``snapshot`` is news in each delivery, which is an
    ``extract`` as a whole; or each file is one, and follows the last of its name. A payload larger than
    ``max_bytes`` is kept and marked. Both keys are a JSON path for json and the name of a column
    for csv and Parquet. ``columns`` says which columns are known, by the names they have had in files, and what
    to call them; cells of others are kept apart (`_rescued`) and reported.
    """

    format: Literal["json", "csv", "parquet"] = Field(description="json, csv or parquet")
    delivers: Literal["events", "snapshot"] = Field(description="events or snapshot")
    extract: Literal["delivery", "file"] = Field(default="delivery", description="delivery or file")
    system: str = Field(min_length=1, description="the name of the system that records come from")
    idempotency_key: str | None = Field(default=None, description="where an event's own id stands, or null")
    key: str | None = Field(default=None, description="where the business key stands, or null")
    records: str | None = Field(default=None, description="where a list of records stands in a JSON file, or null")
    columns: dict[str, str] | None = Field(
        default=None, min_length=1, description="a map of names that columns have had to what they are called, or null"
    )
    max_bytes: int = Field(default=1_048_576, ge=1, description="a whole number >= 1 of bytes")
    encoding: str = Field(default="utf-8", description="the name of a text encoding such as utf-8")
    intake: Intake | None = Field(default=None, description="a map with kind, or null: it is delivered by hand")

    @property
    def key_paths(self) -> list[str]:
        """Where the parts of the business key stand: those of a database's table are told by its intake."""
        if isinstance(self.intake, DatabaseIntake):
            return [f"$['{column}']" for column in self.intake.key]
        return [self.key] if self.key else []

    @property
    def event_key_paths(self) -> list[str]:
        """Where an event's own id stands, if it has one."""
        return [self.idempotency_key] if self.idempotency_key else []

    @field_validator("encoding")
    @classmethod
    def _is_text_encoding(cls, encoding: str) -> str:
        try:
            "".encode(encoding)
        except (LookupError, ValueError):
            raise ValueError(f"found {encoding[:40]!r}; wanted a text encoding such as utf-8") from None
        return encoding

    @model_validator(mode="after")
    def _keys_fit(self) -> "Source":
        if self.idempotency_key is not None and self.delivers != "events":
            raise ValueError("idempotency_key: only events have one; wanted delivers: events, or no such key")
        if self.extract == "file" and self.delivers != "snapshot":
            raise ValueError("extract: only snapshots have extracts; wanted delivers: snapshot, or no extract")
        for name in ("idempotency_key", "key", "records"):
            place = getattr(self, name)
            if name == "records" and place == "$":
                continue
            if place is not None and self.format == "json" and not _JSON_PATH.fullmatch(place):
                raise ValueError(f"{name}: found {place[:40]!r}; wanted a JSON path such as $.order.id")
            if place is not None and self.format != "json" and (not place.strip() or place.startswith("$")):
                raise ValueError(f"{name}: found {place[:40]!r}; wanted the name of a {self.format} column")
        if isinstance(self.intake, DatabaseIntake) and (self.format, self.delivers, self.key) != (
            "json",
            "snapshot",
            None,
        ):
            raise ValueError(
                "intake: rows of a database: wanted format: json, delivers: snapshot, and no key beside its own"
            )
        if self.format == "json" and self.columns is not None:
            raise ValueError("columns: a JSON payload is kept whole; wanted none")
        if self.format != "json" and self.records is not None:
            raise ValueError(f"records: a {self.format} file has rows; wanted none")
        return self


Expectations = Annotated[tuple[Expectation, ...], StrictMode(False)]


class Pipeline(Strict):
    """One pipeline: its sources, what is expected of its tables, its parameters and when it runs."""

    description: str = Field(pattern=r"\S", description="a sentence that says what the pipeline is for")
    retention_class: Literal["standard", "personal", "reference"] = Field(
        default="standard", description="standard, personal or reference"
    )
    schedule: Schedule | None = Field(default=None, description="a map of cron and zone, or null")
    parameters: dict[Name, Annotated[Any, PlainValidator(_parameter)]] = Field(
        default_factory=dict, description="a map of names to values"
    )
    sources: dict[Name, Source] = Field(default_factory=dict, description="a map of names to sources")
    expectations: dict[Annotated[str, AfterValidator(_table)], Expectations] = Field(
        default_factory=dict, description="a map of <layer>.<table> to a list of expectations"
    )
    refresh: dict[Annotated[str, AfterValidator(_gold_table)], Refresh] = Field(
        default_factory=dict, description="a map of gold.<table> to auto, incremental or full"
    )
    cache: PipelineCache = Field(default=PipelineCache(), description="a map of tables")

    @model_validator(mode="after")
    def _labels_differ(self) -> "Pipeline":
        for table, expected in self.expectations.items():
            twice = [label for label, count in Counter(one.label for one in expected).items() if count > 1]
            if twice:
                raise ValueError(f"expectations.{table}: {twice[0]} is there twice; give each its own name")
        return self


def places(raw: object, key: Key = ()) -> Iterator[Problem]:
    """Yield what names a place or a secret in a pipeline's conf, without repeating it.

    Regular expressions, SQL, descriptions and accepted values are free text; names of sources and
    tables are not keys.
    """
    if isinstance(raw, list):
        for number, inner in enumerate(raw):
            yield from places(inner, (*key, number))
    elif isinstance(raw, dict):
        for name, inner in raw.items():
            is_name = key in (("sources",), ("expectations",), ("refresh",))
            if _names_place(name) and not is_name:
                yield Problem((*key, name), _ELSEWHERE)
            elif _is_place(name):
                yield Problem(key, f"one of its keys {_ELSEWHERE}")
            elif name not in _FREE_TEXT or is_name or key[:1] == ("parameters",):
                yield from places(inner, (*key, name))
    elif isinstance(raw, str) and _is_place(raw):
        yield Problem(key, _ELSEWHERE)


def _names_place(name: str) -> bool:
    words = re.split(r"[^a-z0-9]+", name.lower())
    return name.lower() in _WHERE | _WHERE_LAST or words[-1] in _WHERE_LAST


def _is_place(text: str) -> bool:
    return "://" in text or _PLACE.match(text) is not None
