"""A run's log: the engine's lines beside Prefect's, and no stack trace where a message says it all."""

import logging
import os

from medallion.errors import LakehouseError


class _ForPeople(logging.Filter):
    """Leave out the stack trace of an error whose message is meant for a person, and that the error is unexpected."""

    def filter(self, record: logging.LogRecord) -> bool:
        if record.exc_info and isinstance(record.exc_info[1], LakehouseError):
            record.exc_info = None
            return not record.getMessage().startswith("Engine execution exited")
        return True


def tell_in_lines() -> None:
    """Set up this process's log; the engine's lines are told only where a server keeps them."""
    for name in ("prefect.flow_runs", "prefect.task_runs"):
        logging.getLogger(name).addFilter(_ForPeople())
    if "PREFECT_API_URL" in os.environ:
        logging.getLogger("medallion").setLevel(logging.INFO)


def quieten() -> None:
    """Tell of no step any more: the run is being cut off, and what fails from now on fails of that."""
    for name in ("medallion", "prefect.task_runs"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
