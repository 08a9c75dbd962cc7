"""What people type as a query of FTS5: words in quotes and nothing else, so that none of it is taken for syntax."""

import re
import sqlite3
import unicodedata

from medallion.cache import SearchError
from medallion.cache.schema import PREFIX

MOST_LETTERS = 200  # of a search
MOST_WORDS = 16

_FEW_WORDS = 32  # of the index that begin with a word
_WORD = re.compile(r"[^\W_]+")  # letters and digits of any script


def words_of(text: str) -> tuple[list[str], bool]:
    """Return the words in a person's text, and whether the last is to find what begins with it, too.

    Raises SearchError where there is too much of it.
    """
    if len(text) > MOST_LETTERS:
        raise SearchError(f"search: found {len(text):,} letters; wanted at most {MOST_LETTERS}")
    words = _WORD.findall(_plain(text))
    if len(words) > MOST_WORDS:
        raise SearchError(f"search: found {len(words)} words; wanted at most {MOST_WORDS}")
    return words, bool(words) and len(words[-1]) >= PREFIX and text.rstrip()[-1].isalnum()


def query(connection: sqlite3.Connection, words: list[str], is_open: bool) -> list[str]:
    """Return words as terms of FTS5, each in quotes."""
    quotes = [f'"{word}"' for word in words]
    return [*quotes[:-1], _beginning_with(connection, words[-1])] if is_open else quotes


def _beginning_with(connection: sqlite3.Connection, word: str) -> str:
    """Return the term for what begins with a word.

    Where these are few, they are named: left to find them, FTS5 first gathers all rows of all of them.
    """
    found: list[tuple[str]] = []
    if len(word) > PREFIX:  # one with accents finds nothing here, and is left to FTS5
        sql = "SELECT term FROM vocabulary WHERE term >= ? AND term < ? LIMIT ?"
        found = connection.execute(sql, (word.lower(), f"{word.lower()}\U0010ffff", _FEW_WORDS + 1)).fetchall()
    if 0 < len(found) <= _FEW_WORDS:
        return " OR ".join(f'"{term}"' for (term,) in found)
    return f'"{word}"*'


def _plain(text: str) -> str:
    """Return text with letter and accent as one sign; an accent that has no such sign is left out, as in the index."""
    composed = unicodedata.normalize("NFC", text)
    return "".join(letter for letter in composed if not "\u0300" <= letter <= "\u036f")
