"""What an alert says: the pipeline, each table with its reason and rows, and what to type next."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from medallion.conf import Conf
from medallion.health import Trouble
from medallion.output import counted, printable

MOST = 20  # troubles that are told in full
_HEADS = {"began": "", "lasts": "still ", "over": "over: ", "completed": ""}


@dataclass(frozen=True)
class Message:
    """One message to one channel; ``besides`` are facts of the run that whoever orchestrates it adds."""

    pipeline: str
    environment: str
    event: Literal["began", "lasts", "over", "completed"]
    troubles: Sequence[Trouble] = ()
    besides: Mapping[str, Any] = field(default_factory=dict)
    said: str = ""

    @property
    def head(self) -> str:
        """The message in a line."""
        where = f"{self.pipeline} ({self.environment})"
        if not self.troubles:
            return printable(f"{where}: {self.said}")
        first = self.troubles[0]
        more = f" and {counted(len(self.troubles) - 1, 'more troubles')}" if self.troubles[1:] else ""
        subject = "" if first.subject == self.pipeline else f"{first.subject}: "
        line = " ".join(f"{where}: {_HEADS[self.event]}{subject}{first.what}".split())
        return printable(line if len(line) <= 200 else line[:197] + "...") + more

    @property
    def text(self) -> str:
        """The message for people, in lines; what stands in it obeys nothing."""
        lines = [self.head]
        for one in self.troubles[:MOST] if self.event != "over" else ():
            rows = f", {counted(one.rows, 'rows')}" if one.rows else ""
            lines += ["", f"{one.kind}, {one.subject}{rows}"] if self.troubles[1:] else [f"  {one.kind}{rows}"]
            lines += [f"  {one.what}"] if self.troubles[1:] or self.head.endswith("...") else []
            lines += [f"  from: {'; '.join(one.examples)}"] if one.examples else []
            lines += [f"  next: {one.next}"]
        if self.event == "over" and self.troubles[1:]:
            lines += ["", *(f"  {one.kind}, {one.subject}: {one.what}" for one in self.troubles[:MOST])]
        if len(self.troubles) > MOST:
            lines += ["", f"and {len(self.troubles) - MOST} more"]
        if self.besides.get("url"):
            lines += ["", str(self.besides["url"])]
        return "\n".join(printable(line) for line in lines)

    def facts(self) -> dict[str, Any]:
        """Return what a webhook is sent; chats show ``text``."""
        return {
            "text": self.text,
            "pipeline": self.pipeline,
            "environment": self.environment,
            "event": self.event,
            "troubles": [asdict(one) for one in self.troubles],
            **self.besides,
        }


def of(conf: Conf, event: Literal["began", "lasts", "over"], troubles: Sequence[Trouble], **besides: Any) -> Message:
    """Return a message of troubles, the worst first."""
    ordered = sorted(troubles, key=lambda one: (one.standing != "red", one.kind != "failure"))
    return Message(conf.name, conf.environment, event, ordered, besides)
