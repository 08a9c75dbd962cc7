"""Clients of a warm server that died: what they left running is ended, so that none of it is committed from now on."""

from medallion.conf import Conf
from medallion.errors import LockedError, SetupError
from medallion.warm import clients
from medallion.warm.files import CLIENTS, answers
from medallion.warm.server import ANSWER_SECONDS, Server, place, read


def end(conf: Conf) -> None:
    """End what clients that died left running on the lake's server, so that none of it is committed from now on.

    Raises LockedError where that cannot be.
    """
    folder = place(conf)
    if folder is None or not (folder / CLIENTS).is_dir():
        return
    with clients.died(folder) as dead:
        server = read(folder)
        for client in dead:
            if not client.sessions:
                continue
            if client.facts.get("remote"):
                _end_sessions(client, None)
            elif (
                server and client.facts.get("server") == server.id and answers(server.host, server.port, ANSWER_SECONDS)
            ):
                _end_sessions(client, server)  # else everything has ended with its server


def _end_sessions(client: clients.Left, server: Server | None) -> None:
    """End what a dead client left running on its server: the warm one, or the one that its file names."""
    from medallion.warm.connect import Control, local, remote  # PySpark, which only a dead client is worth

    control = Control(local(server) if server else remote(str(client.facts["remote"])))
    try:
        control.end(client.sessions)
    except SetupError as error:
        if server is not None and not server.is_up():
            return
        raise LockedError(
            f"{client.path}: what a client that died (process {client.pid}) left running on "
            f"{f'the {server.name}' if server else client.facts['remote']} cannot be ended: {error}; "
            "`medallion down` ends a warm server; remove that file once nothing runs any more"
        ) from None
    finally:
        control.close()
