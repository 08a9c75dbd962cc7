"""The pages: what they show, what they answer when something is wrong, and that they run nobody's script."""

import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from html import unescape
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from medallion.cache import page as cache_page
from medallion.cache.log import Entry, Log
from tests.lib.cache_lab import NAME, Yard, log

TABLE = "/yard/silver.logs"
HOSTILE = "<script>alert('x')</script><img src=x onerror=alert(1)>"


@pytest.fixture
def client(filled: Yard) -> Iterator[TestClient]:
    with TestClient(cache_page.application([filled.conf()]), raise_server_exceptions=False) as started:
        yield started


def shown(client: TestClient, address: str, code: int = 200) -> str:
    """Return a page's text without its tags."""
    answer = client.get(address)
    assert answer.status_code == code, answer.text
    text = re.sub(r"<[^>]+>", " ", answer.text)
    return re.sub(r"\s+", " ", unescape(text))


def test_the_list_shows_every_table_with_its_state_rows_and_time(client: TestClient, filled: Yard) -> None:
    page = shown(client, "/")

    assert f"{NAME} current 300" in page
    assert Log(filled.place.root).entries(NAME)[0].synced_at[:16].replace("T", " ") in page
    assert f'href="{TABLE}"' in client.get("/").text


def test_a_table_that_was_never_synced_says_what_to_do(yard: Yard) -> None:
    client = TestClient(cache_page.application([yard.conf()]))

    assert "empty - never never" in shown(client, "/")
    assert "Not synced yet: medallion sync yard fills it." in shown(client, TABLE)
    assert client.get("/health").status_code == 503
    assert client.get(f"{TABLE}.json").status_code == 503


def test_a_search_shows_rows_and_keeps_what_was_asked_for(client: TestClient) -> None:
    answer = client.get(TABLE, params={"q": "slab", "f.status": "Open", "sort": "oldest"})

    assert answer.status_code == 200
    assert answer.text.count("<tr>") == 51
    assert "L-00297" in answer.text
    assert "Closed</div>" not in answer.text
    assert 'value="slab"' in answer.text
    assert '<option value="Open" selected>Open (85)</option>' in answer.text
    assert "<option selected>oldest</option>" in answer.text


def test_links_lead_through_all_pages(client: TestClient) -> None:
    address, seen = f"{TABLE}?q=slab&f.is_open=true", list[str]()
    while address:
        text = client.get(address).text
        seen += re.findall(r">(L-\d+)</div>", text)
        following = re.search(r'class="next" href="(\?[^"]+)"', text)
        address = TABLE + unescape(following[1]) if following else ""

    assert seen == [f"L-{n:05d}" for n in range(300) if n % 7 and n % 2 == 0]


def test_the_same_search_as_json(client: TestClient) -> None:
    answer = client.get(f"{TABLE}.json", params={"q": "slab", "status": "Open", "fee": "0.03"}).json()

    assert (answer["table"], answer["version"], answer["after"]) == (NAME, 0, None)
    (row,) = answer["rows"]
    assert (row["log_id"], row["fee"], row["is_open"], row["wide"]) == (
        "L-00003", "0.03", False, "100000000000000000003.0000",
    )  # fmt: skip
    assert (row["at"], row["tags"], row["day"]) == ("2026-01-31T11:56:59.999997Z", ["a", "t3"], "2026-01-04")


def test_values_with_many_kinds_are_typed_and_others_chosen(client: TestClient) -> None:
    text = client.get(TABLE).text

    assert '<option value="true">true (128)</option>' in text
    assert '<input name="f.fee"' in text  # more values than a list takes


@pytest.mark.parametrize(
    ("query", "code", "message"),
    [
        ("q=" + "x" * 201, 400, "search: found 201 letters; wanted at most 200"),
        ("f.crew=many", 400, "crew: found 'many'; wanted a value of type int"),
        ("f.title=x", 400, "filter: no column 'title'; wanted one of status"),
        ("after=1.1;DROP", 400, "after: wanted what the page before gave"),
        ("q=" + "x" * 9000, 414, "That address is too long."),
    ],
)
def test_a_search_that_cannot_be_run_is_told_on_the_page_and_in_json(
    client: TestClient, query: str, code: int, message: str
) -> None:
    assert message in shown(client, f"{TABLE}?{query}", code)
    answer = client.get(f"{TABLE}.json?{query}")
    assert answer.status_code == code
    assert message in answer.json()["error"]


@pytest.mark.parametrize(
    "address", ["/nope", "/yard/nope", "/yard/silver.logs/nope", "/_files/../cache_page.py", "/a/b.json"]
)
def test_what_is_not_there_is_told(client: TestClient, address: str) -> None:
    assert client.get(address).status_code == 404


def test_an_old_cursor_starts_again_on_the_page_and_is_refused_in_json(client: TestClient) -> None:
    assert "the cache was built anew since" in shown(client, f"{TABLE}?after=9.64")
    assert "L-00000" in client.get(f"{TABLE}?after=9.64").text
    assert client.get(f"{TABLE}.json?after=9.64").status_code == 409


def test_nobodys_script_gets_into_a_page(filled: Yard, client: TestClient) -> None:
    filled.merge([log(1, title=HOSTILE, status=f'"{HOSTILE}', notes=HOSTILE)])
    filled.sync()
    Log(filled.place.root).add(Entry(NAME, "2026", "2026", 1, "none", error=HOSTILE))

    for address in ("/", TABLE, f"{TABLE}?part=status", f"{TABLE}/log", "/?part=tables"):
        assert "alert(" in client.get(address).text
    hostile = {"q": HOSTILE, "f.status": HOSTILE, "f.crew": HOSTILE, "sort": HOSTILE, "after": HOSTILE}
    for answer in (*map(client.get, ("/", TABLE, f"{TABLE}/log")), client.get(TABLE, params=hostile)):
        assert "<script>alert" not in answer.text
        assert "<img" not in answer.text
        assert '"<script' not in answer.text.replace('"&#34;', "")
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy


def test_pages_need_nothing_from_elsewhere(client: TestClient) -> None:
    for address in ("/", TABLE, f"{TABLE}/log"):
        found = re.findall(r'(?:href|src|action)="([^"?]+)', client.get(address).text)
        assert found
        assert [one for one in found if not one.startswith("/") or one.startswith("//")] == []
        for own in {one for one in found if one.startswith("/_files")}:
            assert client.get(own).status_code == 200


def test_a_failed_sync_is_told_with_its_reason_while_the_cache_serves(client: TestClient, filled: Yard) -> None:
    filled.write([log(number % 2000) for number in range(2001)], mode="overwrite")
    assert filled.sync().error

    page = shown(client, TABLE)

    assert "failed" in page
    checked = Log(filled.place.root).checked_at(NAME)
    assert checked is not None
    assert f"These rows are stale since {checked.replace('T', ' ')[:19]} UTC." in page
    assert f"Why: {NAME}: two rows have the same log_id; wanted one a key" in page
    assert "L-00000" in page
    assert "two rows have the same" in shown(client, "/")
    assert "two rows have the same" in shown(client, f"{TABLE}/log")
    assert client.get("/health").json() == {"tables": {NAME: "failed"}}
    assert client.get(f"{TABLE}.json").status_code == 200


def test_pages_stay_up_while_the_lake_is_away(client: TestClient, filled: Yard) -> None:
    Path(filled.path).rename(filled.folder / "away")

    assert filled.sync().error
    assert "no version has passed its gate yet" in shown(client, TABLE)
    assert "L-00000" in shown(client, TABLE)


def test_progress_of_a_sync_is_shown_while_it_lasts(client: TestClient, filled: Yard) -> None:
    seen: list[str] = []
    filled.merge(log(number, status="New") for number in range(100))

    filled.sync(say=lambda *told: seen.append(shown(client, f"{TABLE}?part=status")))

    assert [text for text in seen if "A sync is at work: changing, 0 of 100 rows" in text]
    assert [text for text in seen if "A sync is at work: changing, 100 of 100 rows" in text]
    assert "syncing" in seen[0]
    assert "A sync is at work" not in shown(client, f"{TABLE}?part=status")


def test_a_sync_that_was_killed_is_told(client: TestClient, filled: Yard) -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    filled.merge([log(900)])
    with sqlite3.connect(Log(filled.place.root).path) as connection:
        connection.execute("INSERT INTO syncing VALUES (?, ?, '2026', '2026', 'reading', 5, 10)", (NAME, gone.pid))
    connection.close()

    assert "killed" in shown(client, "/")
    assert "as if it was killed" in shown(client, TABLE)


def test_a_damaged_cache_is_told_and_the_list_stays_up(client: TestClient, filled: Yard) -> None:
    filled.place.file(1).write_bytes(b"no database " * 1000)
    other = TestClient(cache_page.application([filled.conf()]), raise_server_exceptions=False)

    assert "its cache cannot be read" in shown(other, "/")
    assert other.get(f"{TABLE}.json").status_code == 503


@pytest.mark.slow
@pytest.mark.parametrize("signal_of_end", [signal.SIGTERM, signal.SIGKILL])
def test_the_command_serves_by_several_processes_which_end_with_it(filled: Yard, signal_of_end: signal.Signals) -> None:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", "import sys; from medallion.cli import main; sys.exit(main())", "pages", "--json"]
    with subprocess.Popen(command, env=environment, cwd=filled.folder, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        try:
            told = json.loads(server.stdout.readline())
            assert told["tables"] == [NAME]
            with urllib.request.urlopen(f"{told['address']}{TABLE}.json?q=slab+17", timeout=30) as answer:
                assert [row["log_id"] for row in json.load(answer)["rows"]] == ["L-00017"]
            children = Path(f"/proc/{server.pid}/task/{server.pid}/children").read_text().split()
            assert children
        finally:
            server.send_signal(signal_of_end)
    end = time.monotonic() + 20
    while (running := [child for child in children if _runs(child)]) and time.monotonic() < end:
        time.sleep(0.2)
    for child in running:
        os.kill(int(child), signal.SIGKILL)
    assert running == []
    with pytest.raises(urllib.error.URLError):
        urllib.request.urlopen(f"{told['address']}/health", timeout=5)


def _runs(process: str) -> bool:
    try:
        return "multiprocessing" in Path(f"/proc/{process}/cmdline").read_text()
    except OSError:
        return False


@pytest.mark.slow
def test_a_port_that_is_taken_is_told(filled: Yard, capsys: pytest.CaptureFixture[str]) -> None:
    import socket

    from medallion import cli

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert cli.main(["pages", f"cache.port={port}"]) == 1

    told = capsys.readouterr().err
    assert told == (
        f"cache: cannot listen on 127.0.0.1, port {port}: Address already in use; wanted an address of this machine "
        "and a free port: cache.host, cache.port (0: any free one)\n"
    )
