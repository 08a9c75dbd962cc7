"""The Java that Spark runs on: where it is found, and whether it will do."""

import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from medallion.errors import SetupError

TESTED = (17, 21, 25)  # what Spark 4.2 is made for; it is compiled for the first
_ANSWER_SECONDS = 30


def require(environment: Mapping[str, str]) -> Path:
    """Return the java that Spark will run on; raise SetupError where there is none, or one too old."""
    found = find(environment)
    if found is None:
        raise SetupError(f"Java: found none on PATH or in JAVA_HOME; wanted Java {_wanted()}: `make setup` brings one")
    release = release_of(found)
    if release is not None and release < TESTED[0]:
        raise SetupError(
            f"Java: found {release} at {found}; wanted {_wanted()}: set JAVA_HOME to one, or `make setup` brings one"
        )
    return found


def trouble(environment: Mapping[str, str]) -> str:
    """Return what may be wrong with Java where Spark did not start: a hint for the end of a message."""
    try:
        found = require(environment)
    except SetupError as error:
        return str(error)
    release = release_of(found)
    if release in TESTED:
        return f"Java {release} at {found} is one that Spark takes"
    return f"Java: found {release or 'one that does not tell its version'} at {found}; wanted {_wanted()}"


def find(environment: Mapping[str, str]) -> Path | None:
    """Return the java that Spark's scripts would start: the one that set-up brought, JAVA_HOME's, or PATH's."""
    brought = Path(sys.prefix, "java", "bin", "java")  # set-up also tells Spark so, by a file that Spark reads first
    if brought.exists():
        return brought
    home = environment.get("JAVA_HOME")
    found = Path(home, "bin", "java") if home else Path(shutil.which("java", path=environment.get("PATH")) or "none")
    return found if found.exists() else None


def release_of(java: Path) -> int | None:
    """Return the feature release of a java, such as 17; None where it does not tell."""
    try:
        answer = subprocess.run(
            [java, "-version"], capture_output=True, text=True, timeout=_ANSWER_SECONDS, check=False
        ).stderr
    except (OSError, subprocess.TimeoutExpired):
        return None
    found = re.search(r'version "(?:1\.)?(\d+)', answer)
    return int(found[1]) if found else None


def _wanted() -> str:
    return f"{', '.join(map(str, TESTED[:-1]))} or {TESTED[-1]}"
