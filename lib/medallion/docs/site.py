"""The pages in a folder: an index, one page a table, and the few files that they share; nothing from elsewhere."""

import json
import re
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

from medallion import clock, lineage
from medallion import run as runs
from medallion.conf import Conf
from medallion.docs import facts, layout
from medallion.errors import ConfError
from medallion.output import counted

if TYPE_CHECKING:
    from jinja2 import Environment
    from markupsafe import Markup
    from rich.console import Console

MARK = "medallion-docs.json"  # in a folder of ours: what was written there
_PAGE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.]*\.(html|css|js)")
_FILES = ("docs.css", "docs.js")


@dataclass(frozen=True)
class Site:
    """What was built, and how long it took; ``unknown`` are tables without column lineage, each with why."""

    folder: str
    tables: int
    pages: int
    seconds: float
    unknown: dict[str, str]

    def facts(self) -> dict[str, Any]:
        """Return what `--json` prints."""
        return asdict(self)

    def render(self, console: "Console") -> None:
        """Print where it is."""
        where = Path(self.folder, "index.html")
        console.print(f"{counted(self.tables, 'tables')} in {self.seconds:.1f} s: {where}", soft_wrap=True)
        for name, problem in self.unknown.items():
            console.print(f"{name}: its column lineage is not known: {problem}", soft_wrap=True)


def build(confs: Sequence[Conf], folder: Path) -> Site:
    """Write the pages of these pipelines into a folder, and take away those of tables that are no more.

    Raises ConfError where there are files in the folder that are not of such a site.
    """
    began = time.monotonic()
    before = _written(folder)
    prepared = [runs.prepare(conf) for conf in confs]
    with ThreadPoolExecutor(1) as pool:  # logs are read while Spark starts, if it has to
        asked = pool.submit(lineage.of_all, prepared)
        looked = [facts.look(run) for run in prepared]
        known = asked.result()
    told = [facts.of(run, seen, found) for run, seen, found in zip(prepared, looked, known, strict=True)]
    pages = rendered(told)
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in pages.items():
        (folder / name).write_text(text, encoding="utf-8")
    for name in before - set(pages):
        (folder / name).unlink(missing_ok=True)
    (folder / MARK).write_text(json.dumps(sorted(pages)))
    unknown = {page.name: page.problem for one in told for page in one.pages if page.problem}
    tables = sum(len(one.pages) for one in told)
    return Site(str(folder), tables, len(pages), round(time.monotonic() - began, 2), unknown)


def rendered(pipelines: Sequence[facts.Pipeline]) -> dict[str, str]:
    """Return the files of a site by their names."""
    made = _environment()
    shared = {"pipelines": pipelines, "built": clock.now()}
    pages = {"index.html": made.get_template("index.html").render(shared, pictures=_pictures(pipelines))}
    for pipeline in pipelines:
        graph = _graph(pipeline)
        for page in pipeline.pages:
            near = layout.picture(layout.around(graph, page.name))
            given = {"pipeline": pipeline, "page": page, "picture": near, "trusts": _trusts(pipeline)}
            pages[f"{page.name}.html"] = made.get_template("table.html").render(shared, **given)
    files = resources.files("medallion.docs") / "pages" / "files"
    pages |= {name: (files / name).read_text() for name in _FILES}
    return pages | {"search.js": f"window.ENTRIES = {_script(_entries(pipelines))};\n"}


def _pictures(pipelines: Sequence[facts.Pipeline]) -> Mapping[str, Any]:
    return {one.name: (layout.picture(_graph(one)), _trusts(one)) for one in pipelines}


def _graph(pipeline: facts.Pipeline) -> layout.Graph:
    names = {page.name for page in pipeline.pages}
    return {page.name: [up for up in page.entry.reads if up in names] for page in pipeline.pages}


def _trusts(pipeline: facts.Pipeline) -> Mapping[str, Any]:
    return {page.name: page.trust for page in pipeline.pages}


def _entries(pipelines: Sequence[facts.Pipeline]) -> list[list[str]]:
    """Return what can be searched for: name, page, kind, and what it is."""
    found = []
    for page in (page for one in pipelines for page in one.pages):
        found.append([page.name, f"{page.name}.html", page.entry.kind, page.entry.grain])
        for column in (*page.columns, *page.fields):
            text = " ".join(filter(None, [column.text, "personal" if column.personal else ""]))
            found.append([f"{page.name}.{column.name}", f"{page.name}.html#{anchor(column.name)}", column.type, text])
    return found


def anchor(column: str) -> str:
    """Return by what a column is found on its table's page, as an address has it."""
    from urllib.parse import quote

    return quote(f"column-{column}", safe="")


def _script(value: Any) -> str:
    """Return a value as JavaScript that stands in no way for markup."""
    text = json.dumps(value, ensure_ascii=True)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _environment() -> "Environment":
    from jinja2 import Environment, PackageLoader

    made = Environment(
        loader=PackageLoader("medallion.docs", "pages"), autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    made.globals |= {"WIDTH": layout.WIDTH, "HEIGHT": layout.HEIGHT}
    made.filters["counted"] = counted
    made.filters["anchor"] = anchor
    made.filters["short"] = lambda name: str(name).partition(".")[2]
    made.filters["breaking"] = _breaking
    made.filters["words"] = _words
    made.filters["moment"] = lambda at: str(at)[:16].replace("T", " ")
    return made


def _breaking(name: str) -> "Markup":
    """Return a name as markup that a browser may break after its dots and underscores."""
    from markupsafe import Markup, escape

    return Markup(re.sub(r"([._])(?=.)", r"\1<wbr>", str(escape(name))))


def _words(text: str) -> "Markup":
    """Return text of a docstring as markup: what stands in backticks is code."""
    from markupsafe import Markup, escape

    return Markup(re.sub(r"`([^`\n]+)`", r"<code>\1</code>", str(escape(text))))  # escaped a moment before


def _written(folder: Path) -> set[str]:
    """Return the pages that stand in a folder of ours."""
    if not folder.is_dir() or not any(folder.iterdir()):
        return set()
    try:
        found = json.loads((folder / MARK).read_text())
    except (OSError, ValueError):
        raise ConfError(
            f"{folder}: holds files that are no such site; wanted another folder, or an empty one"
        ) from None
    return {str(name) for name in found if _PAGE.fullmatch(str(name))}
