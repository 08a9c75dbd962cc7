"""Syntax trees of the project's own code, for one thread at a time."""

import ast
import threading

_PARSING = threading.Lock()


def parse(code: str) -> ast.Module:
    """Return the syntax tree of a module's code; raises SyntaxError.

    Python 3.11 counts its depth for all threads together: two at once, with a collection of garbage between, are a
    SystemError "AST constructor recursion depth mismatch" (CPython's issue 106905).
    """
    with _PARSING:
        return ast.parse(code)
