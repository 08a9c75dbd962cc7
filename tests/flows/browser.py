"""A headless Chromium that opens a page and tells what stands in it, by its DevTools protocol."""

import base64
import json
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
from websockets.sync.client import ClientConnection, connect

OPTIONS = (
    "--headless=new",
    "--no-sandbox",  # root has none
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--proxy-server=direct://",
    "--window-size=1500,1100",
    "--remote-debugging-port=0",
)


class Page:
    """One tab."""

    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection
        self._number = 0

    def open(self, address: str) -> None:
        self._call("Page.navigate", url=address)

    def text(self) -> str:
        """Return the text a person sees."""
        return str(self.evaluate("document.body ? document.body.innerText : ''"))

    def evaluate(self, expression: str) -> Any:
        """Return what an expression comes to; None while the page goes elsewhere."""
        return self._call("Runtime.evaluate", expression=expression).get("result", {}).get("value")

    def wait_for(self, *words: str, seconds: float = 45) -> str:
        """Return the page's text once all words stand in it; fail with the text as it is if they never do."""
        end = time.monotonic() + seconds
        while not all(word in (text := self.text()) for word in words):
            assert time.monotonic() < end, f"none of {words} within {seconds} s in: {text}"
            time.sleep(0.3)
        return text

    def wait_until(self, expression: str, seconds: float = 45) -> None:
        """Wait until an expression is true on the page."""
        end = time.monotonic() + seconds
        while not self.evaluate(expression):
            assert time.monotonic() < end, f"not true within {seconds} s: {expression}"
            time.sleep(0.3)

    def shot(self, path: Path) -> None:
        """Take a screenshot."""
        path.write_bytes(base64.b64decode(self._call("Page.captureScreenshot")["data"]))

    def _call(self, method: str, **parameters: Any) -> dict[str, Any]:
        self._number += 1
        self._connection.send(json.dumps({"id": self._number, "method": method, "params": parameters}))
        while (answer := json.loads(self._connection.recv(timeout=30))).get("id") != self._number:
            pass
        return dict(answer.get("result", {}))


@contextmanager
def browser(chromium: Path, folder: Path) -> Iterator[Page]:
    """Start Chromium with a fresh profile in a folder, and end it."""
    command = [str(chromium), *OPTIONS, f"--user-data-dir={folder}", "about:blank"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        with connect(_address(folder), max_size=None, proxy=None) as connection:
            yield Page(connection)
    finally:
        process.terminate()
        process.wait(20)


def _address(folder: Path) -> str:
    """Return where the first tab is spoken to, once Chromium has chosen a port and told it in a file."""
    told = folder / "DevToolsActivePort"
    for _ in range(300):
        if told.is_file() and (lines := told.read_text().split()):
            tabs = httpx.get(f"http://127.0.0.1:{lines[0]}/json/list", trust_env=False).json()
            return str(next(tab["webSocketDebuggerUrl"] for tab in tabs if tab["type"] == "page"))
        time.sleep(0.1)
    raise TimeoutError("Chromium did not tell its port within 30 s")
