"""How fast the webhook receiver takes signed posts, and that all it acknowledged is there after a SIGKILL.

``python -m benchmarks.receiver_load [--seconds 20] [--connections 32] [--bytes 1000] [--json]``

Senders and receiver share this machine and talk over loopback. Each sender posts one payload after another on a
connection that stays open, and posts again, with the same id, what was not acknowledged. Every 2xx goes to a ledger,
a file that is synced. In the middle the receiver is killed and started again. At the end what it holds is published
in landing, and compared with the ledger: each id must be there, with its own bytes, once after duplicates are
dropped by id. The exit code is 1 where that is not so.
"""

import argparse
import asyncio
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from base64 import b64encode
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from socket import create_server
from statistics import quantiles

from benchmarks.receiver_senders import PATH, Ledger, Load, Sender, body_of
from medallion import conf as conf_door
from medallion.conf.secret import SecretRef
from medallion.landing import Landing
from medallion.receiver.inbox import gather
from medallion.receiver.webhook import key_of

PIPELINE, SOURCE = PATH.split("/")[2:]
_START_SECONDS = 60.0
_PLATFORM = """
storage:
{storage}
receiver: {{port: {port}}}
connections:
  {pipeline}.{source}: {{keys: ["file:{key}"]}}
"""
_SOURCES = """
description: Posts of the load test
sources:
  {source}: {{format: json, delivers: events, system: load, intake: {{kind: webhook}}}}
"""


@dataclass(frozen=True)
class Result:
    """What came of it; times in milliseconds, from the first byte sent to the answer, of posts that were answered.

    ``seconds`` leaves out those in which the receiver was down. ``lost``, ``changed`` and ``doubled`` count ids that
    were acknowledged: not in landing, there with other bytes, more than once after duplicates are dropped by id and
    bytes. ``again`` counts posts that had to be sent again, ``twice`` ids that landing has more than once.
    """

    acknowledged: int
    seconds: float
    down_seconds: float
    per_second: float
    p50_ms: float
    p99_ms: float
    again: int
    landed: int
    twice: int
    lost: int
    changed: int
    doubled: int

    @property
    def passed(self) -> bool:
        """Whether everything acknowledged is there, once and unchanged."""
        return self.acknowledged > 0 and not (self.lost or self.changed or self.doubled)


@dataclass
class Place:
    """A project of one source on a folder of its own, and its receiver."""

    folder: Path
    port: int
    process: "subprocess.Popen[bytes] | None" = None
    down_seconds: float = 0.0

    def key(self) -> bytes:
        """Return the key to sign with."""
        return key_of(SecretRef(f"file:{self.folder / 'key'}"))

    def start(self) -> None:
        """Start the receiver, and return once it listens."""
        command = [str(Path(sys.executable).with_name("medallion")), "serve"]
        with (self.folder / "receiver.log").open("ab") as log:
            self.process = subprocess.Popen(command, cwd=self.folder, env=self._environment(), stderr=log, stdout=log)
        until = time.monotonic() + _START_SECONDS
        while not _answers(self.port):
            if self.process.poll() is not None or time.monotonic() > until:
                raise RuntimeError(f"the receiver does not start:\n{(self.folder / 'receiver.log').read_text()}")
            time.sleep(0.02)

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Send the receiver a signal, and return its exit code once it has ended."""
        assert self.process is not None
        self.process.send_signal(number)
        return self.process.wait(_START_SECONDS)

    def kill_and_start(self) -> None:
        """Kill the receiver in the midst of its work, and start it again."""
        killed_at = time.monotonic()
        self.stop(signal.SIGKILL)
        self.start()
        self.down_seconds += time.monotonic() - killed_at

    def landed(self) -> tuple[Counter[str], dict[str, set[str]]]:
        """Publish what the inbox holds; return how often landing has each id, and the payloads it has of it."""
        landing = Landing(conf_door.load(PIPELINE, project=self.folder), SOURCE)
        gather(landing)
        times: Counter[str] = Counter()
        bodies: dict[str, set[str]] = {}
        for manifest in landing.after(0):
            for _, content in landing.contents(manifest):
                for line in content.splitlines():
                    envelope = json.loads(line)
                    times[envelope["id"]] += 1
                    bodies.setdefault(envelope["id"], set()).add(envelope["body"])
        return times, bodies

    def _environment(self) -> dict[str, str]:
        kept = {key: value for key, value in os.environ.items() if not key.startswith("MEDALLION_")}
        return {**kept, conf_door.HOME: str(self.folder)}


def main(arguments: Sequence[str] | None = None) -> int:
    """Post, kill, compare, and say what came of it; 1 where something acknowledged is not there."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=Load.seconds)
    parser.add_argument("--connections", type=int, default=Load.connections)
    parser.add_argument("--bytes", type=int, default=Load.bytes, help="of a payload, about")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="receiver-load-") as folder:
        result = measure(Path(folder), Load(given.seconds, given.connections, given.bytes))
    sys.stdout.write((json.dumps(asdict(result)) if given.json else report(result)) + "\n")
    return 0 if result.passed else 1


def measure(folder: Path, load: Load) -> Result:
    """Put load on a receiver whose files are in a folder, kill it once, and compare what it took with what is there."""
    with _place(folder) as place:
        ledger = Ledger(folder / "acknowledged")
        senders = [Sender(f"s{number}", place.port, place.key(), load, ledger) for number in range(load.connections)]
        place.start()
        started = time.monotonic()
        asyncio.run(_post(place, senders, ledger, load))
        seconds = time.monotonic() - started - place.down_seconds
        if place.stop() != 0:
            raise RuntimeError(f"the receiver did not end well:\n{(folder / 'receiver.log').read_text()}")
        return _compared(place, senders, ledger, seconds, load)


def report(result: Result) -> str:
    """Return the result as lines for people."""
    verdict = "all of them are in landing, once and unchanged" if result.passed else "NOT ALL OF THEM ARE THERE"
    return (
        f"{result.acknowledged:,} posts acknowledged in {result.seconds:.1f} s: {result.per_second:,.0f} a second, "
        f"p50 {result.p50_ms:.1f} ms, p99 {result.p99_ms:.1f} ms\n"
        f"killed once, down for {result.down_seconds:.1f} s; {result.again:,} posts were sent again\n"
        f"in landing {result.landed:,} ids, {result.twice:,} of them more than once before duplicates are dropped\n"
        f"acknowledged: {verdict} (lost {result.lost}, changed {result.changed}, doubled {result.doubled})"
    )


@contextmanager
def _place(folder: Path) -> Iterator[Place]:
    with create_server(("127.0.0.1", 0)) as free:
        place = Place(folder, free.getsockname()[1])
    layers = ("landing", "bronze", "silver", "gold", "ops")
    storage = "\n".join(f"  {layer}: {{root: data/{layer}, profile: hot}}" for layer in layers)
    names = {"pipeline": PIPELINE, "source": SOURCE, "key": folder / "key"}
    files: Mapping[str, str] = {
        "conf/platform/dev.yaml": _PLATFORM.format(storage=storage, port=place.port, **names),
        f"conf/pipelines/{PIPELINE}.yaml": _SOURCES.format(**names),
        "key": b64encode(os.urandom(32)).decode(),
    }
    (folder / "jobs").mkdir(parents=True)
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    try:
        yield place
    finally:
        if place.process is not None and place.process.poll() is None:
            place.stop(signal.SIGKILL)


async def _post(place: Place, senders: Sequence[Sender], ledger: Ledger, load: Load) -> None:
    """Have the senders post, and kill the receiver after half the time; when it is back, the other half follows."""
    over = asyncio.Event()
    keeping = asyncio.create_task(ledger.keep())
    sending = asyncio.gather(*(sender.send(over) for sender in senders))
    await asyncio.sleep(load.seconds / 2)
    await asyncio.to_thread(place.kill_and_start)
    await asyncio.sleep(load.seconds / 2)
    over.set()
    await asyncio.wait_for(sending, _START_SECONDS)
    keeping.cancel()
    with suppress(asyncio.CancelledError):
        await keeping
    ledger.sync()


def _compared(place: Place, senders: Sequence[Sender], ledger: Ledger, seconds: float, load: Load) -> Result:
    acknowledged = ledger.path.read_text().split()
    times, bodies = place.landed()
    spent = quantiles([one for sender in senders for one in sender.times], n=100)
    wanted = {id: {body_of(id, load.bytes).decode()} for id in acknowledged}
    return Result(
        acknowledged=len(acknowledged),
        seconds=seconds,
        down_seconds=place.down_seconds,
        per_second=len(acknowledged) / seconds,
        p50_ms=spent[49] * 1000,
        p99_ms=spent[98] * 1000,
        again=sum(sender.again for sender in senders),
        landed=len(times),
        twice=sum(count > 1 for count in times.values()),
        lost=sum(id not in times for id in wanted),
        changed=sum(not wanted[id] <= bodies[id] for id in wanted if id in bodies),
        doubled=sum(len(bodies[id]) > 1 for id in wanted if id in bodies) + len(acknowledged) - len(wanted),
    )


def _answers(port: int) -> bool:
    connection = HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/health/ready")
        return connection.getresponse().status == 200
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()


if __name__ == "__main__":
    sys.exit(main())
