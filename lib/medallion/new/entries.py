"""Entries added to a YAML file as a person would type them: its comments and its layout stay.

The file is edited as text, and then read: it must say what it said before, and the entry besides.
"""

import re
from collections.abc import Callable
from typing import Any

from medallion.conf.yaml_file import parse_yaml
from medallion.errors import ConfError

_TOP_LEVEL = re.compile(r"[^\s#-]|-\S")
_NOTHING = ("{}", "[]", "null", "~")


def added(text: str, block: str, entry: str, shown: str, parse: Callable[[str], Any] | None = None) -> str:
    """Return YAML text with an entry at the end of one of its top-level blocks, made where it is missing.

    ``entry`` is written as in a block without indentation; ``shown`` names the file. Raises ConfError where that
    cannot be done without changing what else the file says: then it is to be added by hand.
    """
    made = _inserted(text, block, entry)
    read = parse or (lambda yaml: parse_yaml(yaml.removeprefix("\ufeff"), shown))
    if made is None or not _only_adds(read, text, made, block, entry):
        raise ConfError(
            f"{shown}: {block}: cannot be added to as it is written; add by hand:\n{_indented(entry, '  ')}"
        )
    return made


def _only_adds(read: Callable[[str], Any], before: str, after: str, block: str, entry: str) -> bool:
    try:
        was, now, more = read(before) or {}, read(after), read(entry)
    except ConfError:
        return False
    known = was.get(block) or type(more)()
    whole = {**known, **more} if isinstance(more, dict) else [*known, *more]
    return bool(now == {**was, block: whole})


def _inserted(text: str, block: str, entry: str) -> str | None:
    """Return the text with the entry; None where the block is written in one line."""
    newline = "\r\n" if "\r\n" in text else "\n"
    lines = text.splitlines(keepends=True)
    if lines and not lines[-1].endswith("\n"):
        lines[-1] += newline
    start = next((number for number, line in enumerate(lines) if re.match(rf"{block}:\s", line)), None)
    if start is None:
        title = f"{newline if lines else ''}{block}:{newline}"
        return "".join([*lines, title, _indented(entry, "  ").replace("\n", newline)])
    value = re.sub(r"(^|\s)#.*", "", lines[start].partition(":")[2]).strip()
    if value in _NOTHING:
        lines[start] = re.sub(rf"^{block}:\s*{re.escape(value)}", f"{block}:", lines[start])
    elif value:
        return None
    inside = _inside(lines, start)
    indent = next((re.match(r" *", lines[n]) for n in inside if not lines[n].lstrip().startswith("#")), None)
    told = _indented(entry, indent[0] if indent else "  ")
    end = inside[-1] + 1 if inside else start + 1
    is_spaced = any(not lines[number].strip() for number in range(start + 1, end))
    return "".join([*lines[:end], newline if is_spaced else "", told.replace("\n", newline), *lines[end:]])


def _inside(lines: list[str], start: int) -> list[int]:
    """Return the numbers of a block's lines, without blank ones and comments that stand at the left margin."""
    found = []
    for number in range(start + 1, len(lines)):
        if _TOP_LEVEL.match(lines[number]):
            break
        if lines[number].strip() and not lines[number].startswith("#"):
            found.append(number)
    return found


def _indented(entry: str, indent: str) -> str:
    return "".join(indent + line if line.strip() else line for line in entry.splitlines(keepends=True))
