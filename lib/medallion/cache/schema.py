"""The tables inside a cache's file, as SQL."""

from medallion.cache import MARK, Definition
from medallion.cache.values import Stored
from medallion.query import quoted

# Where tokens are cut: letters and digits of any script, case and accents aside.
_TOKENS = "unicode61 remove_diacritics 2"
PREFIX = 3  # letters from which on the beginning of a word is looked for, at once
# Where in a row a word stands is left out: that would be three quarters of the whole file, and serves phrases only.
_DETAIL = "none"


def create(made: Definition) -> list[str]:
    """Return the statements that make a file's tables, empty ones."""
    statements = [
        "CREATE TABLE state (name TEXT PRIMARY KEY, value) WITHOUT ROWID",
        "CREATE TABLE filter_values (name TEXT, value, rows INTEGER, PRIMARY KEY (name, value)) WITHOUT ROWID",
        # Without a type, a column keeps each value as it was put: a number in a text stays a text.
        f"CREATE TABLE rows (_place INTEGER PRIMARY KEY, {quoted(list(made.columns))})",
        f"CREATE VIEW indexed AS SELECT {', '.join(['_place AS place', *_indexed(made)])} FROM rows",
    ]
    if has_words(made):
        statements.append(
            f"CREATE VIRTUAL TABLE words USING fts5({', '.join(word_columns(made))}, content='indexed', "
            f"content_rowid='place', tokenize='{_TOKENS}', prefix='{PREFIX}', detail={_DETAIL})"
        )
        statements.append("CREATE VIRTUAL TABLE vocabulary USING fts5vocab(words, 'row')")
    return statements


def indexes(made: Definition) -> list[str]:
    """Return the statements that index full tables; the key's says so if two rows have the same."""
    key, order = quoted(made.key), quoted([made.order_by])
    return [f"CREATE UNIQUE INDEX by_key ON rows ({key})", f"CREATE INDEX by_order ON rows ({order})"]


def has_words(made: Definition) -> bool:
    """Tell whether there is anything to search or filter by."""
    return bool(made.searched or made.filters)


def word_columns(made: Definition) -> list[str]:
    """Return the columns of the full-text index; by number, since FTS5 keeps some names to itself."""
    return [*(f"c{number}" for number in range(len(made.searched))), *(["f"] if made.filters else [])]


def filter_word(number: int, value: Stored) -> str:
    """Return the one word that stands for a value of the filter of that number; as SQL makes it in `indexed`."""
    text = "n" if value is None else str(value).encode().hex()
    return f"{MARK}{number}x{text}"


def _indexed(made: Definition) -> list[str]:
    parts = [f"{quoted([column])} AS c{number}" for number, column in enumerate(made.searched)]
    words = [
        f"char({ord(MARK)}) || '{number}x' || iif({quoted([column])} IS NULL, 'n', hex({quoted([column])}))"
        for number, column in enumerate(made.filters)
    ]
    return [*parts, *([" || ' ' || ".join(words) + " AS f"] if words else [])]
