"""YAML: read by one door, which runs nothing, expands nothing, and says in which file it stopped."""

import ast
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from medallion import conf as conf_door
from medallion.conf import yaml_file
from medallion.conf.yaml_file import parse_scalar, parse_yaml
from medallion.errors import ConfError
from tests import figures
from tests.lib.conftest import Lab
from tests.security.corpus import MARKER, STRINGS
from tests.security.surroundings import executed, ran

ENGINE = Path(conf_door.__file__).parents[1]
DOOR = ENGINE / "conf" / "yaml_file.py"
BOMB = "\n".join(
    ["a0: &a0 [x, x, x, x, x, x, x, x, x]", *(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 12))]
)
REFUSED = {
    "a call": f"x: !!python/object/apply:os.system ['touch {MARKER}-call']",
    "a call in a list": f"x: [!!python/object/apply:os.system ['touch {MARKER}-list']]",
    "a call as a key": f"!!python/object/apply:os.system ['touch {MARKER}-key']: 1",
    "a new object": "x: !!python/object/new:os.system ['true']",
    "a name": "x: !!python/name:os.system",
    "a module": "x: !!python/module:os",
    "a tuple": "x: !!python/tuple [1]",
    "a tag of one's own": "x: !run y",
    "a binary": "x: !!binary aGk=",
    "a set": "x: !!set {a, b}",
    "a bomb": BOMB,
    "an alias of itself": "x: &x [*x]",
    "a merge": "base: &base {a: 1}\nx: {<<: *base}",
    "a key twice": "description: a\ndescription: b",
    "a key twice below": "sources: {a: {system: x, system: y}}",
    "a number as a key": "1: x",
    "nothing as a key": "~: x",
    "a word for true as a key": "yes: x",
    "a list as a key": "[a]: x",
    "a map as a key": "{a: 1}: x",
    "a number of 5,000 digits": f"x: {'9' * 5000}",
    "a number of base 60 of 5,000 digits": f"x: {':'.join(['59'] * 5000)}",
    "lists 3,000 deep": f"x: {'[' * 3000}",
    "maps 3,000 deep": f"x: {'{a: ' * 3000}",
    "a directive": "%TAG ! tag:yaml.org,2002:python/object/apply:\n---\nx: !os.system ['true']",
    "two documents": "x: 1\n---\ny: 2",
    "a NUL": "x: a\0b",
}


def _calls(path: Path) -> Iterator[str]:
    """Yield what a module does with YAML beside the door."""
    for node in ast.walk(ast.parse(path.read_text())):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import | ast.ImportFrom) else []
        module = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        if any(name.split(".")[0] in ("yaml", "ruamel", "_yaml") for name in (*names, *module)):
            yield f"{path.relative_to(ENGINE)}:{getattr(node, 'lineno', 0)}"


def test_yaml_is_read_behind_one_door() -> None:
    found = [one for path in sorted(ENGINE.rglob("*.py")) for one in _calls(path)]

    assert [one for one in found if not one.startswith("conf/yaml_file.py")] == []
    assert found != []
    assert issubclass(yaml_file._Loader, yaml.SafeLoader)


@pytest.mark.parametrize("tier", ["pipelines/lab", "platform/dev"])
def test_yaml_that_does_more_than_say_is_refused_by_its_file_at_once(
    lab: Lab, tier: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "stand").mkdir()
    monkeypatch.chdir(tmp_path / "stand")
    path = lab.folder / "conf" / f"{tier}.yaml"
    as_it_was = path.read_text()
    slow = []
    for what, text in REFUSED.items():
        path.write_text(f"{text}\n{as_it_was}" if what == "a directive" else f"{as_it_was}\n{text}\n")
        started = time.process_time()
        with pytest.raises(ConfError, match=rf"^conf/{tier}\.yaml: "):
            lab.conf()
        slow += [what] if time.process_time() - started > 2 else []

    assert slow == []
    assert executed(tmp_path / "stand", lab.folder) == []
    figures.note("injection", tried=len(REFUSED), executed=ran(), unaccounted=0)


@pytest.mark.parametrize("what", ["a call", "a bomb", "a key twice", "a merge"])
def test_without_the_door_it_would_be_read(what: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Control: the loader that is not safe runs it; the one that is expands it, or passes over it."""
    monkeypatch.chdir(tmp_path)
    loader = yaml.UnsafeLoader if what == "a call" else yaml.SafeLoader

    yaml.load(REFUSED[what], loader)

    is_red = what != "a call" or executed(tmp_path) != []
    figures.control("injection", f"YAML: {what} is refused", red=is_red)
    assert is_red


def test_an_overrides_value_is_text_or_a_plain_value_and_runs_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    strange = {}
    for text in (*STRINGS, *REFUSED.values()):
        try:
            value = parse_scalar(text, "here")
        except ConfError as error:
            assert str(error).startswith("here: ")
            continue
        if not isinstance(value, str | int | float | bool | list | dict | None):
            strange[text] = type(value)

    assert strange == {}
    assert executed(tmp_path) == []
    figures.note("injection", tried=len(STRINGS), executed=ran(), unaccounted=len(strange))


def test_every_string_that_is_quoted_comes_back_as_it_was() -> None:
    printable = [text for text in STRINGS if text.isprintable()]

    assert parse_yaml(yaml.safe_dump(printable, allow_unicode=True), "here") == printable
