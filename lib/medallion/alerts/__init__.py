"""Alerts: a trouble is told once when it begins, once more while it lasts, and when it is over; never every run.

What is wrong is found anew each time, from logs, manifests and records of runs (`health`); what was told is looked up.
"""

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any

from medallion import causes, clock, health, ops
from medallion.alerts import channels, message, told
from medallion.alerts.message import Message
from medallion.conf import Conf
from medallion.conf.notifications import Channel, Rule
from medallion.errors import ConfError, LakehouseError, LockedError
from medallion.health import Pipeline, Trouble

log = logging.getLogger("medallion.alerts")

_RULES: Mapping[str, Rule] = {"failure": "on_failure", "late": "on_late", "anomaly": "on_anomaly"}
_REMINDED = ("failure", "late")  # of an anomaly nobody wants to hear each day


def tell(conf: Conf, *, also: Sequence[Trouble] = (), besides: Mapping[str, Any] | None = None) -> Pipeline | None:
    """Find out how a pipeline fares and tell whoever conf names what is new of it; return what was found.

    ``also`` are troubles that no record tells. Nothing is looked at where nobody is to be told, and nothing that goes
    wrong here fails a run: it is told in a line.
    """
    if not conf.platform.notifications.any:
        return None
    try:
        found = health.of(conf)
        with ops.writing(conf, clock.new_run_id()):  # two that tell at once would tell twice
            _tell(conf, [*found.troubles, *also], besides or {})
        return found
    except Exception as error:
        log.warning("alerts: perhaps not told: %s", _in_a_line(error))
        log.debug("alerts", exc_info=True)
        return None


def completed(conf: Conf, said: str, besides: Mapping[str, Any] | None = None) -> None:
    """Tell whoever conf names that a run ended well."""
    done = Message(conf.name, conf.environment, "completed", (), besides or {}, said)
    for name, channel in conf.platform.notifications.of("on_completion").items():
        channels.send(name, channel, done)


def ended(conf: Conf, passed: bool, said: str, unrecorded: str = "") -> None:
    """Tell of a run that ended: what is wrong now or is over, and that it ended well if it did.

    That it could not be recorded (a full disk) is told at once each time: what was told cannot be recorded either.
    """
    if unrecorded:
        trouble = Trouble("red", conf.name, " ".join(unrecorded.split()), f"medallion status {conf.name}")
        for name, channel in conf.platform.notifications.of("on_failure").items():
            channels.send(name, channel, message.of(conf, "began", [trouble]))
        return
    tell(conf)
    if passed:
        completed(conf, said)


@contextmanager
def recording(conf: Conf, run_id: str) -> Iterator[None]:
    """Record a run that ends before it has a table to tell of.

    That another one is at work is no trouble; and conf that cannot be used writes nothing.
    """
    try:
        yield
    except (LockedError, ConfError):
        raise
    except Exception as error:
        with suppress(LakehouseError):
            ops.record_unbegun(conf, run_id, _in_a_line(error))
        raise


@contextmanager
def watching(conf: Conf, run_id: str) -> Iterator[None]:
    """Record a run that ends before it has a table to tell of, and tell of it."""
    try:
        with recording(conf, run_id):
            yield
    except (LockedError, ConfError):
        raise
    except Exception:
        tell(conf)
        raise


def _in_a_line(error: Exception) -> str:
    if isinstance(error, LakehouseError):
        return str(error)
    return causes.told(error) if isinstance(error, causes.of_the_world()) else f"{type(error).__name__}: {error}"


def _tell(conf: Conf, troubles: Iterable[Trouble], besides: Mapping[str, Any]) -> None:
    now = {told.key(one): one for one in troubles}
    known = told.still_open(conf)
    for name, (channel, kinds) in _channels(conf).items():
        mine = {told.key(one.trouble): one for one in known if one.channel == name}
        new = [one for key, one in now.items() if one.kind in kinds and key not in mine]
        _send(conf, (name, channel), "began", new, besides)
        due = [now[key] for key, one in mine.items() if key in now and key[0] in _REMINDED and _due(conf, one)]
        _send(conf, (name, channel), "lasts", due)
    over = [one for one in known if told.key(one.trouble) not in now]
    _tell_over(conf, over)


def _tell_over(conf: Conf, over: Sequence[told.Open]) -> None:
    """Tell what is over, once each, and note it for every channel that had been told of it."""
    ended_ones = list({told.key(one.trouble): one.trouble for one in over}.values())
    if not ended_ones:
        return
    for name, channel in conf.platform.notifications.of("on_recovery").items():
        channels.send(name, channel, message.of(conf, "over", ended_ones))
    for name in {one.channel for one in over}:
        told.note(conf, "over", [name], [one.trouble for one in over if one.channel == name])


def _channels(conf: Conf) -> dict[str, tuple[Channel, set[str]]]:
    """Return each channel that is told of troubles, and of which kinds."""
    found: dict[str, tuple[Channel, set[str]]] = {}
    for kind, rule in _RULES.items():
        for name, channel in conf.platform.notifications.of(rule).items():
            found.setdefault(name, (channel, set()))[1].add(kind)
    return found


def _due(conf: Conf, one: told.Open) -> bool:
    after = conf.platform.notifications.remind_after
    return after is not None and clock.now() - one.at >= after


def _send(
    conf: Conf,
    to: tuple[str, Channel],
    event: Any,
    troubles: Sequence[Trouble],
    besides: Mapping[str, Any] | None = None,
) -> None:
    """Tell one channel, and note it if it took it: else the next look tells it again."""
    if troubles and channels.send(*to, message.of(conf, event, troubles, **(besides or {}))):
        told.note(conf, event, [to[0]], troubles)
