"""Which Spark server a conf's sessions use, if any, and becoming its client."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from medallion import clock
from medallion.conf import Conf
from medallion.errors import SetupError
from medallion.warm import server as warm
from medallion.warm.clients import Client

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from medallion.warm.connect import Address, Connected

Opener = Callable[[Any], "SparkSession"]


def connected(
    conf: Conf, settings: Mapping[str, str], opener: Opener, say: Callable[[str], None]
) -> "Connected | None":
    """Return this process as a client of the server that conf names, else of the warm one, else None.

    ``settings`` are those that Spark would be started with; ``opener`` makes a session of a channel; ``say`` is
    told which server it is, or why a warm one is not used.

    Raises:
        SetupError: A server that conf names, and that cannot be used.
    """
    if conf.platform.spark.remote:
        return _named(conf, conf.platform.spark.remote, settings, opener, say)
    server, why = warm.usable(conf, settings)
    if server is not None:
        try:
            found = _warm(conf, server, settings, opener)
            say(f"Spark: {server.name}, up {server.up_for}")
            return found
        except SetupError as error:
            why = f"the {server.name} cannot be used: {error}"
    if why:
        say(f"Spark: its own; {why}")
    return None


def _named(
    conf: Conf, url: str, settings: Mapping[str, str], opener: Opener, say: Callable[[str], None]
) -> "Connected":
    folder = warm.place(conf)
    try:
        if folder is None:
            raise SetupError("its clients are noted in storage.ops, which is on shared storage here")
        server = warm.read(folder)
        if server is not None and url in (f"sc://{host}:{server.port}" for host in (server.host, "localhost")):
            differing = warm.differences(server, warm.digests(settings, server.token()))
            if differing:
                raise SetupError(f"it has {differing}")
            found = _warm(conf, server, settings, opener)
        else:
            found = _remote(conf, url, folder, settings, opener)
    except SetupError as error:
        raise SetupError(
            f"spark.remote: {url}: {error}; wanted a Spark Connect server that suits, or null: a Spark of its own"
        ) from None
    say(f"Spark: server {url}")
    return found


def _warm(conf: Conf, server: warm.Server, settings: Mapping[str, str], opener: Opener) -> "Connected":
    from medallion.warm.connect import local

    client = Client(server.folder, str(uuid4()), {**_facts(conf), "server": server.id})
    try:
        token = server.token()
        if not server.is_up():  # looked at only now that its keeper can see us
            raise SetupError("it has just ended")
        held = warm.digests(settings, token)
        own = {k: v for k, v in settings.items() if warm.is_of_session(k) and server.settings.get(k) != held[k]}
        return _joined(local(server), client, own, server.is_up, opener)
    except BaseException:
        client.close()
        raise


def _remote(conf: Conf, url: str, folder: Path, settings: Mapping[str, str], opener: Opener) -> "Connected":
    from medallion.warm.connect import remote

    client = Client(folder, str(uuid4()), {**_facts(conf), "remote": url})
    try:
        own = {key: value for key, value in settings.items() if warm.is_of_session(key)}
        found = _joined(remote(url), client, own, lambda: True, opener)
    except BaseException:
        client.close()
        raise
    try:
        _require_alike(found.root)
    except BaseException:
        found.stop()
        raise
    return found


def _joined(
    address: "Address", client: Client, own: Mapping[str, str], is_up: Callable[[], bool], opener: Opener
) -> "Connected":
    from pyspark.errors import PySparkException

    from medallion.warm.connect import Connected, Control

    control = Control(address)
    try:
        control.check()
    finally:
        control.close()
    try:
        return Connected(address, client, opener, own, is_up)
    except PySparkException as error:
        raise SetupError(f"it refuses a setting: {str(error).splitlines()[0]}") from None


def _require_alike(session: "SparkSession") -> None:
    """Raise SetupError for a server of another Spark, or one without Delta."""
    wanted = warm.versions()["pyspark"]
    if session.version != wanted:
        raise SetupError(f"it is Spark {session.version}; wanted {wanted}, as here")
    for key, known in (("spark.sql.extensions", "DeltaSparkSession"), ("spark.sql.catalog.spark_catalog", "Delta")):
        found = session.conf.get(key, None) or "nothing"
        if known not in found:
            raise SetupError(f"it was started with {key}={found}; wanted Delta's")


def _facts(conf: Conf) -> dict[str, Any]:
    """Return what others are told of us."""
    return {"pipeline": conf.name, "since": clock.now().isoformat(timespec="seconds")}
