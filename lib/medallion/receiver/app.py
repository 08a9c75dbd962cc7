"""The webhook receiver, an ASGI app: ``POST /v1/<pipeline>/<source>``, ``GET /health`` and ``GET /health/ready``.

A post is answered 2xx once it is durable, and 503 where it may not be. docs/receiver.md lists the answers.
``uvicorn --factory medallion.receiver.app:app`` serves all pipelines of the project; so does `medallion serve`.
"""

import asyncio
import queue
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from medallion import clock
from medallion.conf import Conf, find_project, load, pipelines
from medallion.conf.intake import WebhookIntake
from medallion.errors import ConfError, LakehouseError
from medallion.faults import point
from medallion.lock import refuse_shared_storage
from medallion.receiver import checks
from medallion.receiver.counts import Counts, to_stderr
from medallion.receiver.inbox import Answer, Payload
from medallion.receiver.inbox_writer import Writer
from medallion.receiver.request import (
    BUSY,
    CLOSE,
    MOST_BODY_BYTES,
    RETRY,
    UNAUTHORIZED,
    Refused,
    Room,
    Take,
    body_of,
    is_loopback,
    require_json,
    signed_of,
)
from medallion.receiver.webhook import is_signed, key_of

Say = Callable[[str], None]

STORE_SECONDS = 30
_NOT_STORED = "not stored; send it again"


@dataclass(frozen=True)
class Endpoint:
    """One source that takes posts; without keys it takes unsigned ones, from this machine only."""

    pipeline: str
    source: str
    keys: tuple[bytes, ...]
    max_bytes: int
    max_depth: int
    contract: checks.Contract | None
    writer: Writer

    @property
    def name(self) -> str:
        """The source's full name."""
        return f"{self.pipeline}.{self.source}"


class Receiver:
    """What answers requests; it knows its endpoints by pipeline and source."""

    def __init__(self, endpoints: Sequence[Endpoint], say: Say) -> None:
        self.endpoints = {(one.pipeline, one.source): one for one in endpoints}
        self.counts = Counts(say)
        self._room = Room(MOST_BODY_BYTES)

    async def post(self, request: Request) -> Response:
        """Take a payload, or say why not."""
        try:
            with self._room.visit() as take:
                response = await self._taken(request, take)
        except Refused as refused:
            response = JSONResponse({"error": refused.message}, refused.status, refused.headers)
        except ClientDisconnect:  # nobody reads this answer
            response = JSONResponse({"error": "the body broke off"}, 400)
        self.counts.add(response.status_code)
        return response

    async def _taken(self, request: Request, take: Take) -> Response:
        endpoint = self._endpoint(request)
        require_json(request.headers)
        signed = signed_of(request, must_be_signed=bool(endpoint.keys))
        body = await body_of(request, endpoint.max_bytes, take)
        if endpoint.keys and not is_signed(endpoint.keys, signed, body):
            raise Refused(401, UNAUTHORIZED, CLOSE)
        if checks.is_too_deep(body, endpoint.max_depth):
            raise Refused(413, f"nested too deep; wanted at most {endpoint.max_depth} levels")
        payload = Payload(signed.id, clock.now().isoformat(timespec="microseconds"), body)
        point("receiver.body_read")
        try:
            answered = endpoint.writer.put(payload)
        except queue.Full:
            raise Refused(503, BUSY, RETRY) from None
        problems = checks.problems(body, endpoint.contract)
        with suppress(TimeoutError):
            async with asyncio.timeout(STORE_SECONDS):
                answer = await answered
                point("receiver.before_answer")
                return _told(answer, problems)
        raise Refused(503, _NOT_STORED, RETRY)

    def _endpoint(self, request: Request) -> Endpoint:
        place = (request.path_params["pipeline"], request.path_params["source"])
        if place not in self.endpoints:
            raise Refused(404, "no such pipeline and source here, or none that takes posts", CLOSE)
        return self.endpoints[place]

    async def other(self, request: Request, error: Exception) -> Response:
        """Answer what is no post to an endpoint: a wrong address or method."""
        assert isinstance(error, HTTPException)
        self.counts.add(error.status_code)
        wanted = "wanted POST /v1/<pipeline>/<source>, GET /health or GET /health/ready"
        headers = {**(error.headers or {}), **CLOSE}
        return JSONResponse({"error": f"{error.detail.lower()}; {wanted}"}, error.status_code, headers)

    async def ready(self, request: Request) -> Response:
        """Tell whether posts to all sources would be stored just now."""
        failing = sorted(one.name for one in self.endpoints.values() if not one.writer.is_ready)
        if failing:
            return JSONResponse({"status": "not ready", "sources": failing}, 503, RETRY)
        return JSONResponse({"status": "ready"})

    @asynccontextmanager
    async def lifespan(self, app: Starlette) -> AsyncIterator[None]:
        """Write while the app lives, and at its end what is still in the queues."""
        for endpoint in self.endpoints.values():
            endpoint.writer.start()
        telling = asyncio.create_task(self.counts.tell_each_minute())
        try:
            yield
        finally:
            telling.cancel()
            for endpoint in self.endpoints.values():
                await asyncio.to_thread(endpoint.writer.stop)


async def _health(request: Request) -> Response:
    return JSONResponse({"status": "ok"})


def app_of(confs: Sequence[Conf], say: Say = to_stderr) -> Starlette:
    """Return the app for the sources of some pipelines that take posts; ``say`` is told what people should know.

    Raises ConfError or SetupError where it cannot work; then nothing was stored. The app's ``state.receiver`` is
    what answers.
    """
    receiver = Receiver([one for conf in confs for one in _endpoints(conf, say)], say)
    if not receiver.endpoints:
        names = ", ".join(conf.name for conf in confs) or "none"
        raise ConfError(f"pipelines {names}: found no source to post to; wanted one with intake: {{kind: webhook}}")
    routes = [
        Route("/v1/{pipeline}/{source}", receiver.post, methods=["POST"]),
        Route("/health", _health, methods=["GET"]),
        Route("/health/ready", receiver.ready, methods=["GET"]),
    ]
    app = Starlette(routes=routes, lifespan=receiver.lifespan, exception_handlers={HTTPException: receiver.other})
    app.router.redirect_slashes = False
    app.state.receiver = receiver
    return app


def app() -> Starlette:
    """Return the app for all pipelines of the project that is found from here; environment variables choose conf."""
    try:
        project = find_project()
        made = app_of([load(name, (), project) for name in pipelines(project)])
    except LakehouseError as error:
        raise SystemExit(str(error)) from None
    for line in lines(made):
        to_stderr(line)
    return made


def lines(app: Starlette) -> Iterator[str]:
    """Yield a line a source: its address, and who may post."""
    for one in app.state.receiver.endpoints.values():
        count = len(one.keys)
        keys = f"signed with {'one key' if count == 1 else f'one of {count} keys'}" if count else "UNSIGNED"
        yield f"  POST /v1/{one.pipeline}/{one.source}  {keys}, at most {one.max_bytes:,} bytes"
    unsigned = [one.name for one in app.state.receiver.endpoints.values() if not one.keys]
    if unsigned:
        yield f"WARNING: without keys, whoever is on this machine can post to {', '.join(unsigned)}"


def _endpoints(conf: Conf, say: Say) -> Iterator[Endpoint]:
    contracts = checks.contracts(conf)
    for name, source in conf.pipeline.sources.items():
        if not isinstance(source.intake, WebhookIntake):
            continue
        where = f"conf/pipelines/{conf.name}.yaml: sources.{name}"
        if source.format != "json" or source.delivers != "events":
            raise ConfError(f"{where}: found {source.format} {source.delivers}; wanted json events of a webhook")
        refuse_shared_storage(conf)
        keys = _keys(conf, name)
        folder = Path(conf.root("landing"), conf.name, name)
        writer = Writer(f"{conf.name}.{name}", folder, conf.platform.receiver.max_batch, say)
        depth = source.intake.max_depth
        yield Endpoint(conf.name, name, keys, source.max_bytes, depth, contracts.get(name), writer)


def _keys(conf: Conf, source: str) -> tuple[bytes, ...]:
    """Return the keys of a source; raises ConfError where it has none, and others than this machine could post."""
    where = f"conf/platform/{conf.environment}.yaml: connections.{conf.name}.{source}.keys"
    connection = conf.connection(source)
    try:
        keys = tuple(key_of(secret) for secret in connection.keys) if connection is not None else ()
    except ConfError as error:
        raise ConfError(f"{where}: {error}") from None
    host = conf.platform.receiver.host
    if not keys and not is_loopback(host):
        raise ConfError(
            f"{where}: missing, while receiver.host is {host}; wanted a key by reference, or receiver.host: 127.0.0.1 "
            "to take unsigned posts of this machine"
        )
    return keys


def _told(answer: Answer | None, problems: Sequence[str]) -> Response:
    if answer is None:
        raise Refused(503, _NOT_STORED, RETRY)
    if answer is Answer.REUSED:
        raise Refused(409, "this webhook-id came before with another body; wanted a new id for a new body")
    if answer is Answer.KNOWN:
        return JSONResponse({"status": "known"})
    return JSONResponse({"status": "stored", **({"problems": problems} if problems else {})}, 202)
