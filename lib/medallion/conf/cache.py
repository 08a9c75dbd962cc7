"""Which tables are kept in a local cache for a dashboard (the pipeline's conf), and where (the platform's)."""

import re
from typing import Annotated

from pydantic import AfterValidator, Field, model_validator
from pydantic import Strict as StrictMode

from medallion.conf.model import Strict

_TABLE = re.compile(r"(silver|gold)\.[a-z][a-z0-9_]*")


def _table(name: str) -> str:
    if not _TABLE.fullmatch(name):
        raise ValueError("wanted <layer>.<table>, such as silver.orders, of silver or gold: only these have a key")
    return name


def _folder(text: str) -> str:
    if not text.strip() or "://" in text or text.startswith("~") or not text.isprintable():
        raise ValueError("wanted a folder of this machine: SQLite locks and maps its files; ~ is not expanded")
    return text.rstrip("/") or "/"


_Columns = Annotated[tuple[str, ...], StrictMode(False)]


class CachedTable(Strict):
    """How one table can be looked through: words in some columns, exact values of others, and one order."""

    searched: _Columns = Field(default=(), max_length=16, description="a list of at most 16 columns of text")
    filters: _Columns = Field(default=(), max_length=16, description="a list of at most 16 columns")
    order_by: str = Field(min_length=1, description="a column, whose greatest values come first")

    @model_validator(mode="after")
    def _once(self) -> "CachedTable":
        for name in ("searched", "filters"):
            columns = getattr(self, name)
            if len(set(columns)) != len(columns):
                raise ValueError(f"{name}: a column is there twice; wanted each once")
        return self


class PipelineCache(Strict):
    """The tables of a pipeline that are cached."""

    tables: dict[Annotated[str, AfterValidator(_table)], CachedTable] = Field(
        default_factory=dict, description="a map of <layer>.<table> to a map of searched, filters and order_by"
    )


class PlatformCache(Strict):
    """Where caches lie, and where their pages are served."""

    root: Annotated[str, AfterValidator(_folder)] = Field(default="data/cache", description="a folder of this machine")
    host: str = Field(default="127.0.0.1", min_length=1, description="an address such as 127.0.0.1")
    port: int = Field(default=8788, ge=0, le=65535, description="a port; 0: any free one")
