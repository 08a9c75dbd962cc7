"""Spark Connect as the engine uses it: a client's own sessions, and an end to what they do that can be relied on.

Heavy: imported only once a server is to be used.
"""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast
from uuid import uuid4

import grpc  # type: ignore[import-untyped]
from pyspark.sql.connect.client import DefaultChannelBuilder
from pyspark.sql.connect.client.retries import DefaultPolicy
from pyspark.sql.connect.proto import base_pb2 as proto
from pyspark.sql.connect.proto.base_pb2_grpc import SparkConnectServiceStub

from medallion.errors import SetupError
from medallion.warm.clients import Client
from medallion.warm.server import Server

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

USER = "medallion"  # of every session: with its id, the name a server knows it by
_CALL_SECONDS = 10
_END_SECONDS = 60
_POLL_SECONDS = 0.05
_RUNNING = proto.GetStatusResponse.OperationStatus.OPERATION_STATE_RUNNING  # until its thread has ended

Address = Callable[[], DefaultChannelBuilder]
Opener = Callable[[DefaultChannelBuilder], "SparkSession"]


class _Local(DefaultChannelBuilder):
    """The way to a server on this machine's loopback: no encryption, no proxy, a token that stands in no URL.

    The token goes along as a header: with gRPC's own credentials, which call back into Python, closing a channel
    waits for ever now and then.
    """

    def __init__(self, server: Server, token: str) -> None:
        super().__init__(f"sc://{server.host}:{server.port}", channelOptions=[("grpc.enable_http_proxy", 0)])
        self._token = token

    @property
    def token(self) -> str:
        return self._token

    def toChannel(self) -> grpc.Channel:
        return self._insecure_channel(self.endpoint)

    def metadata(self) -> list[tuple[str, str]]:
        return [("authorization", f"Bearer {self._token}")]


def local(server: Server) -> Address:
    """Return the way to a warm server."""
    token = server.token()
    return lambda: _Local(server, token)


def remote(url: str) -> Address:
    """Return the way to a server by its URL; SPARK_CONNECT_AUTHENTICATE_TOKEN holds the token it may want."""
    return lambda: DefaultChannelBuilder(url)


class Control:
    """Says to a server, from outside, what is to become of sessions."""

    def __init__(self, address: Address) -> None:
        builder = address()
        self._metadata = list(builder.metadata())
        self._channel = builder.toChannel()
        self._stub = SparkConnectServiceStub(self._channel)  # type: ignore[no-untyped-call]

    def check(self) -> None:
        """Raise SetupError where the server does not answer us, or refuses us."""
        operation = proto.ConfigRequest.Operation(get_all=proto.ConfigRequest.GetAll(prefix="spark.app.name"))
        session_id = str(uuid4())
        request = proto.ConfigRequest(
            session_id=session_id, user_context=proto.UserContext(user_id=USER), operation=operation
        )
        try:
            self._stub.Config(request, timeout=_CALL_SECONDS, metadata=self._metadata)
        except grpc.RpcError as error:
            raise SetupError(refusal(error)) from None
        self._release(session_id)

    def end(self, ids: Sequence[str]) -> None:
        """End what sessions do, and the sessions; on return nothing of theirs runs any more or can begin.

        A session that is not there any more is none to end. Raises SetupError where it cannot be done.
        """
        self.interrupt(ids)
        for session_id in ids:
            self._release(session_id)

    def interrupt(self, ids: Sequence[str]) -> None:
        """End what sessions do, and what they begin meanwhile, and wait until it has ended; see `end`."""
        until = time.monotonic() + _END_SECONDS
        busy = ids
        while busy:
            for session_id in busy:
                self._call("Interrupt", session_id, interrupt_type=proto.InterruptRequest.INTERRUPT_TYPE_ALL)
            busy = [session_id for session_id in ids if self.is_busy(session_id)]
            if busy and time.monotonic() > until:
                raise SetupError(f"it has not ended within {_END_SECONDS} s of being told to")
            if busy:
                time.sleep(_POLL_SECONDS)

    def close(self) -> None:
        """Hang up."""
        self._channel.close()

    def is_busy(self, session_id: str) -> bool:
        """Tell whether anything runs in a session; what was interrupted does until its thread has ended."""
        asked = proto.GetStatusRequest.OperationStatusRequest()
        told = self._call("GetStatus", session_id, operation_status=asked)
        return told is not None and any(one.state == _RUNNING for one in told.operation_statuses)

    def _release(self, session_id: str) -> None:
        self._call("ReleaseSession", session_id)

    def _call(self, name: str, session_id: str, **fields: Any) -> Any:
        """Call the server about a session; return its answer, None where it knows of no such session."""
        request = getattr(proto, f"{name}Request")(
            session_id=session_id, user_context=proto.UserContext(user_id=USER), **fields
        )
        try:
            return getattr(self._stub, name)(request, timeout=_CALL_SECONDS, metadata=self._metadata)
        except grpc.RpcError as error:
            if "INVALID_HANDLE" in str(error):
                return None
            raise SetupError(refusal(error)) from None


class Connected:
    """This process as a client of a Spark Connect server: every session it was given, and their common end."""

    def __init__(
        self,
        address: Address,
        client: Client,
        open_session: Opener,
        settings: Mapping[str, str],
        is_up: Callable[[], bool],
    ) -> None:
        """Connect; ``settings`` are those that every session gets, ``is_up`` tells whether retrying makes sense."""
        self._address = address
        self._client = client
        self._open = open_session
        self._settings = settings
        self._is_up = is_up
        self._sessions: dict[str, Any] = {}
        self._changing = threading.Lock()
        self._ended = False
        self.root = self.fresh({})

    def fresh(self, settings: Mapping[str, str]) -> "SparkSession":
        """Return a new session with settings of its own; raises SetupError after `stop`."""
        session_id = str(uuid4())
        address = self._address()
        address.set("session_id", session_id)
        address.set("user_id", USER)
        with self._changing:
            if self._ended:
                raise SetupError("stopped; nothing more is started")
            self._client.add(session_id)
            session: Any = self._open(address)
            session.client.set_retry_policies([_WhileUp(self._is_up)])
            session.release_session_on_close = False  # `stop` releases, once nothing runs any more
            self._sessions[session_id] = session
        pairs = [proto.KeyValue(key=key, value=value) for key, value in {**self._settings, **settings}.items()]
        if pairs:
            session.client.config(proto.ConfigRequest.Operation(set=proto.ConfigRequest.Set(pairs=pairs)))
        return cast("SparkSession", session)

    def cancel(self) -> None:
        """End what all sessions are doing just now; a commit that is not made yet is not made."""
        self._tell(Control.interrupt)

    def stop(self) -> None:
        """Leave the server as if we had never been there; it stays up."""
        with self._changing:
            self._ended = True
        try:
            self._tell(Control.end)
            leave = self._client.leave
        except SetupError:  # it has ended, and all of ours with it; or others will see to it
            leave = self._client.abandon
        for session in self._sessions.values():
            session.stop()
        self._sessions.clear()
        leave()

    def is_lost(self) -> bool:
        """Tell whether the server has gone."""
        return not self._is_up()

    def _tell(self, what: Callable[[Control, Sequence[str]], None]) -> None:
        """Have something done about all sessions of ours."""
        with self._changing:
            ids = list(self._sessions)
        if not self._is_up():
            return
        control = Control(self._address)
        try:
            what(control, ids)
        finally:
            control.close()


class _WhileUp(DefaultPolicy):
    """Tries again as Spark's own policy does, but not with a server that has ended."""

    def __init__(self, is_up: Callable[[], bool]) -> None:
        super().__init__()
        self._is_up = is_up

    def can_retry(self, e: BaseException) -> bool:
        return super().can_retry(e) and self._is_up()


def refusal(error: grpc.RpcError) -> str:
    """Return in words why a server did not take a call."""
    code = error.code() if isinstance(error, grpc.Call) else None
    if code == grpc.StatusCode.UNAUTHENTICATED:
        return "it refuses the token"
    if code in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED):
        return "it does not answer"
    details = error.details() if isinstance(error, grpc.Call) else None
    return str(details or error).splitlines()[0]
