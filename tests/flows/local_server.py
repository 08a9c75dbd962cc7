"""A real Prefect server and worker for a small project, each a process, started by the project's own script."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

PROJECT = Path(__file__).resolve().parents[2]
SCRIPT = PROJECT / "scripts" / "prefect_local.py"
# Short waits, so that tests are; a patient start, since the machine may be busy.
SETTINGS = {"PREFECT_WORKER_QUERY_SECONDS": "1", "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "120"}
FINAL = {"COMPLETED", "FAILED", "CRASHED", "CANCELLED"}
JSON = dict[str, Any]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def eventually(found: Callable[[], Any], seconds: float, what: str) -> Any:
    """Return what is found once it is true; fail where that takes too long."""
    end = time.monotonic() + seconds
    while not (result := found()):
        assert time.monotonic() < end, f"not within {seconds:.0f} s: {what}"
        time.sleep(0.2)
    return result


@dataclass
class Server:
    """The server of one project: what a person does with it, and what they see."""

    project: Path
    home: Path
    port: int = field(default_factory=free_port)
    variables: Mapping[str, str] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def environment(self) -> dict[str, str]:
        """Return a person's own environment, in which no setting of this test run is left."""
        own = {name: value for name, value in os.environ.items() if not name.startswith(("PREFECT_", "MEDALLION_"))}
        mine = {"PREFECT_API_URL": f"{self.url}/api", "PREFECT_HOME": str(self.home)}
        return {**own, **SETTINGS, **mine, "MEDALLION_HOME": str(self.project), **self.variables}

    def start(self, *command: str, log: str) -> subprocess.Popen[bytes]:
        """Start a command of the project's script as a process of its own."""
        with (self.home / log).open("ab") as output:
            return subprocess.Popen(
                [sys.executable, str(SCRIPT), *command],
                env=self.environment(),
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def call(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Call a command of the project's script and return how it ended."""
        return self._run([sys.executable, str(SCRIPT), *command])

    def prefect(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Call one of Prefect's own commands."""
        return self._run([sys.executable, "-m", "prefect", *command])

    def command(self, *command: str) -> list[str]:
        """Return a command of medallion's own."""
        return [str(Path(sys.executable).with_name("medallion")), *command]

    def medallion(self, *command: str) -> subprocess.CompletedProcess[str]:
        return self._run(self.command(*command))

    def _run(self, command: Sequence[str]) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command, env=self.environment(), cwd=PROJECT, capture_output=True, text=True, timeout=180, check=False
        )

    def is_up(self) -> bool:
        try:
            return httpx.get(f"{self.url}/api/health", timeout=5).text == "true"
        except httpx.HTTPError:
            return False

    def ask(self, path: str, **body: Any) -> Any:
        """Post to the API and return its answer."""
        return self._answer("POST", path, json=body)

    def get(self, path: str) -> Any:
        return self._answer("GET", path)

    def _answer(self, method: str, path: str, **options: Any) -> Any:
        """Return the API's answer; a busy server that says 503 is asked again, as Prefect's own clients do."""
        for _ in range(10):
            answer = httpx.request(method, f"{self.url}/api/{path}", timeout=60, **options)
            if answer.status_code != httpx.codes.SERVICE_UNAVAILABLE:
                break
            time.sleep(1)
        return answer.raise_for_status().json()

    def trigger(self, deployment: str, /, **parameters: Any) -> str:
        """Start a run of a deployment as the server's pages do, and return its id."""
        found = self.get(f"deployments/name/pipeline/{deployment}")
        return str(self.ask(f"deployments/{found['id']}/create_flow_run", parameters=parameters)["id"])

    def run(self, run: str) -> JSON:
        return dict(self.get(f"flow_runs/{run}"))

    def wait(self, run: str, seconds: float = 150) -> JSON:
        """Return a run once it ended, however it did."""
        found: JSON = eventually(
            lambda: (now := self.run(run))["state_type"] in FINAL and now, seconds, f"run ended; {self.logs(run)}"
        )
        return found

    def logs(self, run: str) -> str:
        """Return a run's log lines."""
        wanted = {"logs": {"flow_run_id": {"any_": [run]}}, "sort": "TIMESTAMP_ASC"}
        return "\n".join(line["message"] for line in self.ask("logs/filter", **wanted))

    def tasks(self, run: str) -> dict[str, str]:
        """Return the tasks of a run by name, each with the name of its state."""
        found = self.ask("task_runs/filter", flow_runs={"id": {"any_": [run]}})
        return {task["name"]: task["state_name"] for task in found}

    def artifacts(self, run: str) -> dict[str, JSON]:
        """Return the artifacts of a run by key."""
        found = self.ask("artifacts/filter", artifacts={"flow_run_id": {"any_": [run]}})
        return {artifact["key"]: artifact for artifact in found}


def processes(variable: str) -> dict[int, str]:
    """Return the processes that were started with a variable in their environment, by id, with their command."""
    found = {}
    for place in Path("/proc").glob("[0-9]*"):
        try:
            if variable.encode() in (place / "environ").read_bytes().split(b"\0"):
                found[int(place.name)] = (place / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        except OSError:  # it has just ended, or is another user's
            continue
    return {number: command for number, command in found.items() if command}


def of_run(run: str) -> dict[int, str]:
    """Return what is left of a flow run: Prefect's engine, Spark's JVM, its Python workers."""
    return processes(f"PREFECT__FLOW_RUN_ID={run}")


@contextmanager
def running(server: Server) -> Iterator[Server]:
    """Have the server up, deploy to it, have a worker up, and leave no process of theirs behind."""
    server.home.mkdir(parents=True, exist_ok=True)
    started = [server.start("server", log="server.log")]
    try:
        eventually(server.is_up, 150, f"server up; {server.home}/server.log tells more")
        deployed = server.call("deploy")
        assert deployed.returncode == 0, deployed.stdout + deployed.stderr
        started.append(server.start("worker", log="worker.log"))
        yield server
    finally:
        for process in reversed(started):
            _end(process)
        left = processes(f"PREFECT_HOME={server.home}")
        for number in left:
            os.kill(number, signal.SIGKILL)
    assert left == {}, "processes were left behind"


def _end(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGINT)
    try:
        process.wait(30)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def copy_deployment(project: Path, pipeline: str) -> None:
    """Give a small project the flow, and its own deployment by the project's pattern: another name, no more."""
    (project / "flows").symlink_to(PROJECT / "flows")
    first, _, _ = (PROJECT / "prefect.yaml").read_text().partition("  - name: activity")
    (project / "prefect.yaml").write_text(first.replace("shop", pipeline))
    shutil.copytree(PROJECT / "conf" / "spark", project / "conf" / "spark", dirs_exist_ok=True)
