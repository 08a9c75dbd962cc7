"""The pages of the caches, as an ASGI application: a list of tables, and for each its status, a search and its log.

Pages are made here and need no JavaScript; nothing comes from elsewhere. They read caches and their log only: they
stay up while a lake, a source or a sync is not.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from medallion.cache import Cached, Place, SearchError, StaleCursor, place_of
from medallion.cache.log import Log
from medallion.cache.search import (
    PAGE,
    SORTS,
    Found,
    Reader,
    Wanted,
)
from medallion.cache.status import Status, status_of
from medallion.cache.values import shown
from medallion.cache.words import MOST_LETTERS
from medallion.conf import Conf
from medallion.errors import LakehouseError
from medallion.output import as_text, counted, size

if TYPE_CHECKING:
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import Response

_FILES = Path(__file__).with_name("pages")
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; img-src 'self'; style-src 'self'; script-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}
_OWN = ("q", "sort", "after", "part")  # parameters of an address that are no filters
_MOST_QUERY = 8000  # letters of an address


class Pages:
    """What the pages answer; one for all threads of a process."""

    def __init__(self, confs: Sequence[Conf]) -> None:
        """Serve the cached tables of these pipelines."""
        from jinja2 import Environment, FileSystemLoader, StrictUndefined

        self.places: dict[tuple[str, str], Place] = {
            (conf.name, short): place_of(conf, f"{conf.name}.{short}")
            for conf in confs
            for short in conf.pipeline.cache.tables
        }
        self.readers = {key: Reader(place) for key, place in self.places.items()}
        self.environment = Environment(
            loader=FileSystemLoader(_FILES),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self.environment.filters |= {"counted": counted, "bytes": size, "moment": _moment, "plain": _plain}

    def index(self, request: "Request") -> "Response":
        """List all tables."""
        template = "tables.html" if "part" in request.query_params else "index.html"
        return self._page(template, tables=[self._status(key) for key in sorted(self.places)])

    def table(self, request: "Request") -> "Response":
        """Show a table: where it stands, and what is looked for in it."""
        key = self._key(request)
        now = self._status(key)
        if "part" in request.query_params:
            return self._page("status.html", now=now)
        wanted = _wanted(request.query_params)
        found, problem = self._found(key, wanted) if now.cached else (None, None)
        facts = {"found": found, "problem": problem, "links": _links(wanted, found)}
        form = self._form(key, now.cached, wanted) if now.cached else None
        return self._page("table.html", 200 if found or not problem else 400, now=now, search=form, **facts)

    def _found(self, key: tuple[str, str], wanted: Wanted) -> tuple[Found | None, str | None]:
        """Return what a search finds, and what is wrong with it; out of date, it starts again from the first page."""
        try:
            return self.readers[key].search(wanted), None
        except StaleCursor as error:
            return self.readers[key].search(replace(wanted, after="")), str(error)
        except SearchError as error:
            return None, str(error)

    def log(self, request: "Request") -> "Response":
        """Show the syncs of a table."""
        key = self._key(request)
        place = self.places[key]
        return self._page("log.html", now=self._status(key), entries=Log(place.root).entries(place.table, 200))

    def search(self, request: "Request") -> "Response":
        """Answer a search as JSON."""
        key = self._key(request)
        found = self.readers[key].search(_wanted(request.query_params))
        names = list(found.cached.definition.columns)
        return _json(
            {
                "table": found.cached.table,
                "version": found.cached.version,
                "synced_at": found.cached.synced_at,
                "rows": [dict(zip(names, row, strict=True)) for row in found.shown()],
                "after": found.after,
            }
        )

    def health(self, _: "Request") -> "Response":
        """Tell whether every table has a cache that can be read; 503 where one has not."""
        tables = [self._status(key) for key in sorted(self.places)]
        states = {one.table: one.state for one in tables}
        return _json({"tables": states}, 200 if all(one.cached for one in tables) else 503)

    def refused(self, request: "Request", error: Exception) -> "Response":
        """Tell what is wrong with an address or a cache."""
        from starlette.exceptions import HTTPException

        code = 503
        if isinstance(error, HTTPException):
            code, message = error.status_code, "There is no such page." if error.status_code == 404 else error.detail
        else:
            message = str(error)
            code = 409 if isinstance(error, StaleCursor) else 400 if isinstance(error, SearchError) else 503
        if request.url.path.endswith(".json"):
            return _json({"error": message}, code)
        return self._page("problem.html", code, message=message)

    def _key(self, request: "Request") -> tuple[str, str]:
        from starlette.exceptions import HTTPException

        key = (request.path_params["pipeline"], request.path_params["table"])
        if key not in self.places or len(request.url.query) > _MOST_QUERY:
            raise HTTPException(404 if key not in self.places else 414, "That address is too long.")
        return key

    def _status(self, key: tuple[str, str]) -> Status:
        return status_of(self.places[key], self.readers[key], key)

    def _form(self, key: tuple[str, str], cached: Cached, wanted: Wanted) -> dict[str, Any]:
        made = cached.definition
        filters = []
        for name in made.filters:
            make = shown(made.kinds[name]) or str
            values = self.readers[key].values(name)
            choices = None if values is None else [(_plain(make(value)), rows) for value, rows in values]
            filters.append({"name": name, "chosen": wanted.values.get(name, ""), "choices": choices})
        sorts = [sort for sort in SORTS if made.searched or sort != "relevance"]
        return {"wanted": wanted, "filters": filters, "sorts": sorts, "most": MOST_LETTERS, "page": PAGE}

    def _page(self, template: str, code: int = 200, **facts: Any) -> "Response":
        from starlette.responses import HTMLResponse

        return HTMLResponse(self.environment.get_template(template).render(facts), code)


def application(confs: Sequence[Conf]) -> "Starlette":
    """Return the pages of the cached tables of some pipelines."""
    from starlette.applications import Starlette
    from starlette.exceptions import HTTPException
    from starlette.routing import Mount, Route
    from starlette.staticfiles import StaticFiles

    pages = Pages(confs)
    table = "/{pipeline}/{table}"
    routes = [
        Route("/", pages.index),
        Route("/health", pages.health),
        Mount("/_files", StaticFiles(directory=_FILES / "files")),  # no pipeline's name begins with _
        Route(f"{table}.json", pages.search),
        Route(f"{table}/log", pages.log),
        Route(table, pages.table),
    ]
    handlers: Mapping[Any, Callable[..., Any]] = {HTTPException: pages.refused, LakehouseError: pages.refused}
    return Starlette(routes=routes, exception_handlers=dict(handlers), middleware=[_headers()])


def _headers() -> Any:
    from starlette.middleware import Middleware

    class Headers:
        """Adds what keeps a browser from fetching or running anything of others."""

        def __init__(self, app: Any) -> None:
            self.app = app

        async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
            async def sent(message: Any) -> None:
                if message["type"] == "http.response.start":
                    added = [(name.lower().encode(), value.encode()) for name, value in _HEADERS.items()]
                    message = {**message, "headers": [*message["headers"], *added]}
                await send(message)

            await self.app(scope, receive, sent)

    return Middleware(Headers)


def _wanted(parameters: Mapping[str, str]) -> Wanted:
    """Return what an address asks for: q, sort, after; every other parameter is a filter, an empty one is none."""
    sort = next((sort for sort in SORTS if sort == parameters.get("sort")), SORTS[0])
    values = {name.removeprefix("f."): value for name, value in parameters.items() if name not in _OWN and value}
    return Wanted(parameters.get("q", ""), values, sort, parameters.get("after", ""))


def _links(wanted: Wanted, found: Found | None) -> dict[str, str]:
    """Return the queries of the first page, where this is another one, and of the next, where there is one."""
    filters = {f"f.{name}": value for name, value in wanted.values.items()}
    first = urlencode({"q": wanted.text, **filters, "sort": wanted.sort})
    links = {"first": first} if wanted.after else {}
    return links | ({"next": f"{first}&after={found.after}"} if found and found.after else {})


def _plain(value: Any) -> str:
    """Return a value as a person reads and types it: true, not True."""
    return value if isinstance(value, str) else as_text(value, indent=None)


def _moment(text: str) -> str:
    """Return an instant for people, to the second."""
    return text.replace("T", " ")[:19] + " UTC"


def _json(facts: Mapping[str, Any], code: int = 200) -> "Response":
    from starlette.responses import Response

    return Response(as_text(facts, indent=None), code, media_type="application/json")
