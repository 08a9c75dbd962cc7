"""A small REST service of users, posts and comments on this machine's loopback: for trials offline, and for tests.

``python scripts/community_service.py [SOURCE] [--port N]`` serves what SOURCE holds: a JSON file with a list for each
resource, or a folder with a file for each (users.json, ...); without one a day of the sample (``--day``). It reads
a file anew for each request, so that a change is seen, prints its address and stays until ^C.
A list is paged as the public service does it, by ``_page`` and ``_limit``; without these it is given as a whole.
"""

import argparse
import json
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlparse

PROJECT = Path(__file__).resolve().parents[1]
RESOURCES = ("users", "posts", "comments")
_PAGE = 10  # rows of a page of which only the number is given

Answer = tuple[int, bytes]  # status, body
Read = Callable[[], Mapping[str, Any]]  # what each resource holds now


class ServiceError(Exception):
    """A source of rows that cannot be served; its message says why."""


def answer(rows: Mapping[str, Any], path: str, query: Mapping[str, str]) -> Answer:
    """Return status and body for a request: a resource, a page of it, or one row of it by its id."""
    name, _, row_id = path.strip("/").partition("/")
    found: Any = rows.get(name)
    if found is None:
        return 404, b"{}"
    if row_id:
        ours = [row for row in found if isinstance(row, dict) and str(row.get("id")) == row_id]
        return (200, _json(ours[0])) if ours else (404, b"{}")
    try:
        return 200, _json(_page(found, query))
    except ValueError:
        return 400, b'{"error": "_page and _limit: wanted whole numbers from 1"}'


def _page(rows: Sequence[Any], query: Mapping[str, str]) -> Sequence[Any]:
    if "_page" not in query and "_limit" not in query:
        return rows
    page, limit = int(query.get("_page", "1")), int(query.get("_limit", _PAGE))
    if page < 1 or limit < 1:
        raise ValueError(query)
    return rows[(page - 1) * limit : page * limit]


def _json(content: Any) -> bytes:
    return json.dumps(content, ensure_ascii=False, indent=2).encode()


@contextmanager
def serving(answering: Callable[[str, Mapping[str, str]], Answer], port: int = 0) -> Iterator[str]:
    """Yield the address of a service that answers requests by path and query; it ends with the block."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            parts = urlparse(self.path)
            query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
            status, body = answering(parts.path, query)
            self.send_response(status)
            self.send_header("Content-Type", "application/json; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def reader(source: Path) -> Read:
    """Return what reads a file of all resources, or a folder of a file each; raises ServiceError for neither."""
    if source.is_dir():
        files = {name: source / f"{name}.json" for name in RESOURCES}
        missing = [path.name for path in files.values() if not path.is_file()]
        if missing:
            raise ServiceError(f"{source}: found no {', '.join(missing)}; wanted one file for each resource")
        return lambda: {name: json.loads(path.read_bytes()) for name, path in files.items()}
    try:
        found = json.loads(source.read_bytes())
    except (OSError, ValueError) as error:
        raise ServiceError(f"{source}: cannot be read as JSON ({error}); wanted a file or folder of rows") from None
    missing = [name for name in RESOURCES if not isinstance(found, dict) or not isinstance(found.get(name), list)]
    if missing:
        raise ServiceError(f"{source}: found no list of {', '.join(missing)}; wanted one for each resource")
    return lambda: dict(json.loads(source.read_bytes()))


def _sample(day: int, users: int | None, seed: int | None) -> Read:
    sys.path.insert(0, str(PROJECT))
    from jobs.community.sample import community

    options = {name: value for name, value in (("users", users), ("seed", seed)) if value is not None}
    try:
        rows = community(day, **options)
    except ValueError as error:
        raise ServiceError(f"sample: {error}") from None
    return lambda: rows


def main(arguments: Sequence[str] | None = None) -> None:
    """Serve until ^C."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", type=Path, nargs="?", help="a JSON file, or a folder; left out: the sample")
    parser.add_argument("--port", type=int, default=0, help="any free one, if left out")
    parser.add_argument("--day", type=int, default=0, help="of the sample")
    parser.add_argument("--users", type=int, help="of the sample's day 0")
    parser.add_argument("--seed", type=int, help="another seed makes another sample")
    given = parser.parse_args(arguments)
    try:
        read = reader(given.source) if given.source else _sample(given.day, given.users, given.seed)
        with serving(lambda path, query: answer(read(), path, query), given.port) as url:
            sys.stdout.write(f"{url}\n\nmedallion run community \\\n{_overrides(url)}\n")
            sys.stdout.flush()
            threading.Event().wait()
    except (ServiceError, OSError) as error:
        raise SystemExit(str(error)) from None
    except KeyboardInterrupt:
        return


def _overrides(url: str) -> str:
    return " \\\n".join(f"    connections.community.{name}.url={url}" for name in RESOURCES)


if __name__ == "__main__":
    main()
