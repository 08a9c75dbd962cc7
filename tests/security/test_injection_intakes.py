"""Sources: names from conf are quoted or refused, what a service or a database says is data, a token stays at home."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from medallion.conf import Connection, SecretRef, Source
from medallion.conf.intake import DatabaseIntake, RestIntake
from medallion.errors import ConfError, IntakeError
from medallion.intake import database as database_intake
from medallion.intake import http, rest
from medallion.intake.asked import Asked
from medallion.landing import Landing
from tests import figures
from tests.lib.bare_landing import bare_landing
from tests.security.corpus import STRINGS
from tests.security.surroundings import executed, ran

TOKEN = "s3cret-token-of-the-service"


class Service:
    """A service on loopback: what it answers to a path, and what it was asked with which token."""

    def __init__(self) -> None:
        self.answers: dict[str, tuple[int, dict[str, str], bytes]] = {}
        self.asked: list[tuple[str, str | None]] = []
        service = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                service.asked.append((self.path, self.headers["Authorization"]))
                status, headers, body = service.answers.get(self.path.partition("?")[0], (200, {}, b"[]"))
                if "page=" in self.path and not self.path.endswith("page=1"):  # pages end with an empty one
                    status, headers, body = 200, {}, b"[]"
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def tokens(self) -> set[str]:
        return {token for _, token in self.asked if token}


@pytest.fixture
def home(monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    monkeypatch.setenv("HOME_TOKEN", TOKEN)
    monkeypatch.setattr(http, "_sleep", lambda seconds: None)
    made = Service()
    yield made
    made.stop()


@pytest.fixture
def stranger() -> Iterator[Service]:
    made = Service()
    yield made
    made.stop()


def _asked(landing: Landing, source: Source, connection: Connection, folder: Path) -> Asked:
    return Asked("trial.rows", source, connection, landing, {}, None, folder, lambda _: None)


def _take(home: Service, tmp_path: Path, url: str = "/api", **intake: Any) -> list[bytes]:
    """Take in what a service has, with the token, and return what landed."""
    told = {"kind": "rest", "resource": "users", **intake}
    facts = {"format": "json", "delivers": "events", "system": "s", "records": "$", "intake": told}
    source = Source.model_validate(facts)
    landing = bare_landing(tmp_path, "rows")
    connection = Connection(url=home.url + url, token=SecretRef("env:HOME_TOKEN"))
    assert isinstance(source.intake, RestIntake)
    rest.take(_asked(landing, source, connection, tmp_path), source.intake)
    return [content for one in landing.after(0) for _, content in landing.contents(one)]


PAGES = {"by": "page", "parameter": "page"}
LEADS: dict[str, tuple[dict[str, Any], int, dict[str, str]]] = {
    "a redirect": ({}, 302, {"Location": "{stranger}/x"}),
    "a redirect before pages": ({"paging": PAGES}, 302, {"Location": "{stranger}/x"}),
    "a redirect before links": ({"paging": {"by": "link"}}, 307, {"Location": "{stranger}/x"}),
    "a redirect without a scheme": ({"paging": PAGES}, 301, {"Location": "//{host}/x"}),
    "a redirect as a user": ({"paging": PAGES}, 302, {"Location": "http://{home}@{host}/x"}),
    "a link": ({"paging": {"by": "link"}}, 200, {"Link": '<{stranger}/x>; rel="next"'}),
    "a link without a scheme": ({"paging": {"by": "link"}}, 200, {"Link": '<//{host}/x>; rel="next"'}),
    "a link as a user": ({"paging": {"by": "link"}}, 200, {"Link": '<http://{home}@{host}/x>; rel="next"'}),
    "a link to a file": ({"paging": {"by": "link"}}, 200, {"Link": '<file:///etc/passwd>; rel="next"'}),
    "a redirect to a file": ({}, 302, {"Location": "file:///etc/passwd"}),
    "a link to no address": ({"paging": {"by": "link"}}, 200, {"Link": '<http://[x>; rel="next"'}),
    "a link to another port": ({"paging": {"by": "link"}}, 200, {"Link": '<http://127.0.0.1:1/x>; rel="next"'}),
    "a link by another scheme": ({"paging": {"by": "link"}}, 200, {"Link": '<https://{home}/x>; rel="next"'}),
}


@pytest.mark.parametrize("what", LEADS)
def test_a_token_goes_to_the_address_of_conf_and_nowhere_else(
    home: Service, stranger: Service, tmp_path: Path, what: str
) -> None:
    intake, status, headers = LEADS[what]
    words = {"stranger": stranger.url, "host": stranger.url[7:], "home": home.url[7:]}
    told = {name: value.format(**words) for name, value in headers.items()}
    home.answers["/api/users"] = (status, told, b'[{"id": 1}]')
    more = {"Link": f'<{stranger.url}/y>; rel="next"'}
    stranger.answers["/x"] = (200, more, b'[{"id": 2}]')

    landed: list[bytes] = []
    try:
        landed = _take(home, tmp_path, **intake)
    except IntakeError as error:
        assert TOKEN not in str(error)

    assert home.tokens == {f"Bearer {TOKEN}"}
    assert stranger.tokens == set()
    assert not any(b"root:" in content for content in landed)
    figures.note("injection", tried=1, executed=ran(), unaccounted=0)


def test_a_token_is_sent_again_to_ones_own_address(home: Service, tmp_path: Path) -> None:
    """Also behind a redirect within the service."""
    home.answers["/api/users"] = (302, {"Location": "/v2/users"}, b"")
    home.answers["/v2/users"] = (200, {"Link": '</v2/more>; rel="next"'}, b"[1]")
    home.answers["/v2/more"] = (200, {}, b"[2]")

    assert _take(home, tmp_path, paging={"by": "link"}) == [b"[1]", b"[2]"]
    assert [token for _, token in home.asked] == [f"Bearer {TOKEN}"] * 3


@pytest.mark.parametrize(
    ("conf", "asked", "sent"),
    [
        ("http://a.test/api", "https://a.test/x", True),
        ("http://a.test:8080/api", "https://a.test/x", False),
        ("https://a.test/api", "http://a.test/x", False),
        ("https://a.test/api", "https://a.test:8443/x", False),
        ("https://a.test/api", "https://A.TEST:443/x", True),
        ("https://a.test/api", "https://a.test.evil.test/x", False),
        ("https://a.test/api", "https://a.test@evil.test/x", False),
    ],
)
def test_ones_own_address_is_the_same_host_and_port_or_the_same_by_https(conf: str, asked: str, sent: bool) -> None:
    import httpx

    assert http._is_of(httpx.URL(conf), httpx.URL(asked)) == sent


def test_without_the_look_at_addresses_a_stranger_has_the_token(
    home: Service, stranger: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http, "_is_of", lambda *_: True)
    home.answers["/api/users"] = (302, {"Location": f"{stranger.url}/x"}, b"")
    stranger.answers["/x"] = (200, {"Link": '</y>; rel="next"'}, b"[1]")

    _take(home, tmp_path, paging={"by": "link"})

    is_red = stranger.tokens == {f"Bearer {TOKEN}"}
    figures.control("injection", "a token stays at its service's address", red=is_red)
    assert is_red


@pytest.mark.parametrize("token", ["a\nb", "a\r\nX: y", "a\0b", "caf\u00e9", "a\x1bb"])
def test_a_token_that_no_header_can_hold_is_told_and_not_shown(
    home: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, token: str
) -> None:
    if "\0" in token:
        (tmp_path / "token").write_text(token)
        monkeypatch.setattr(SecretRef, "reveal", lambda self: token)
    else:
        monkeypatch.setenv("HOME_TOKEN", token)

    with pytest.raises(ConfError, match=r"connections\.trial\.rows\.token: found letters") as refused:
        _take(home, tmp_path)

    assert token not in str(refused.value)
    assert home.asked == []


def test_blanks_around_a_token_are_none_of_it(home: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As an editor or `echo` leaves them; refused by the client's library, it would be told with the token."""
    monkeypatch.setenv("HOME_TOKEN", f" {TOKEN}\n")

    _take(home, tmp_path)

    assert home.tokens == {f"Bearer {TOKEN}"}


@pytest.mark.slow
def test_a_resource_is_below_its_services_address(home: Service, stranger: Service, tmp_path: Path) -> None:
    """Any string: it is refused, or asked for below the address; it adds no header and no other host."""
    strange = (f"//{stranger.url[7:]}/x", f"{stranger.url}/x", "..", "a/../../x", "%2e%2e/x", "a/%2E%2E/x", "\\\\x\\y")
    wrong = []
    for text in (*STRINGS[::2], *strange):
        try:
            _take(home, tmp_path, resource=text)
        except ValidationError as error:
            assert "below the service's address" in str(error) or "at least 1 character" in str(error)
            assert not (text and text.isalnum() and text.isascii()), text
            continue
        except IntakeError:
            continue
        path = home.asked[-1][0]
        if not path.startswith("/api/") or "/../" in path:
            wrong.append((text, path))

    assert (wrong, stranger.asked) == ([], [])
    figures.note("injection", tried=len(STRINGS[::2]) + len(strange), executed=ran(), unaccounted=len(wrong))


def test_parameters_of_conf_are_values_of_a_query_and_answers_are_data(home: Service, tmp_path: Path) -> None:
    from urllib.parse import parse_qs, urlparse

    body = json.dumps([{"id": text, text: text} for text in STRINGS]).encode()
    home.answers["/api/users"] = (200, {}, body)

    assert _take(home, tmp_path, parameters={f"p{n}": text for n, text in enumerate(STRINGS[:200])}) == [body]

    query = parse_qs(urlparse(home.asked[-1][0]).query, keep_blank_values=True, encoding="utf-8")
    assert {name: values[0] for name, values in query.items()} == {f"p{n}": t for n, t in enumerate(STRINGS[:200])}
    figures.note("injection", tried=200, executed=ran(), unaccounted=0)


def test_a_table_of_a_database_is_a_plain_name() -> None:
    taken = []
    for text in STRINGS:
        for name in (text, f"public.{text}", f"{text}.rows"):
            try:
                DatabaseIntake.model_validate({"kind": "database", "table": name, "key": ["id"]})
            except ValidationError as error:
                assert "wanted a table's name" in str(error)
            else:
                taken.append(name)

    assert all(name.replace("_", "a").replace(".", "a").isalnum() and name.isascii() for name in taken)
    figures.note("injection", tried=3 * len(STRINGS), executed=ran(), unaccounted=0)


# PostgreSQL takes no NUL, and cuts names at 63 bytes.
NAMES = [text for text in STRINGS if text and "\0" not in text and len(text.encode()) <= 60]


@pytest.mark.slow
def test_names_and_values_of_a_database_are_data(
    database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every string is a column's name, a value and a key at once; the server's tables are as they were."""
    import postgres
    import psycopg
    from psycopg import sql

    monkeypatch.chdir(tmp_path)
    values = [text for text in STRINGS if "\0" not in text]
    with psycopg.connect(database, user=postgres.USER, autocommit=True) as connection:
        columns = sql.SQL(", ").join(sql.SQL("{} text").format(sql.Identifier(f"c {name}")) for name in NAMES)
        key = sql.Identifier("key \" ' ; -- {} %s")
        connection.execute(sql.SQL("CREATE TABLE corpus ({} text PRIMARY KEY, {})").format(key, columns))
        marks = sql.SQL(", ").join(sql.Placeholder() * (len(NAMES) + 1))
        insert = sql.SQL("INSERT INTO corpus VALUES ({})").format(marks)
        for value in values:
            connection.execute(insert, [value] * (len(NAMES) + 1))
        before = _schema(connection)
        landing = bare_landing(tmp_path, "rows")

        told = {"kind": "database", "table": "corpus", "key": ["key \" ' ; -- {} %s"], "partitions": 1}
        facts = {"format": "json", "delivers": "snapshot", "system": "db", "intake": told}
        source = Source.model_validate(facts)
        where = Connection(url=database, user=postgres.USER)
        assert isinstance(source.intake, DatabaseIntake)
        database_intake.take(_asked(landing, source, where, tmp_path), source.intake)

        assert _schema(connection) == before
        refused = _refused_columns(landing, where, tmp_path)
        assert _schema(connection) == before

    rows = [json.loads(line) for one in landing.after(0) for _, c in landing.contents(one) for line in c.splitlines()]
    assert sorted(row["key \" ' ; -- {} %s"] for row in rows) == sorted(values)
    assert all(set(row) == {"key \" ' ; -- {} %s", *(f"c {name}" for name in NAMES)} for row in rows)
    assert all(len(set(row.values())) == 1 for row in rows)
    assert refused == len(NAMES)
    assert executed(tmp_path) == []
    figures.note("injection", tried=len(NAMES) * 2 + len(values), executed=ran(), unaccounted=0)


def _refused_columns(landing: Landing, where: Connection, folder: Path) -> int:
    """Return how many strings are refused as a key or a column of changes: the table has no such column."""
    refused = 0
    for name in NAMES:
        told = {"kind": "database", "table": "corpus", "key": [name], "changed": name}
        facts = {"format": "json", "delivers": "snapshot", "system": "db", "intake": told}
        source = Source.model_validate(facts)
        assert isinstance(source.intake, DatabaseIntake)
        try:
            database_intake.take(_asked(landing, source, where, folder), source.intake)
        except IntakeError as error:
            refused += "found no column" in str(error)
    return refused


def _schema(connection: Any) -> list[Any]:
    """Return every table, column and role of the server, and the number of rows."""
    query = (
        "SELECT table_name, column_name, data_type FROM information_schema.columns WHERE table_schema = 'public' "
        "UNION ALL SELECT 'role', rolname, '' FROM pg_roles UNION ALL SELECT 'rows', count(*)::text, '' FROM corpus "
        "ORDER BY 1, 2"
    )
    return list(connection.execute(query).fetchall())
