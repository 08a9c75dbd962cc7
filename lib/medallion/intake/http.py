"""Requests to a source: tried again where that can help, as slowly as it asks for, and told without secrets."""

import socket
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from threading import Timer
from typing import TYPE_CHECKING, Any

from medallion.errors import ConfError, IntakeError
from medallion.intake.asked import Asked

if TYPE_CHECKING:
    import httpx
    from tenacity import RetryCallState

TRIES = 6
_SILENT_SECONDS = 60.0  # that a service may let pass without a byte
_LONGEST_WAIT = 120.0  # seconds between two tries; a service that asks for more is told of, and asked in the next run
_AGAIN = {408, 425, 429, 500, 502, 503, 504}


@dataclass(frozen=True)
class Client:
    """Connections to a service, and who watches that none of its answers takes too long."""

    http: "httpx.Client"
    watch: "_Watch"


@contextmanager
def client(asked: Asked) -> Iterator[Client]:
    """Yield a client for a source, with its token if it has one, which no other address than the source's is sent."""
    import httpx

    seconds = asked.connection.answer_seconds
    timeout = httpx.Timeout(min(_SILENT_SECONDS, seconds), connect=10)
    named = {"User-Agent": "medallion"}
    with httpx.Client(auth=_auth(asked), headers=named, timeout=timeout, follow_redirects=True) as http:
        yield Client(http, _Watch(seconds))


def _auth(asked: Asked) -> "Callable[[httpx.Request], httpx.Request] | None":
    """Return what adds the token to requests to the source's own address; a service may lead to others'."""
    import httpx

    if asked.connection.token is None:
        return None
    token = asked.connection.token.reveal().strip()
    if not (token.isascii() and token.isprintable()):
        raise ConfError(f"connections.{asked.name}.token: found letters that no header can hold (not shown)")
    home = httpx.URL(str(asked.connection.url))

    def with_token(request: httpx.Request) -> httpx.Request:
        if _is_of(home, request.url):
            request.headers["Authorization"] = f"Bearer {token}"
        return request

    return with_token


def _is_of(home: "httpx.URL", url: "httpx.URL") -> bool:
    """Tell whether an address is of the same service, or of the same by https."""
    if (url.scheme, url.host, url.port) == (home.scheme, home.host, home.port):
        return True
    return (home.scheme, home.host, home.port, url.port) == ("http", url.host, None, None) and url.scheme == "https"


def fetched(
    service: Client,
    asked: Asked,
    url: str,
    parameters: Mapping[str, str] | None = None,
    headers: Mapping[str, str] | None = None,
) -> "httpx.Response":
    """Return the answer to a GET, of status 2xx or 304; raises IntakeError with what came instead, at last.

    Statuses that may pass (429, 5xx) and broken connections are tried again, after Retry-After where it is given,
    else after 1, 2, 4 ... seconds. An answer that takes longer than conf allows is not: it would again.
    """
    import httpx
    from tenacity import RetryError, Retrying, retry_if_exception_type, stop_after_attempt

    options: dict[str, Any] = {"headers": dict(headers or {}), "extensions": {"trace": service.watch.trace}}
    if parameters:
        options["params"] = dict(parameters)
    try:
        for attempt in Retrying(
            retry=retry_if_exception_type((httpx.TransportError, _Again)),
            stop=stop_after_attempt(TRIES),
            wait=lambda state: _pause(state, asked),
            sleep=_sleep,
        ):
            with attempt:
                with service.watch.watching():
                    answer = service.http.get(url, **options)
                if answer.status_code in _AGAIN:
                    raise _Again(answer)
    except RetryError as error:
        raise IntakeError(f"{asked.name}: {_where(url)}: {_told(error.last_attempt.exception())}") from None
    except _TooSlow as error:
        raise IntakeError(f"{asked.name}: {_where(url)}: {error}") from None
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise IntakeError(f"{asked.name}: {_where(url)}: {_told(error)}") from None
    if answer.status_code != 304 and not answer.is_success:
        raise IntakeError(f"{asked.name}: {_where(url)}: found status {answer.status_code}; wanted 200")
    return answer


def _sleep(seconds: float) -> None:
    time.sleep(seconds)


class _TooSlow(Exception):
    pass


class _Watch:
    """Breaks off an answer that takes too long: httpx counts from byte to byte, and some never come to an end."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._sockets: list[socket.socket] = []
        self._is_late = False

    def trace(self, event: str, info: Mapping[str, Any]) -> None:
        """Take note of each connection as httpcore makes it."""
        if event in ("connection.connect_tcp.complete", "connection.start_tls.complete"):
            self._sockets.append(info["return_value"].get_extra_info("socket"))

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Allow what is done within its time; raises _TooSlow where it fails because it took longer."""
        import httpx

        self._is_late = False
        timer = Timer(self._seconds, self._break_off)
        timer.daemon = True
        timer.start()
        try:
            yield
        except httpx.HTTPError:
            if not self._is_late:
                raise
            raise _TooSlow(
                f"found no whole answer within {self._seconds:.0f} s; wanted one, or a greater answer_seconds of its "
                "connection; the next run asks again"
            ) from None
        finally:
            timer.cancel()

    def _break_off(self) -> None:
        self._is_late = True
        for one in self._sockets:
            with suppress(OSError):  # closed already
                socket.socket.shutdown(one, socket.SHUT_RDWR)


class _Again(Exception):
    def __init__(self, answer: "httpx.Response") -> None:
        super().__init__(f"status {answer.status_code}")
        self.answer = answer


def _pause(state: "RetryCallState", asked: Asked) -> float:
    failure: Any = state.outcome.exception() if state.outcome else None
    wait = float(2 ** (state.attempt_number - 1))
    if isinstance(failure, _Again):
        wait = _asked_for(failure.answer) or wait
    if wait > _LONGEST_WAIT:
        raise IntakeError(f"{asked.name}: asked to wait {wait:.0f} s; the next run asks again")
    asked.say(f"{asked.name}: {_told(failure)}; again in {wait:.0f} s")
    return wait


def _asked_for(answer: "httpx.Response") -> float | None:
    """Return the seconds of Retry-After, given as such or as a date; None where it tells neither."""
    from email.utils import parsedate_to_datetime

    from medallion import clock

    text = answer.headers.get("retry-after", "")
    if text.isdecimal():
        return float(text)
    try:
        return max(0.0, -clock.seconds_since(parsedate_to_datetime(text).timestamp()))
    except ValueError:
        return None


def _told(failure: BaseException | None) -> str:
    if isinstance(failure, _Again):
        return f"found status {failure.answer.status_code}, {TRIES} times at most; wanted 200"
    return f"{type(failure).__name__}: {failure}" if str(failure) else type(failure).__name__


def _where(url: str) -> str:
    """Return an address without its query, which may hold secrets."""
    return url.partition("?")[0]
