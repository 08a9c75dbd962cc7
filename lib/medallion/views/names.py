"""Tables by name, known from their place alone: no module of a pipeline is imported."""

from medallion import conf as conf_door
from medallion.conf import Conf
from medallion.errors import ConfError
from medallion.graph import LAYERS
from medallion.lake import Lake, State


def pipeline_of(name: str) -> str:
    """Return the pipeline in a table's full name; raises ConfError for anything but a full name."""
    words = name.split(".")
    if len(words) != 3 or not all(words):
        raise ConfError(f"table: found {name!r}; wanted a full name <pipeline>.<layer>.<table>")
    return words[0]


def load(name: str, overrides: tuple[str, ...]) -> Conf:
    """Return the conf of the pipeline that a table belongs to."""
    return conf_door.load(pipeline_of(name), overrides)


def tables(conf: Conf) -> list[str]:
    """Return the full names of a pipeline's tables, layer by layer."""
    folder = conf.project / "jobs" / conf.name
    return [
        f"{conf.name}.{layer}.{path.stem}"
        for layer in LAYERS
        for path in sorted((folder / layer).glob("*.py"))
        if path.stem != "__init__"
    ]


def quarantine_of(name: str) -> str:
    """Return the name of a silver table's quarantine."""
    pipeline, _, table = name.split(".")
    return f"{pipeline}.quarantine.{table}"


def existing(conf: Conf, name: str) -> State:
    """Return the state of a table; raises ConfError where there is none of that name, or none yet."""
    known = tables(conf)
    silver = [table for table in known if table.split(".")[1] == "silver"]
    if name not in (*known, *map(quarantine_of, silver)):
        near = [table for table in known if table.rpartition(".")[0] == name.rpartition(".")[0]] or known
        raise ConfError(f"{name}: no such table; wanted one of {', '.join(near)}")
    state = Lake(conf).state(name)
    if state is not None:
        return state
    if ".quarantine." in name:
        raise ConfError(f"{name}: does not exist; no row was ever quarantined")
    raise ConfError(f"{name}: does not exist yet; `medallion run {conf.name} --table {name.split('.', 1)[1]}` makes it")
