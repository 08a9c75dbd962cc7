"""The one door to conf: finds the project, reads both tiers, applies overrides, refuses what it cannot use.

The platform tier, ``conf/platform/<environment>.yaml``, says where things are; the pipeline tier,
``conf/pipelines/<pipeline>.yaml``, what a data engineer decides.
"""

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from medallion import archive
from medallion.conf.duration import Duration
from medallion.conf.expectation import Expectation
from medallion.conf.intake import Connection
from medallion.conf.model import Key, Refresh, listing, validated
from medallion.conf.pipeline import Pipeline, Source, places
from medallion.conf.platform import LAYERS, LayerStorage, Platform, Runtime, Spark, secrets_of
from medallion.conf.schedule import Schedule
from medallion.conf.secret import SecretRef
from medallion.conf.yaml_file import parse_scalar, read_yaml
from medallion.errors import ConfError

__all__ = [
    "Conf",
    "Connection",
    "Duration",
    "Expectation",
    "LayerStorage",
    "Pipeline",
    "Platform",
    "Runtime",
    "Schedule",
    "SecretRef",
    "Source",
    "Spark",
    "find_project",
    "load",
    "pipelines",
]

HOME = "MEDALLION_HOME"
ENVIRONMENT = "MEDALLION_ENVIRONMENT"
_COMMAND_LINE = "command line"


@dataclass(frozen=True)
class Conf:
    """Everything that is decided before a run starts; secrets are in it by reference only."""

    project: Path
    environment: str
    platform: Platform
    name: str
    pipeline: Pipeline

    def root(self, layer: str) -> str:
        """Return where a layer lies: a URI as conf has it, or an absolute folder."""
        if layer not in LAYERS:
            raise ConfError(f"layer {layer}: unknown; wanted one of {', '.join(LAYERS)}")
        storage: LayerStorage = getattr(self.platform.storage, layer)
        root = storage.root.removeprefix("file://")
        return root if "://" in root else str(self.project / root)

    def expectations(self, table: str) -> tuple[Expectation, ...]:
        """Return what is expected of a table of this pipeline, given by its full name; perhaps nothing."""
        pipeline, _, name = table.partition(".")
        if pipeline != self.name:
            raise ConfError(f"{table}: not of pipeline {self.name}, whose conf this is")
        return self.pipeline.expectations.get(name, ())

    def refresh(self, table: str) -> Refresh:
        """Return how a gold table is to be refreshed: as the environment says for all, else as the pipeline does."""
        return self.platform.runtime.refresh or self.pipeline.refresh.get(table.partition(".")[2], "auto")

    def connection(self, source: str) -> Connection | None:
        """Return where a source of this pipeline is in this environment; None where it is delivered by hand."""
        return self.platform.connections.get(f"{self.name}.{source}")

    def source(self, name: str) -> Source:
        """Return a source by name."""
        if name not in self.pipeline.sources:
            found = _names(self.pipeline.sources)
            raise ConfError(f"conf/pipelines/{self.name}.yaml: sources.{name}: missing; found {found}")
        return self.pipeline.sources[name]


@dataclass(frozen=True)
class _Override:
    """One ``key=value`` of a command line."""

    key: tuple[str, ...]
    text: str


def find_project(start: Path | None = None) -> Path:
    """Return the project's folder: MEDALLION_HOME, or the first from start (or here) upwards.

    Where there is none, but the engine came in an archive, it is the archive's, unpacked.
    """
    home = os.environ.get(HOME)
    if home:
        if not _is_project(Path(home)):
            raise ConfError(f"{HOME}: {home} is no project; wanted a folder with conf/platform and jobs")
        return Path(home).resolve()
    here = (start or Path.cwd()).resolve()
    for folder in (here, *here.parents):
        if _is_project(folder):
            return folder
    brought = archive.unpacked()
    if brought is not None:
        return brought
    raise ConfError(f"no project at or above {here}; wanted one with conf/platform and jobs, or {HOME}")


def pipelines(project: Path) -> list[str]:
    """Return the names of the pipelines a project has conf for, sorted."""
    return _stems(project / "conf" / "pipelines")


def load(pipeline: str, overrides: Sequence[str] = (), project: Path | None = None) -> Conf:
    """Return the conf of a pipeline in an environment, overrides applied; nothing is written.

    An override is ``key=value``; its first word decides where it belongs: ``environment``, a key of the
    platform's conf or one of the pipeline's. Of several for one key the last counts.

    Raises:
        ConfError: Anything unknown, missing or unusable, secrets that are not there included.
    """
    project = project.resolve() if project else find_project()
    given = [_override(text, number) for number, text in enumerate(overrides, start=1)]
    chosen = [override.text.strip() for override in given if override.key == ("environment",)]
    environment = chosen[-1] if chosen else os.environ.get(ENVIRONMENT) or "dev"
    return Conf(
        project=project,
        environment=environment,
        platform=_platform(project, environment, given),
        name=pipeline,
        pipeline=_pipeline(project, pipeline, given),
    )


def _platform(project: Path, environment: str, given: Sequence[_Override]) -> Platform:
    file = _file(project, "platform", "environment", environment)
    raw, overridden = _overlaid(read_yaml(project / file, file), given, Platform)
    platform = validated(Platform, raw, lambda key: _origin(key, file, overridden))
    lacking = [
        f"{_origin(key, file, overridden)}: {'.'.join(key)}: {problem}"
        for key, secret in secrets_of(platform)
        if (problem := _lacks(secret))
    ]
    if lacking:
        raise ConfError(listing(lacking))
    return platform


def _pipeline(project: Path, name: str, given: Sequence[_Override]) -> Pipeline:
    file = _file(project, "pipelines", "pipeline", name)
    raw, overridden = _overlaid(read_yaml(project / file, file), given, Pipeline)
    return validated(Pipeline, raw, lambda key: _origin(key, file, overridden), list(places(raw)))


def _file(project: Path, tier: str, word: str, name: str) -> str:
    found = _stems(project / "conf" / tier)
    if name not in found:
        raise ConfError(f"{word} {name!r}: no such file in conf/{tier}; wanted one of {_names(found)}")
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name):
        raise ConfError(f"conf/{tier}/{name}.yaml: wanted a file name of a-z, 0-9 and _, first a letter")
    return f"conf/{tier}/{name}.yaml"


def _override(text: str, number: int) -> _Override:
    """Split one override; where it is none, say which and do not repeat it: it may hold a secret."""
    name, found, value = text.partition("=")
    key = _key(name.strip())
    known = ("environment", *Platform.model_fields, *Pipeline.model_fields)
    if not found or not re.fullmatch(r"[A-Za-z_][\w.-]*", name.strip()):
        raise ConfError(f"{_COMMAND_LINE}: override {number}: wanted key=value, as runtime.parallel_jobs=4")
    if key[0] not in known or "" in key or (key[0] == "environment" and len(key) > 1):
        raise ConfError(f"{_COMMAND_LINE}: {name.strip()}: unknown key; wanted one below {_names(known)}")
    return _Override(key, value)


def _key(name: str) -> tuple[str, ...]:
    """Return the words of a key; a Spark setting and a table (layer.table) are one word each, with dots."""
    if name.startswith("spark.conf."):
        return ("spark", "conf", name.removeprefix("spark.conf."))
    words = name.split(".")
    if words[0] in ("expectations", "connections") and len(words) > 2:
        words[1:3] = [".".join(words[1:3])]
    if words[:2] == ["cache", "tables"] and len(words) > 3:
        words[2:4] = [".".join(words[2:4])]
    return tuple(words)


def _overlaid(
    raw: dict[str, Any], given: Sequence[_Override], tier: type[Platform] | type[Pipeline]
) -> tuple[dict[str, Any], list[Key]]:
    """Return a file's values with the overrides of its tier laid over them, and the keys these set."""
    mine = [override for override in given if _is_of(tier, override.key)]
    for override in mine:
        shown = f"{_COMMAND_LINE}: {'.'.join(override.key)}"
        part = raw
        for word in override.key[:-1]:
            if part.get(word) is None:
                part[word] = {}
            part = part[word]
            if not isinstance(part, dict):
                raise ConfError(f"{shown}: {word} holds no keys; override it as a whole")
        part[override.key[-1]] = parse_scalar(override.text, shown)
    return raw, [override.key for override in mine]


def _is_of(tier: type[Platform] | type[Pipeline], key: tuple[str, ...]) -> bool:
    """Tell whether a key belongs to a tier; both have a ``cache``, the pipeline's holds tables only."""
    if key[0] == "cache":
        return (tier is Pipeline) == (key[1:2] == ("tables",))
    return key[0] in tier.model_fields


def _origin(key: Key, file: str, overridden: Sequence[Key]) -> str:
    """Return who is to blame for a key: the command line if it set it or a part of it, else the file."""
    return _COMMAND_LINE if any(key[: len(one)] == one for one in overridden) else file


def _lacks(secret: SecretRef) -> str | None:
    try:
        secret.reveal()
    except ConfError as error:
        return str(error)
    return None


def _is_project(folder: Path) -> bool:
    return (folder / "conf" / "platform").is_dir() and (folder / "jobs").is_dir()


def _stems(folder: Path) -> list[str]:
    return sorted(file.stem for file in folder.glob("*.yaml"))


def _names(found: object) -> str:
    names = list(found) if isinstance(found, Sequence | dict) else []
    return ", ".join(names) or "none: there is no file yet"
