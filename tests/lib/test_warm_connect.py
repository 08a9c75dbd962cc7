"""What is said to a Spark Connect server, in which order, and what its answers mean; the server is a stand-in."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import grpc
import pytest
from pyspark.sql.connect.proto import base_pb2 as proto

from medallion.errors import SetupError
from medallion.warm import connect
from medallion.warm.clients import Client, died, in_use
from medallion.warm.connect import Connected, Control, remote

State = proto.GetStatusResponse.OperationStatus


class Refused(grpc.RpcError, grpc.Call):
    """An error as a server answers it."""

    def __init__(self, code: grpc.StatusCode, details: str = "") -> None:
        self._code, self._details = code, details

    def code(self) -> grpc.StatusCode:
        return self._code

    def details(self) -> str:
        return self._details

    def __str__(self) -> str:
        return self._details

    initial_metadata = trailing_metadata = is_active = time_remaining = cancel = add_callback = None


class Server:
    """Answers as Spark's server does, and notes what it was asked; an error in place of an answer is raised."""

    def __init__(self, busy: int = 0, **answers: Exception) -> None:
        self.asked: list[tuple[str, str]] = []
        self._busy = busy
        self._answers = answers

    def __getattr__(self, name: str) -> Any:
        def answer(request: Any, timeout: float, metadata: Any) -> Any:
            self.asked.append((name, request.session_id))
            if name in self._answers:
                raise self._answers[name]
            if name != "GetStatus":
                return SimpleNamespace()
            self._busy -= 1
            state = State.OPERATION_STATE_RUNNING if self._busy >= 0 else State.OPERATION_STATE_CANCELLED
            return SimpleNamespace(operation_statuses=[SimpleNamespace(state=state)])

        return answer


def control(server: Server, monkeypatch: pytest.MonkeyPatch) -> Control:
    monkeypatch.setattr(connect, "SparkConnectServiceStub", lambda _: server)
    return Control(remote("sc://127.0.0.1:1"))


def test_sessions_are_released_only_once_nothing_runs_in_them(monkeypatch: pytest.MonkeyPatch) -> None:
    server = Server(busy=2)

    control(server, monkeypatch).end(["a", "b"])

    told_and_looked = [("Interrupt", "a"), ("Interrupt", "b"), ("GetStatus", "a"), ("GetStatus", "b")]
    # Told again while they are busy: it may be with what they began after they were told.
    assert server.asked == [*told_and_looked, *told_and_looked, ("ReleaseSession", "a"), ("ReleaseSession", "b")]


def test_sessions_whose_work_does_not_end_are_not_released(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connect, "_END_SECONDS", 0.2)
    server = Server(busy=10_000)

    with pytest.raises(SetupError, match=r"it has not ended within 0\.2 s of being told to"):
        control(server, monkeypatch).end(["a"])
    assert "ReleaseSession" not in [name for name, _ in server.asked]


def test_a_session_that_is_gone_is_none_to_end(monkeypatch: pytest.MonkeyPatch) -> None:
    gone = Refused(grpc.StatusCode.INTERNAL, "[INVALID_HANDLE.SESSION_CLOSED] The handle is invalid.")
    server = Server(Interrupt=gone, GetStatus=gone, ReleaseSession=gone)

    control(server, monkeypatch).end(["a"])

    assert [name for name, _ in server.asked] == ["Interrupt", "GetStatus", "ReleaseSession"]


@pytest.mark.parametrize(
    ("code", "told"),
    [
        (grpc.StatusCode.UNAUTHENTICATED, "it refuses the token"),
        (grpc.StatusCode.UNAVAILABLE, "it does not answer"),
        (grpc.StatusCode.DEADLINE_EXCEEDED, "it does not answer"),
        (grpc.StatusCode.INTERNAL, "[SOMETHING] went wrong"),
    ],
)
def test_a_refusal_is_told_in_a_line(monkeypatch: pytest.MonkeyPatch, code: grpc.StatusCode, told: str) -> None:
    server = Server(Config=Refused(code, "[SOMETHING] went wrong\n\tat java.lang.Thread"))

    with pytest.raises(SetupError) as refused:
        control(server, monkeypatch).check()
    assert str(refused.value) == told


def test_a_server_that_has_ended_is_not_tried_again() -> None:
    error = Refused(grpc.StatusCode.UNAVAILABLE)

    assert connect._WhileUp(lambda: True).can_retry(error)
    assert not connect._WhileUp(lambda: False).can_retry(error)


@pytest.mark.parametrize(
    ("answers", "left"),
    [({}, 0), ({"GetStatus": Refused(grpc.StatusCode.DEADLINE_EXCEEDED)}, 1)],
    ids=["ended", "not ended"],
)
def test_a_client_that_could_not_end_its_work_is_as_one_that_died(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answers: dict[str, Exception], left: int
) -> None:
    monkeypatch.setattr(connect, "SparkConnectServiceStub", lambda _: Server(**answers))
    session = SimpleNamespace(client=SimpleNamespace(set_retry_policies=lambda _: None), stop=lambda: None)
    client = Client(tmp_path, "mine", {})
    connected = Connected(remote("sc://127.0.0.1:1"), client, lambda _: session, {}, lambda: True)

    connected.stop()

    assert in_use(tmp_path) == []
    with died(tmp_path) as dead:
        assert [len(one.sessions) for one in dead] == [1] * left
    with pytest.raises(SetupError, match="stopped"):
        connected.fresh({})
