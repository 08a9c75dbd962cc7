"""What the tests of spark-submit share: calling it, a Python that has no checkout, and lakes to run on."""

import os
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

from medallion import conf
from medallion.conf import Conf

PROJECT = Path(__file__).resolve().parents[2]
LAYERS = ("landing", "bronze", "silver", "gold", "ops")
# Quick code for short runs, as conf/platform/dev.yaml has it; under spark-submit conf comes too late for the driver.
QUICK = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"


def submit(
    *arguments: str, cwd: Path = PROJECT, python: str = sys.executable, master: str = "local[2]", **variables: str
) -> tuple[int, str]:
    """Run spark-submit as from an activated environment; return its exit code and all that it said."""
    binaries = Path(sys.executable).parent
    options = ["--master", master, "--driver-memory", "1g", "--driver-java-options", QUICK]
    return call([str(binaries / "spark-submit"), *options, *arguments], cwd=cwd, PYSPARK_PYTHON=python, **variables)


def call(command: list[str], cwd: Path, **variables: str) -> tuple[int, str]:
    """Run a program; return its exit code and all that it said, on either stream."""
    binaries = Path(sys.executable).parent
    environment = {**os.environ, "PATH": f"{binaries}:{os.environ['PATH']}", "SPARK_LOCAL_IP": "127.0.0.1"} | variables
    done = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=800, check=False)
    return done.returncode, done.stdout + done.stderr


def bare_python(folder: Path) -> str:
    """Make a Python with the environment's packages, but without this project, and return its path."""
    venv.create(folder, symlinks=True)
    places = sysconfig.get_paths(vars={"base": str(folder), "platbase": str(folder)})
    packages = sysconfig.get_paths()["purelib"]
    Path(places["purelib"], "packages.pth").write_text(f"{packages}\n")  # its own .pth files are not read
    python = str(folder / "bin" / "python")
    code, told = call([python, "-c", "import pyspark, pydantic; import medallion"], cwd=folder)
    assert code == 1 and "No module named 'medallion'" in told, told
    return python


def roots(lake: Path) -> list[str]:
    """Return the overrides that put all layers below a folder."""
    return [f"storage.{layer}.root={lake / layer}" for layer in LAYERS]


def at(lake: Path, *overrides: str) -> Conf:
    """Return the shop's conf on a lake."""
    return conf.load("shop", [*roots(lake), *overrides], PROJECT)


def states(lake: Path) -> list[str]:
    """Return which tables there are, by their folders."""
    return sorted(str(log.parent.relative_to(lake)) for log in lake.rglob("_delta_log"))
