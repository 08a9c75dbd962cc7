"""A small project, `lab`, by hand; and a place of its own for each test to be run in."""

from tests.lib.conftest import filled, lab, readings, yard

__all__ = ["filled", "lab", "readings", "yard"]
