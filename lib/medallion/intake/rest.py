"""A REST service, page by page: each answer is kept as a file, all of one intake are one delivery."""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from hashlib import sha256
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin

import jiter

from medallion.conf.intake import Paging, RestIntake
from medallion.errors import IntakeError
from medallion.intake.asked import Asked, Taken
from medallion.intake.http import Client, client, fetched
from medallion.output import counted
from medallion.records.identity import steps_of, value_at

if TYPE_CHECKING:
    import httpx

_MOST_PAGES = 100_000  # a service that never ends must not fill the disk unseen


def take(asked: Asked, intake: RestIntake) -> Taken:
    """Publish the pages that hold records; raises IntakeError where one cannot be had: then nothing is published."""
    if not asked.connection.url:
        raise IntakeError(f"{asked.name}: connections.{asked.name}.url: missing; wanted the service's address")
    reading = _Reading(asked, intake)
    manifest = None
    with client(asked) as service:
        pages = reading.pages(service)
        first = next(pages, None)
        if first is not None:
            manifest = asked.landing.deliver(_named(first, pages), reading.cursor)
    taken = Taken([manifest] if manifest else [])
    return taken


def _named(first: bytes, others: Iterator[bytes]) -> Iterator[tuple[str, bytes]]:
    yield "page-000001.json", first
    for number, content in enumerate(others, start=2):
        yield f"page-{number:06}.json", content


class _Reading:
    """One walk through a resource; ``cursor`` grows as pages come, and counts once all of them have."""

    def __init__(self, asked: Asked, intake: RestIntake) -> None:
        self.asked, self.intake = asked, intake
        self.cursor: dict[str, Any] = dict(asked.cursor)
        self._records = steps_of(intake.records) if intake.records else []
        self._digest = sha256()

    def pages(self, service: Client) -> Iterator[bytes]:
        """Yield the answers that hold records; none at all where they are those that were taken last."""
        base = str(self.asked.connection.url).rstrip("/") + "/"
        url: str | None = urljoin(base, self.intake.resource)
        parameters: Mapping[str, str] = {**self.intake.parameters, **self._since(), **_first(self.intake.paging)}
        held: list[bytes] = []
        seen = 0
        asked: set[tuple[str | None, frozenset[tuple[str, str]]]] = set()
        for number in range(1, _MOST_PAGES + 1):
            answer = fetched(service, self.asked, str(url), parameters)
            content = self._content(answer)
            found = self._found(content)
            if found:
                held.append(answer.content)
                seen += len(found)
                self._digest.update(answer.content)
                self._note(found)
                self.asked.say(f"{self.asked.name}: page {number}, {counted(seen, 'records')}")
            following = self._next(answer, content, len(found), number, parameters)
            if following is None:
                break
            asked.add((url, frozenset(parameters.items())))
            url, parameters = following
            if (url, frozenset(parameters.items())) in asked:
                raise IntakeError(f"{self.asked.name}: page {number} leads back to one before; wanted an end")
        else:
            raise IntakeError(f"{self.asked.name}: more than {_MOST_PAGES} pages; wanted an end")
        digest = self._digest.hexdigest()[:32]
        if held and digest != self.asked.cursor.get("latest"):
            self.cursor["latest"] = digest
            yield from held

    def _content(self, answer: "httpx.Response") -> Any:
        try:
            return jiter.from_json(answer.content, allow_inf_nan=False, float_mode="lossless-float")
        except ValueError as error:
            raise IntakeError(f"{self.asked.name}: found an answer that is no JSON ({error})") from None

    def _found(self, content: Any) -> list[Any]:
        """Return the records of an answer; raises IntakeError where it has no list of them."""
        found = value_at(content, self._records)
        if isinstance(found, dict) and self.intake.records is None and self.intake.paging is None:
            return [found]
        if not isinstance(found, list):
            raise IntakeError(
                f"{self.asked.name}: found no list of records at {self.intake.records or '$'}; wanted one: see "
                "intake.records"
            )
        return found

    def _since(self) -> dict[str, str]:
        since, seen = self.intake.since, self.cursor.get("since")
        if since is None or seen is None:
            return {}
        return {since.parameter: _earlier(str(seen), since.overlap)}

    def _note(self, found: list[Any]) -> None:
        """Keep the greatest value by which the next intake asks for what is new."""
        if self.intake.since is None:
            return
        steps = steps_of(self.intake.since.field)
        values = [value for one in found if (value := value_at(one, steps)) is not None]
        known = self.cursor.get("since")
        self.cursor["since"] = max([*([known] if known is not None else []), *map(_orderly, values)], default=None)

    def _same_service(self, answer: "httpx.Response", link: str) -> str:
        """Return a link as an address; raises IntakeError where it leads elsewhere: there the token must not go."""
        import httpx

        try:
            address = answer.url.join(link)
        except httpx.InvalidURL as error:
            raise IntakeError(f"{self.asked.name}: its next page has no address: {error}") from None
        if (address.scheme, address.host, address.port) != (answer.url.scheme, answer.url.host, answer.url.port):
            raise IntakeError(f"{self.asked.name}: its next page is at {address.host}; wanted {answer.url.host}")
        return str(address)

    def _next(
        self, answer: "httpx.Response", content: Any, found: int, number: int, parameters: Mapping[str, str]
    ) -> tuple[str, Mapping[str, str]] | None:
        paging = self.intake.paging
        if paging is None:
            return None
        url = str(answer.url.copy_with(query=None))
        if paging.by == "link":
            link = answer.links.get("next", {}).get("url")
            return (self._same_service(answer, link), {}) if link else None
        if paging.by == "cursor":
            cursor = value_at(content, steps_of(str(paging.next)))
            return (
                (url, {**parameters, str(paging.parameter): str(cursor)}) if cursor not in (None, "", False) else None
            )
        if not found or (paging.size_parameter and found < paging.size):
            return None
        step = paging.first + number if paging.by == "page" else int(parameters[str(paging.parameter)]) + found
        return url, {**parameters, str(paging.parameter): str(step)}


def _first(paging: Paging | None) -> dict[str, str]:
    if paging is None:
        return {}
    size = {paging.size_parameter: str(paging.size)} if paging.size_parameter else {}
    start = {"page": str(paging.first), "offset": "0"}.get(paging.by)
    return size | ({str(paging.parameter): start} if start is not None else {})


def _orderly(value: Any) -> str | int:
    """Return a value that can be compared with others: whole numbers as such, all else as its text."""
    return value if isinstance(value, int) else str(value)


def _earlier(value: str, overlap: timedelta) -> str:
    """Return an instant a little earlier, in the form it was given; what is no instant stays as it is."""
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        return value
    text = (moment - overlap).isoformat()
    return text.replace("+00:00", "Z") if value.endswith("Z") else text
