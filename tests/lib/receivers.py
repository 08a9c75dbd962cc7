"""Real receivers on loopback: of webhooks, and of mail by SMTP, as far as a client needs it (RFC 5321)."""

import json
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Webhook:
    """What was posted; it answers with ``status``."""

    address: str = ""
    received: list[dict[str, Any]] = field(default_factory=list)
    status: int = 204


@dataclass
class Mailbox:
    """What was mailed, and all lines that clients said."""

    port: int = 0
    received: list[EmailMessage] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)


@contextmanager
def webhook() -> Iterator[Webhook]:
    told = Webhook()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if told.status < 300:
                told.received.append(json.loads(body))
            self.send_response(told.status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None: ...

    with _serving(ThreadingHTTPServer(("127.0.0.1", 0), Handler)) as port:
        told.address = f"http://127.0.0.1:{port}/hook/secret-part"
        yield told


@contextmanager
def mailbox() -> Iterator[Mailbox]:
    told = Mailbox()

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            self._say("220 mail.example.org")
            while line := self.rfile.readline().decode().strip():
                told.lines.append(line)
                if line.upper() == "DATA":
                    self._say("354 go on")
                    told.received.append(message_from_bytes(self._data(), policy=policy.default))  # type: ignore[arg-type]
                self._say("221 bye" if line.upper() == "QUIT" else "250 ok")

        def _data(self) -> bytes:
            lines = []
            while (line := self.rfile.readline()) != b".\r\n":
                lines.append(line.removeprefix(b".") if line.startswith(b"..") else line)
            return b"".join(lines)

        def _say(self, line: str) -> None:
            self.wfile.write(f"{line}\r\n".encode())

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True

    with _serving(Server(("127.0.0.1", 0), Handler)) as port:
        told.port = port
        yield told


@contextmanager
def _serving(server: socketserver.BaseServer) -> Iterator[int]:
    serving = threading.Thread(target=server.serve_forever, args=(0.05,))
    serving.start()
    try:
        yield server.server_address[1]  # type: ignore[index,misc]
    finally:
        server.shutdown()
        serving.join()
        server.server_close()
