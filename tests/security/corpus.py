"""Strings that mean something to one interpreter or another, and nothing to this project: they are data.

Those that would do something if they were run leave a file whose name begins with MARKER.
"""

from collections.abc import Mapping

MARKER = "injected-by-corpus"
LONG = 3000

QUOTES = (
    "'", '"', "`", "''", '""', "``", "\\", "\\'", '\\"', "'\"`", "a'b", 'a"b', "a`b", "it's", "\\\\", "\\n", "'''",
    '"""', "\u2018\u2019“”", "\u00b4", "«»",
)  # fmt: skip
SQL = (
    "'; --", "' OR '1'='1", '" OR ""="', "1; DROP TABLE rows", "'; DROP TABLE rows; --", '"; DROP TABLE rows; --',
    "`; DROP TABLE rows; --", "x`) AS t; --", "a') UNION SELECT 1 --", "/* comment */", "a /* b", "-- x", "#x", ";",
    "a;b", "NULL", "null", "TRUE", "*", "t.*", "count(*)", "%", "_", "a%b", "(SELECT 1)", "$1", ":a", "?", "a AS b",
    f"'; COPY (SELECT 1) TO PROGRAM 'touch {MARKER}-copy'; --", "'; ATTACH 'attached.db' AS a; --",
    "CAST(1 AS INT)", "x' COLLATE NOCASE --", "pg_sleep(9)", "1e309", "0x41", "E'\\x41'",
)  # fmt: skip
SHELL = (
    f"$(touch {MARKER}-sub)", f"`touch {MARKER}-tick`", f"; touch {MARKER}-semi", f"| touch {MARKER}-pipe",
    f"&& touch {MARKER}-and", f"\ntouch {MARKER}-line\n", "$HOME", "${HOME}", "~root", "${IFS}", "!!", "$((1+1))",
    "{a,b}", "a&b", "> out", "< in", "-rf", "--help", "-", "--", "--json=", "@argfile",
)  # fmt: skip
TEMPLATES = (
    "{{ 7 * 7 }}", "{% raw %}", "{{ self.__init__.__globals__ }}", "{# x #}", "${7*7}", "#{7*7}", "<%= 7*7 %>",
    "{0}", "{}", "{0.__class__}", "{0.__class__.__init__.__globals__}", "{conf}", "{name!r}", "%s", "%d", "%n",
    "%(a)s", "%%", "%99999d", "$name", "${name}", "$$", "[[ 7 * 7 ]]", "{{", "}}", "{", "}", "\\g<0>", "\\1",
    "(?i)", "(a+)+$", "[", ".*", "^$", "a|b", "${env:HOME}", "${jndi:ldap://127.0.0.1/a}",
    "${spark.sql.warehouse.dir}",
)  # fmt: skip
CONTROL = (
    "a\0b", "\0", "a\nb", "a\r\nb", "a\rb", "a\tb", "\x01", "\x07", "a\x08b", "\x0b", "\x0c", "\x1b", "\x7f",
    "\x85", "\x9b31m", "a\u2028b", "a\u2029b", "\ufeff", "\ufffd", " ", "  a  ", "\u3000", "\u00a0",
)  # fmt: skip
ANSI = (
    "\x1b[31mred\x1b[0m", "\x1b[2J", "\x1b]0;title\x07", "\x1b]8;;http://example.invalid\x1b\\link\x1b]8;;\x1b\\",
    "\x1b[1A\x1b[2K", "\x1b[6n", "\x1bP$q\x1b\\", "\x1bc", "a\rb\x1b[K",
)  # fmt: skip
MARKUP = (
    "[red]", "[red]x[/red]", "[/]", "[link=http://example.invalid]x[/link]", "[bold", "\\[red]",
    "[@click=app.quit]x", ":bomb:", "**x**", "_x_", "# x", "> x", "![x](http://example.invalid/x.png)",
    "[x](javascript:alert(1))", "| a | b |", "```", "<http://example.invalid>", "~~x~~", "&lt;", "a\\|b",
)  # fmt: skip
PAGE = (
    "<script>alert(1)</script>", "<img src=x onerror=alert(1)>", '"><script>alert(1)</script>',
    "'><svg onload=alert(1)>", "javascript:alert(1)", "</title><script>", "<!--", "-->", "<![CDATA[", "&", "&#60;",
    "<a href='//example.invalid'>", '" autofocus onfocus=alert(1) x="', "<style>*{}</style>",
    "<iframe src=//example.invalid>", "</textarea>", "<",
)  # fmt: skip
UNICODE = (
    "é", "e\u0301", "\uff21", "ß", "İ", "\u0131", "\u202eexe.txt", "\u2066a\u2069", "a\u200bb", "a\u200db",
    "a\u2060b", "\u200f", "\u0440\u0430ypal", "\u03bfrders", "\U0001d41a", "😀", "👩\u200d🚀", "﷽",
    "a\u0300\u0301\u0302\u0303", "\U0010ffff", "\ue000", "ﬁ", "\uff11", "日本語",
)  # fmt: skip
PATHS = (
    "../x", "../../../../etc/passwd", "..", ".", "/etc/passwd", "//etc/passwd", "~/x", "%2e%2e%2fx", "%2e%2e",
    "..%2fx", "..\\x", "C:\\x", "C:x", "\\\\host\\share", "file:///etc/passwd", "a/../../b", "a//b", ".hidden",
    "a.b.c", "a b", "x.", "CON", "nul.txt", "aux", "a:b", "a<b", "....//x", "/dev/zero", "/proc/self/environ",
    "\u2215etc\u2215passwd",
)  # fmt: skip
KEYS = (
    "__proto__", "constructor", "__class__", "__init__", "toString", "_place", "_record_id", "_deleted", "rowid",
    "rank", "payload", "fields", "select", "a.b", "a[0]", "a['b']", "$.a", "$", "$['a']",
)  # fmt: skip
YAML = (
    "!!python/object/apply:os.system ['true']", f"!!python/object/apply:os.system ['touch {MARKER}-yaml']", "&a",
    "*a", "<<", "!x", "a: b", "- a", "{a: b}", "[a]", "| a", "yes", "1_000", "0b_", "~", ": ", "? a", "--- a", "'a",
    '"a',
)  # fmt: skip
HUGE = ("a" * LONG, "'" * 300, "{" * 300, "[" * 300, "\u0301" * 300, "9" * 400, "-" * 300)

GROUPS: Mapping[str, tuple[str, ...]] = {
    "quotes": QUOTES,
    "sql": SQL,
    "shell": SHELL,
    "templates": TEMPLATES,
    "control": CONTROL,
    "ansi": ANSI,
    "markup": MARKUP,
    "page": PAGE,
    "unicode": UNICODE,
    "paths": PATHS,
    "keys": KEYS,
    "yaml": YAML,
    "huge": HUGE,
}
STRINGS: tuple[str, ...] = tuple(dict.fromkeys(one for group in GROUPS.values() for one in group))


def utf8(text: str) -> bool:
    """Tell whether text can be written as UTF-8."""
    return not any("\ud800" <= letter <= "\udfff" for letter in text)
