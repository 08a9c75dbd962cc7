"""The service of one's own: it answers as the public one does."""

import json
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest
from community_service import ServiceError, answer, main, reader

PROJECT = Path(__file__).resolve().parents[3]
ROWS = {"users": [{"id": number} for number in range(1, 13)], "posts": [], "comments": [None]}


def asked(path, **query):
    status, body = answer(ROWS, path, query)
    return status, json.loads(body)


def test_a_list_is_given_whole_or_by_the_page():
    assert asked("/users") == (200, ROWS["users"])
    assert asked("/users", _page="2", _limit="5") == (200, ROWS["users"][5:10])
    assert asked("/users", _page="2") == (200, ROWS["users"][10:])
    assert asked("/users", _limit="3") == (200, ROWS["users"][:3])
    assert asked("/users", _page="9", _limit="5") == (200, [])


def test_a_row_is_given_by_its_id_and_what_is_not_there_is_not_found():
    assert asked("/users/12") == (200, {"id": 12})
    assert asked("/users/13") == asked("/comments/1") == asked("/albums") == asked("/") == (404, {})


@pytest.mark.parametrize("query", [{"_page": "0"}, {"_page": "x"}, {"_limit": "-1"}])
def test_a_page_that_is_none_is_refused(query):
    assert asked("/users", **query)[0] == 400


def test_rows_are_read_from_a_file_or_a_folder_anew(tmp_path):
    for name in ROWS:
        (tmp_path / f"{name}.json").write_text(json.dumps(ROWS[name]))
    (tmp_path / "all.json").write_text(json.dumps(ROWS))
    of_folder, of_file = reader(tmp_path), reader(tmp_path / "all.json")

    (tmp_path / "posts.json").write_text("[1]")

    assert of_file() == ROWS
    assert of_folder() == {**ROWS, "posts": [1]}


@pytest.mark.parametrize(
    ("content", "told"),
    [(None, "cannot be read as JSON"), ("[]", "found no list of users, posts, comments"), ("{", "cannot be read")],
)
def test_what_cannot_be_served_is_told(tmp_path, content, told):
    file = tmp_path / "data.json"
    if content is not None:
        file.write_text(content)

    with pytest.raises(ServiceError, match=told):
        reader(file)
    with pytest.raises(SystemExit, match=told):
        main([str(file)])
    with pytest.raises(ServiceError, match=r"found no users\.json, posts\.json, comments\.json"):
        reader(tmp_path)


def test_a_sample_of_no_size_is_told():
    with pytest.raises(SystemExit, match="wanted a day from 0 and at least one user"):
        main(["--users", "0"])


@pytest.mark.slow
def test_it_prints_its_address_and_ends_with_the_keyboard():
    command = [sys.executable, "scripts/community_service.py", "--users", "3"]
    with subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.PIPE, text=True) as service:
        try:
            assert service.stdout is not None
            url = service.stdout.readline().strip()
            assert url.startswith("http://127.0.0.1:")
            with urllib.request.urlopen(f"{url}/users", timeout=10) as found:
                assert len(json.load(found)) == 3
            assert "connections.community.users.url" in "".join(service.stdout.readline() for _ in range(3))
        finally:
            service.send_signal(signal.SIGINT)
        assert service.wait(10) == 0
