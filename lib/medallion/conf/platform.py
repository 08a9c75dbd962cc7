"""The platform tier of conf, ``conf/platform/<environment>.yaml``: where things are."""

import re
from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from medallion.conf.cache import PlatformCache
from medallion.conf.duration import Duration, DurationField, PauseField
from medallion.conf.intake import Connection, Receiver
from medallion.conf.model import Refresh, Strict
from medallion.conf.notifications import Notifications
from medallion.conf.openlineage import OpenLineage
from medallion.conf.schedule import Schedule
from medallion.conf.secret import SecretRef

LAYERS = ("landing", "bronze", "silver", "gold", "ops")


def _root(text: str) -> str:
    without_slashes = re.match(r"[A-Za-z][A-Za-z0-9+.-]+:(?!//)", text)
    if not text.strip() or text.startswith("~") or without_slashes or not text.isprintable():
        raise ValueError("wanted a folder or a URI (s3a://bucket/folder); ~ is not expanded")
    return text.rstrip("/") or "/"


def _source_name(name: str) -> str:
    if not re.fullmatch(r"[a-z][a-z0-9_]*\.[a-z][a-z0-9_]*", name):
        raise ValueError("wanted <pipeline>.<source>")
    return name


def _without_token(url: str) -> str:
    if "token=" in url:
        raise ValueError("found a token in it; wanted sc://host:port: SPARK_CONNECT_AUTHENTICATE_TOKEN holds the token")
    return url


def _setting(value: object) -> object:
    """Return a Spark setting as the text Spark wants: true for a boolean, 4 for a number."""
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, int | float) else value


class LayerStorage(Strict):
    """Where a layer lies and for how long; a retention of null removes nothing."""

    root: Annotated[str, AfterValidator(_root)] = Field(description="a folder or a URI")
    profile: Literal["hot", "standard", "archive"] = Field(description="hot, standard or archive")
    keep_rows: DurationField | None = Field(default=None, description="how long rows stay, such as 7 years, or null")
    keep_versions: DurationField | None = Field(
        default=None,
        description="how long superseded versions stay for time travel, such as 90 days, or null",
    )


class Storage(Strict):
    """One place a layer; ``ops`` holds run and quality records and locks."""

    landing: LayerStorage = Field(description="a map with root and profile")
    bronze: LayerStorage = Field(description="a map with root and profile")
    silver: LayerStorage = Field(description="a map with root and profile")
    gold: LayerStorage = Field(description="a map with root and profile")
    ops: LayerStorage = Field(description="a map with root and profile")

    @model_validator(mode="after")
    def _apart(self) -> "Storage":
        seen: dict[str, str] = {}
        for layer in LAYERS:
            root = getattr(self, layer).root
            if root in seen:
                raise ValueError(f"{seen[root]} and {layer} have the same root; wanted one for each")
            seen[root] = layer
        return self


class Spark(Strict):
    """How to reach Spark: a master, or a Spark Connect server where ``remote`` is given."""

    master: str | None = Field(
        default="local[2]",
        min_length=1,
        description="a Spark master such as local[2], or null: as spark-submit says",
    )
    remote: Annotated[str, AfterValidator(_without_token)] | None = Field(
        default=None, pattern="^sc://.", description="a Spark Connect server sc://host:port, or null"
    )
    warm: bool = Field(default=True, description="true or false: whether to use the server of `medallion up`")
    port: int | None = Field(default=None, ge=1, le=65535, description="a port from 1 to 65535, or null: any free one")
    idle: PauseField | None = Field(
        default=Duration(minutes=30), description="how long a warm server waits unused, such as 30 minutes, or null"
    )
    executor_wait_seconds: int = Field(
        default=120, ge=1, description="a whole number >= 1 of seconds to wait for a cluster's first executor"
    )
    conf: dict[str, Annotated[str, BeforeValidator(_setting)]] = Field(
        default_factory=dict, description="a map of Spark settings to text, numbers or booleans"
    )


class Runtime(Strict):
    """How a run behaves."""

    parallel_jobs: int = Field(default=2, ge=1, description="a whole number >= 1 of tables refreshed side by side")
    dry_run: bool = Field(default=False, description="true or false")
    retries: int = Field(default=1, ge=0, description="a whole number >= 0 of further tries of a failed step")
    retry_delay_seconds: int = Field(default=300, ge=0, description="a whole number >= 0 of seconds")
    on_locked: Literal["refuse", "wait"] = Field(default="refuse", description="refuse or wait")
    refresh: Refresh | None = Field(default=None, description="auto, incremental, full or null: as the pipeline says")
    accept: str | None = Field(
        default=None,
        pattern=r"^(bronze|silver|gold)\.[a-z][a-z0-9_]*$",
        description="a table <layer>.<table> whose volume and freshness only warn in this run, or null",
    )


class Platform(Strict):
    """One environment: storage, Spark, how runs behave and whom they tell."""

    storage: Storage = Field(description="a map of landing, bronze, silver, gold and ops")
    spark: Spark = Field(default=Spark(), description="a map of master, remote and conf")
    runtime: Runtime = Field(default=Runtime(), description="a map of parallel_jobs, dry_run, retries and so on")
    maintenance: Schedule = Field(
        default=Schedule.model_construct(cron="30 2 * * 0", zone="UTC"),
        description="a map of cron and zone: when pipelines are maintained",
    )
    notifications: Notifications = Field(default=Notifications(), description="a map of channels, on_failure and so on")
    openlineage: OpenLineage = Field(
        default=OpenLineage(), description="a map of to, key, namespace and timeout_seconds"
    )
    receiver: Receiver = Field(default=Receiver(), description="a map of host, port and max_batch")
    cache: PlatformCache = Field(default=PlatformCache(), description="a map of root, host and port")
    connections: dict[Annotated[str, AfterValidator(_source_name)], Connection] = Field(
        default_factory=dict, description="a map of <pipeline>.<source> to where it is"
    )


def secrets_of(part: Strict, key: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], SecretRef]]:
    """Yield every secret reference below a part of conf, with its key; those of connections only who connects needs."""
    for name, value in part:
        if isinstance(value, SecretRef):
            yield (*key, name), value
        elif isinstance(value, Strict):
            yield from secrets_of(value, (*key, name))
    if isinstance(part, Notifications):
        yield from (((*key, *inner), secret) for inner, secret in part.secrets())
