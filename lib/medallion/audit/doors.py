"""Invariant 10: only allowed doors are open: who may listen where, and no secret of conf in what the lake keeps."""

from collections.abc import Iterator
from pathlib import Path

from medallion.audit.finding import Result
from medallion.audit.pins import Pinned
from medallion.conf import Conf
from medallion.conf.platform import secrets_of
from medallion.errors import ConfError
from medallion.receiver.request import is_loopback

_SHORTEST = 6  # characters of a secret that is looked for; shorter ones stand anywhere by chance
_MOST_BYTES = 64 * 1024 * 1024  # of log entries and records of runs that are looked through


def check(pinned: Pinned, result: Result) -> None:
    """Look at addresses in conf, and through commits and records of runs for secrets that are set here."""
    conf = pinned.conf
    result.saw("conf", 1)  # loading it has held it against what it may say
    where = f"conf/platform/{conf.environment}.yaml"
    if not is_loopback(conf.platform.cache.host):
        told = "set cache.host to 127.0.0.1, and put a proxy with a sign-in before it"
        result.red(where, "pages without a sign-in are open beyond this machine", [conf.platform.cache.host], told)
    if not is_loopback(conf.platform.receiver.host):
        open_ = list(_open_sources(conf))
        if open_:
            told = "give each source keys, or set receiver.host to 127.0.0.1"
            result.red(where, "anybody may post to sources, from beyond this machine", open_, told)
    _secrets(pinned, result)
    result.skip("open ports", "what listens on this machine just now is not looked at")
    result.skip("artifacts", "hashes of models and packages: there are none yet")


def _open_sources(conf: Conf) -> Iterator[str]:
    for name, source in conf.pipeline.sources.items():
        connection = conf.connection(name)
        takes_posts = source.intake is not None and source.intake.kind == "webhook"
        if takes_posts and not (connection and connection.keys):
            yield f"{conf.name}.{name}"


def _secrets(pinned: Pinned, result: Result) -> None:
    """Look for the values of secrets; of one that is not set in this environment nothing can be told."""
    known: dict[str, bytes] = {}
    references = [ref for _, ref in secrets_of(pinned.conf.platform)]
    for connection in pinned.conf.platform.connections.values():
        references += [ref for _, ref in secrets_of(connection)]
        references += connection.keys
    for reference in dict.fromkeys(references):
        try:
            value = reference.reveal()
        except ConfError:
            result.skip(str(reference), "it is not set here, so it cannot be looked for")
            continue
        if len(value) >= _SHORTEST:
            known[str(reference)] = value.encode()
    if not known:
        return
    looked = 0
    for path in _kept(pinned):
        content = path.read_bytes()
        looked += len(content)
        for told, secret in known.items():
            if secret in content:
                remedy = f"change the secret behind {told}: it stands in files that others may read"
                result.red(told, "a secret stands in what the lake keeps", [str(path)], remedy)
        if looked > _MOST_BYTES:
            result.skip("secrets", f"what comes after the first {_MOST_BYTES:,} bytes of logs and records of runs")
            break
    result.saw("bytes", looked)


def _kept(pinned: Pinned) -> Iterator[Path]:
    """Yield what the engine writes about its work: commits, records of runs, locks."""
    for pin in pinned.every():
        yield from (entry.path for entry in pin.log.entries.values())
    ops = Path(pinned.conf.root("ops"))
    yield from sorted((ops / pinned.conf.name).rglob("*.json"))
    yield from sorted((ops / pinned.conf.name).rglob("*.parquet"))
    yield from sorted((ops / "locks").glob(f"{pinned.conf.name}*.lock"))
