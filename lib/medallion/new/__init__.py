"""New pipelines and tables: the files that CONTRIBUTING.md describes, written so that they work at once.

Nothing is overwritten; of a file that is added to, comments and layout stay. Either all is written or nothing.
"""

import keyword
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING, Any, Literal

from medallion import conf as conf_door
from medallion.conf import Conf
from medallion.conf.yaml_file import parse_scalar, parse_yaml
from medallion.errors import ConfError, some
from medallion.new import pipeline_text, render
from medallion.new.declared import declared
from medallion.new.entries import added
from medallion.new.render import Rendered

if TYPE_CHECKING:
    from rich.console import Console

Kind = Literal["mart", "aggregate", "derived"]
_KINDS = {"mart": render.mart, "aggregate": render.aggregate, "derived": render.derived}
_LAYERS = ("bronze", "silver", "gold")
_DEPLOYMENTS = "prefect.yaml"


@dataclass(frozen=True)
class Written:
    """Files that were made and files that were added to, below the project, and what to do next."""

    made: list[str]
    changed: list[str]
    next: list[str]

    def facts(self) -> dict[str, Any]:
        """Return what `--json` prints."""
        return asdict(self)

    def render(self, out: "Console") -> None:
        """Print a line a file, and the commands that come next."""
        for title, files in (("made", self.made), ("added to", self.changed)):
            for file in files:
                out.print(f"{title:9} {file}")
        out.print("\nTry next", style="dim")
        for command in self.next:
            out.print(f"  {command}", soft_wrap=True)


def pipeline(project: Path, name: str) -> Written:
    """Write a pipeline of one source with a table in each layer; raises ConfError where it cannot be."""
    _require_name("pipeline", name)
    if name in conf_door.pipelines(project):
        raise ConfError(f"conf/pipelines/{name}.yaml: is there already; wanted the name of a new pipeline")
    if (project / "jobs" / f"{name}.py").exists():
        raise ConfError(f"jobs/{name}.py: is there already; wanted another name for the pipeline")

    def filled(text: str) -> str:
        return Template(text).substitute(pipeline=name)

    files = {filled(place): filled(text) for place, text in pipeline_text.FILES.items()}
    return _write(project, files, _deployed(project, filled(pipeline_text.DEPLOYMENT)), map(filled, pipeline_text.NEXT))


def table(project: Path, name: str, kind: str | None = None, reads: str | None = None) -> Written:
    """Write a table of a pipeline, its lines of conf and its test; raises ConfError where it cannot be."""
    words = name.split(".")
    if len(words) != 3:
        raise ConfError(f"table: found {name!r}; wanted a full name PIPELINE.LAYER.TABLE")
    pipeline, layer, short = words
    conf = conf_door.load(pipeline, project=project)
    if layer not in _LAYERS:
        raise ConfError(f"layer: found {layer!r}; wanted one of {', '.join(_LAYERS)}")
    _require_name("table", short)
    if short in render.TAKEN:
        raise ConfError(f"table: found {short!r}, which its module uses otherwise; wanted another name")
    if layer != "gold" and kind is not None:
        raise ConfError(f"--kind {kind}: is for gold tables; wanted none in {layer}")
    module = f"jobs/{pipeline}/{layer}/{short}.py"
    _require_new(project, [module])
    made = _rendered(conf, name, kind or "aggregate", reads)
    files = {module: made.module}
    if made.test is not None:
        files[f"tests/jobs/{pipeline}/{layer}/test_{layer}_{short}.py"] = made.test
    place = f"conf/pipelines/{pipeline}.yaml"
    text = (project / place).read_bytes().decode("utf-8")
    more = _conf_with(conf, text, name, made.key)
    return _write(project, files, {place: more} if more != text else {}, _next_of_table(name))


def _rendered(conf: Conf, name: str, kind: str, reads: str | None) -> Rendered:
    """Return the text of a table's module and test."""
    layer = name.split(".")[1]
    if layer == "bronze":
        if reads is not None:
            raise ConfError(f"--reads {reads}: a bronze table takes in a source; wanted none")
        return render.bronze(name)
    read = _read_by(conf, name, "bronze" if layer == "silver" else "silver", reads)
    if layer == "silver":
        return render.silver(name, read, conf.source(_source_of(conf, read)))
    return _KINDS[kind](name, declared(conf.project, read))


def _read_by(conf: Conf, name: str, layer: str, reads: str | None) -> str:
    """Return the table that a new one reads: the one named; else the one of its own name, or the only one."""
    known = _tables(conf, layer)
    allowed = [*known, *_tables(conf, "gold")] if layer == "silver" else known
    if reads is not None:
        found = [one for one in allowed if reads in (one, one.partition(".")[2])]
        if not found:
            raise ConfError(
                f"--reads: found {reads!r}; wanted one of {', '.join(allowed) or 'none: there is no table'}"
            )
        return found[0]
    same = f"{conf.name}.{layer}.{name.rpartition('.')[2]}"
    if same in known or len(known) == 1:
        return same if same in known else known[0]
    if not known:
        raise ConfError(f"{name}: found no {layer} table to read; wanted one: `medallion new table {same}`")
    raise ConfError(f"{name}: found {some(known)} to read; wanted one of them: --reads {known[0].partition('.')[2]}")


def _tables(conf: Conf, layer: str) -> list[str]:
    folder = conf.project / "jobs" / conf.name / layer
    return [f"{conf.name}.{layer}.{path.stem}" for path in sorted(folder.glob("*.py")) if path.stem != "__init__"]


def _source_of(conf: Conf, bronze: str) -> str:
    """Return the source that a bronze table takes in, by its text; raises ConfError where that does not tell."""
    path = conf.project.joinpath("jobs", *bronze.split(".")).with_suffix(".py")
    found = re.search(r"""Bronze\(\s*(?:source\s*=\s*)?["'](\w+)["']""", path.read_text(encoding="utf-8"))
    if found is None:
        raise ConfError(f'{path.relative_to(conf.project)}: found no source; wanted `table = Bronze(source="...")`')
    return found[1]


def _conf_with(conf: Conf, text: str, name: str, key: Sequence[str]) -> str:
    """Return the pipeline's conf with what a new table needs there: a source, or what is expected of it."""
    _, layer, short = name.split(".")
    shown = f"conf/pipelines/{conf.name}.yaml"
    if layer == "bronze":
        known = short in conf.pipeline.sources
        return text if known else added(text, "sources", render.source_entry(name), shown)
    if f"{layer}.{short}" in conf.pipeline.expectations:
        return text
    entry = f"{layer}.{short}:\n  - {{rule: unique, columns: [{', '.join(key)}], severity: fail}}\n"
    return added(text, "expectations", entry, shown)


def _deployed(project: Path, entry: str) -> Mapping[str, str]:
    """Return prefect.yaml with a deployment more; nothing where the project has no such file."""
    path = project / _DEPLOYMENTS
    if not path.is_file():
        return {}

    def parse(text: str) -> Any:
        """Read Prefect's file by conf's own door, which takes neither anchors nor merges: by their names only."""
        named = re.sub(r"(?m)^( *)<<: \*(\w+)$", r"\1inherits: \2", text)
        return parse_yaml(re.sub(r"(?m)^( *\w+:) &\w+$", r"\1", named), _DEPLOYMENTS)

    return {_DEPLOYMENTS: added(path.read_bytes().decode("utf-8"), "deployments", entry, _DEPLOYMENTS, parse)}


def _next_of_table(name: str) -> list[str]:
    pipeline, layer, short = name.split(".")
    if layer == "bronze":
        return [
            f"medallion land {pipeline} {short} FILE ...",
            f"medallion new table {pipeline}.silver.{short}",
        ]
    return [
        f"pytest tests/jobs/{pipeline}/{layer}/test_{layer}_{short}.py",
        f"medallion plan {pipeline} --table {layer}.{short}",
        f"medallion run {pipeline}",
        f"medallion show {name}",
    ]


def _require_name(what: str, name: str) -> None:
    is_name = re.fullmatch(r"[a-z][a-z0-9_]{,99}", name) and not keyword.iskeyword(name)
    if not is_name or parse_scalar(name, what) != name:
        raise ConfError(
            f"{what}: found {name[:40]!r}; wanted a name of a-z, 0-9 and _ that begins with a letter, at most 100 of "
            "them, none of the words that Python or YAML read otherwise, such as null"
        )


def _require_new(project: Path, places: Iterable[str]) -> None:
    there = [place for place in places if (project / place).exists()]
    if there:
        raise ConfError(f"{some(there)}: there already; nothing was written")


def _write(project: Path, files: Mapping[str, str], changed: Mapping[str, str], commands: Iterable[str]) -> Written:
    """Write new files, then those that were added to; raises ConfError, with nothing written, where one cannot be."""
    _require_new(project, files)
    made: list[Path] = []
    try:
        for place, text in files.items():
            path = project / place
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("x", encoding="utf-8", newline="") as file:
                made.append(path)
                file.write(text)
        for place, text in changed.items():
            draft = project / f"{place}.new"
            made.append(draft)
            draft.write_bytes(text.encode("utf-8"))
        for place in changed:
            os.replace(project / f"{place}.new", project / place)
    except OSError as error:
        for path in made:
            path.unlink(missing_ok=True)
        raise ConfError(f"{error.filename}: {error.strerror}; nothing was written") from None
    return Written(sorted(files), sorted(changed), list(commands))
