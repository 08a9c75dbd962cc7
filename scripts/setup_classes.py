"""The step of scripts/setup.py that makes a class archive: Spark's classes read once, mapped into memory ever after.

Java takes such an archive only with the class path it was made for, and for no folder that holds a file;
so Spark's conf folder is an empty one, unless somebody keeps settings in it. Where the archive does not
fit, Java starts without it.
"""

import os
import shlex
import tempfile
import time
from pathlib import Path

from setup_java import BROUGHT, HOME, SPARK_ENV
from setup_steps import ROOT, VENV, SetupError, run, say, step

ARCHIVE = VENV / "spark-classes.jsa"
EMPTY_CONF = VENV / "spark-conf"
WRITING_SECONDS = 120  # Java writes it when it ends, behind the back of the Python that used it
QUIET = "-Xlog:cds=off -Xlog:cds+dynamic=off"


def provide_classes(java: Path) -> None:
    """Make the archive for this java and have Spark's start scripts use it; without one Spark only starts later."""
    ARCHIVE.unlink(missing_ok=True)
    EMPTY_CONF.mkdir(exist_ok=True)
    SPARK_ENV.parent.mkdir(exist_ok=True)
    with SPARK_ENV.open("a") as script:
        script.write(use_of_archive(java))
    with step("class archive, from a small run (a minute, once)"):
        try:
            if java.parent.parent == HOME and BROUGHT.exists():  # it comes without an archive of its own to build on
                run([str(BROUGHT), "-Xshare:dump"], "nothing")
            make_archive()
        except SetupError as error:
            ARCHIVE.unlink(missing_ok=True)
            found = str(error).partition("\n\nWhat to do")[0]
            say(f"left out, {found.splitlines()[-1]}:", end=" ")


def use_of_archive(java: Path) -> str:
    """Return the lines of spark-env.sh that give the archive to this very java, where the user keeps no settings."""
    return f"""
java="${{JAVA_HOME:+$JAVA_HOME/bin/java}}"
if [ "$(readlink -f "${{java:-$(command -v java)}}")" = {shlex.quote(str(java.resolve()))} ] &&
    [ "$(ls "$SPARK_CONF_DIR")" = spark-env.sh ]; then
    SPARK_CONF_DIR={shlex.quote(str(EMPTY_CONF))}
    if [ -e {shlex.quote(str(ARCHIVE))} ]; then
        SPARK_SUBMIT_OPTS="-XX:SharedArchiveFile='{ARCHIVE}' -Xshare:auto {QUIET} ${{SPARK_SUBMIT_OPTS:-}}"
    fi
fi
"""


def make_archive() -> None:
    """Let the sample shop run on a few orders, and Java write down which classes that took."""
    python = str(VENV / "bin" / "python")
    with tempfile.TemporaryDirectory() as lake:
        run(
            [python, "-c", TRAINING, lake],
            "nothing",
            MEDALLION_HOME=str(ROOT),
            SPARK_SUBMIT_OPTS=f"-XX:ArchiveClassesAtExit='{ARCHIVE}' {QUIET}",
        )
        deadline = time.monotonic() + WRITING_SECONDS
        while not ARCHIVE.exists() or is_open(ARCHIVE):
            if time.monotonic() > deadline:
                raise SetupError("Java wrote none")
            time.sleep(0.5)


TRAINING = """
import sys
from medallion import conf, feed, run
from medallion.session import Sessions
layers = ("landing", "bronze", "silver", "gold", "ops")
loaded = conf.load("shop", ["environment=demo", *[f"storage.{layer}.root={sys.argv[1]}/{layer}" for layer in layers]])
sessions = Sessions(loaded)
for day in (0, 1):
    feed.sample(loaded, day, {"orders": 20})
    prepared = run.prepare(loaded)
    failed = [o.error for o in run.run_tables(prepared, sessions, list(prepared.tables)).outcomes if o.error]
    if failed:
        sys.exit(failed[0])
sessions.stop()
"""


def is_open(file: Path) -> bool:
    """Tell whether a process of this machine still has a file open, as far as that can be told."""
    for descriptor in Path("/proc").glob("[0-9]*/fd/*"):
        try:
            if os.readlink(descriptor) == str(file):
                return True
        except OSError:
            continue
    return False
