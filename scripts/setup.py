"""Make this checkout's environment in .venv: Python packages from a lock file, Java for Spark with an archive of
its classes, Delta's JARs.

Needs nothing but Python 3.11 and a network. A second call finds the stamp that the first one left and
does nothing; a call after a failed one continues where that one stopped.
"""

import argparse
import hashlib
import os
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from setup_classes import provide_classes
from setup_java import JAVA_LOCK, provide_java
from setup_steps import PYTHON, ROOT, SITE_PACKAGES, VENV, SetupError, pip_install, run, say, step

DELTA_JARS = ("io.delta_*.jar", "io.unitycatalog_*.jar")


def main(arguments: Sequence[str] | None = None) -> None:
    """Make or complete the environment, or end at once where the stamp says that it stands."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lock", default="requirements-dev.lock", help="lock file to install (%(default)s)")
    lock = ROOT / parser.parse_args(arguments).lock
    stamp = VENV / f"{lock.stem}.stamp"
    try:
        check_python(sys.version_info[:2])
        check_place(VENV)
        wanted = fingerprint(lock)
        if not is_stamped(stamp, wanted):
            stamp.unlink(missing_ok=True)
            java = make_environment(lock)
            stamp.write_text(f"{wanted}\n{java}\n")
    except SetupError as error:
        sys.exit(f"setup: {error}")


def check_python(version: tuple[int, ...]) -> None:
    """Raise SetupError unless the running Python is one that the lock files were made for."""
    if version != PYTHON:
        found, wanted = (".".join(map(str, numbers)) for numbers in (version, PYTHON))
        raise SetupError(f"this is Python {found}, wanted {wanted}; name one: make PYTHON=/path/to/python")


def check_place(venv: Path) -> None:
    """Raise SetupError where the environment's place is a link: making it anew would empty what it points to."""
    if venv.is_symlink():
        raise SetupError(f"{venv} is a link to {venv.readlink()}, wanted a folder of its own: remove the link")


def fingerprint(lock: Path) -> str:
    """Return what identifies an environment: the contents it is made from, its place and its Python."""
    if not lock.is_file():
        raise SetupError(f"no lock file {lock.name} in {ROOT}")
    digest = hashlib.sha256(f"{VENV}\n{sys.base_prefix}\n{sys.version}\n".encode())
    programs = sorted(Path(__file__).parent.glob("setup*.py"))
    for file in (lock, JAVA_LOCK, ROOT / "setup.cfg", *programs):
        digest.update(hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()


def is_stamped(stamp: Path, wanted: str) -> bool:
    """Return whether the stamp is of the wanted environment, and the Java it names is still there."""
    if not stamp.is_file():
        return False
    found, _, java = stamp.read_text().strip().partition("\n")
    return found == wanted and Path(java).is_file()


def make_environment(lock: Path) -> Path:
    """Take every step that is not done yet; return the java that Spark will use."""
    started = time.monotonic()
    if not is_usable(VENV):
        with step("virtual environment in .venv"):
            run([sys.executable, "-m", "venv", "--clear", str(VENV)], "install Python's venv and ensurepip")
    with step(f"Python packages from {lock.name} (minutes, the first time)"):
        # As constraints too: older pips see a pin of `name` for `name[extra]` only there.
        pip_install("--require-hashes", "-r", str(lock), "-c", str(lock))
    with step("this project, editable"):
        pip_install("--no-deps", "--editable", str(ROOT))
    java = provide_java(os.environ)
    say(f"setup: Spark will use {java}")
    provide_jars(delta_package(lock.read_text()), SITE_PACKAGES / "pyspark")
    provide_classes(java)
    say(f"setup: done in {time.monotonic() - started:.0f} s")
    return java


def is_usable(venv: Path) -> bool:
    """Return whether the virtual environment was made in this very place, for this Python.

    A moved one still starts, but its scripts and the project in it point to the old place.
    """
    config = venv / "pyvenv.cfg"
    if not (config.is_file() and (venv / "bin" / "python").exists()):
        return False
    version = rf"^version = {PYTHON[0]}\.{PYTHON[1]}\."
    command = rf"^command = .* {re.escape(str(venv))}$"
    text = config.read_text()
    return all(re.search(wanted, text, re.MULTILINE) for wanted in (version, command))


def provide_jars(package: str, spark: Path) -> None:
    """Put Delta's JARs among Spark's own: each way to start Spark then has them, nothing to configure."""
    if (spark / "jars" / jar_name(package)).is_file():
        return
    with step(f"JARs of {package}"), tempfile.TemporaryDirectory() as ivy:
        fetch_jars(package, spark, Path(ivy))
        replace_jars(Path(ivy) / "jars", spark / "jars", last=jar_name(package))


def delta_package(lock: str) -> str:
    """Return the Maven coordinate of Delta that belongs to the pyspark and delta-spark in a lock file."""
    versions = dict(re.findall(r"^(pyspark|delta-spark)==([\w.]+)", lock, re.MULTILINE))
    spark = ".".join(versions["pyspark"].split(".")[:2])
    return f"io.delta:delta-spark_{spark}_2.13:{versions['delta-spark']}"


def jar_name(package: str) -> str:
    """Return the file name that Ivy gives to the JAR of a coordinate."""
    group, artifact, version = package.split(":")
    return f"{group}_{artifact}-{version}.jar"


def fetch_jars(package: str, spark: Path, ivy: Path) -> None:
    """Let Spark resolve the package into a fresh Ivy folder, since an old one mixes versions."""
    script = ivy / "nothing.py"
    script.touch()
    # Spark also asks a repository that does not have Delta; that fails without harm, hence the quiet.
    submit = [str(spark / "bin" / "spark-submit"), "--master", "local[1]", "--packages", package]
    run(
        [*submit, "--conf", f"spark.jars.ivy={ivy}", str(script)],
        "check the network as Java sees it (JAVA_TOOL_OPTIONS for a proxy or certificates, "
        "DEFAULT_ARTIFACT_REPOSITORY for a mirror)",
        SPARK_HOME=str(spark),
        SPARK_LOCAL_IP="127.0.0.1",
        PYSPARK_PYTHON=str(VENV / "bin" / "python"),
    )


def replace_jars(fetched: Path, jars: Path, last: str) -> None:
    """Copy Delta's JARs in place of those of another version; `last` stands only once all others do."""
    for old in (jar for pattern in DELTA_JARS for jar in jars.glob(pattern)):
        old.unlink()
    new = [jar for pattern in DELTA_JARS for jar in fetched.glob(pattern)]
    for jar in sorted(new, key=lambda jar: jar.name == last):
        part = jars / f"{jar.name}.part"
        shutil.copyfile(jar, part)
        part.replace(jars / jar.name)


if __name__ == "__main__":
    main()
