"""How an event leaves: posted to a server, or as a line of a file."""

import json
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from medallion.conf.openlineage import OpenLineage
from medallion.openlineage.facets import Json

if TYPE_CHECKING:
    import httpx

_API = "/api/v1/lineage"  # of OpenLineage's HTTP transport, where conf names no other


class Transport:
    """Sends events one by one; raises what went wrong with one."""

    def __init__(self, conf: OpenLineage, project: Path) -> None:
        self._conf = conf
        self._project = project
        self._client: httpx.Client | None = None

    def send(self, event: Json) -> None:
        """Send an event; raises HTTPError for a server that does not take it, OSError for a file."""
        if self._conf.is_server:
            self._post(event)
        else:
            path = self._project / str(self._conf.to)
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(event) + "\n")

    def close(self) -> None:
        """Close the connection."""
        if self._client is not None:
            self._client.close()

    def _post(self, event: Json) -> None:
        import httpx

        if self._client is None:
            key = {"Authorization": f"Bearer {self._conf.key.reveal()}"} if self._conf.key else {}
            self._client = httpx.Client(timeout=self._conf.timeout_seconds, headers=key, trust_env=False)
        to = str(self._conf.to).rstrip("/")
        answer = self._client.post(to if urlsplit(to).path else to + _API, json=event)
        if answer.is_error or answer.is_redirect:
            raise httpx.HTTPError(f"answered {answer.status_code} {answer.reason_phrase}")
