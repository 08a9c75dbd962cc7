"""The receiver in a process of its own, as `medallion serve` starts it, and a sender that posts to it."""

import contextlib
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from http.client import HTTPConnection, HTTPException
from pathlib import Path

from tests.crash import stages
from tests.crash.scenario import NAME, Day, Depot

MEDALLION = str(Path(sys.executable).with_name("medallion"))
_SECONDS = 30.0
_SERVE = "import sys; from medallion.cli import main; sys.argv[0] = 'medallion'; sys.exit(main())"


@contextlib.contextmanager
def serving(depot: Depot, variables: Mapping[str, str]) -> Iterator[tuple["subprocess.Popen[str]", int]]:
    """Start a receiver in a group of its own; yield it and its port; end it if it is still there."""
    overrides = [one for one in depot.overrides() if one.startswith("storage.")]
    process = subprocess.Popen(
        [sys.executable, "-c", _SERVE, "serve", "--pipeline", NAME, "receiver.port=0", *overrides],
        cwd=depot.project,
        env={**os.environ, "MEDALLION_HOME": str(depot.project), "PYTHONPATH": os.pathsep.join(sys.path), **variables},
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    )
    assert process.stderr is not None
    try:
        lines = []
        for line in process.stderr:
            lines.append(line)
            if found := re.search(r"listening on http://[\d.]+:(\d+)", line):
                yield process, int(found[1])
                break
        else:
            raise AssertionError("".join(lines))
    finally:
        process.terminate()
        process.wait(_SECONDS)
        process.stderr.close()


def post(depot: Depot, day: Day, after: int, port: int) -> None:
    """Post orders, and note what was acknowledged; raises OSError or HTTPException where no answer came."""

    def once(id: str, body: str) -> None:
        connection = HTTPConnection("127.0.0.1", port, timeout=_SECONDS)
        with contextlib.closing(connection):
            headers = {"content-type": "application/json", "webhook-id": id}
            connection.request("POST", f"/v1/{NAME}/orders", body.encode(), headers)
            status = connection.getresponse().status
            assert status in (200, 202), status

    stages.send(depot, "orders", day.posts, after, once)


def post_and_die(depot: Depot, day: Day, after: int, variables: Mapping[str, str]) -> int:
    """Post to a receiver until it dies or has all, and return its exit code."""
    with serving(depot, variables) as (process, port):
        with contextlib.suppress(OSError, HTTPException):
            post(depot, day, after, port)
            return 0
        return process.wait(_SECONDS)
