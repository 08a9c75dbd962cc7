"""Find Chromium for the test that looks at Prefect's pages, or install Debian's where that can be done.

python scripts/chromium.py
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from setup_steps import SetupError, run, say, step

NAMES = ("chromium", "chromium-browser", "google-chrome")
HINT = "install Chromium yourself, as by: sudo apt-get install chromium"


def provide_chromium() -> Path:
    """Return the Chromium of this machine, after installing it where there is none.

    Raises:
        SetupError: There is none, and it cannot be had: no root, no apt, no network.
    """
    found = find()
    if found is None:
        install()
        found = find()
    if found is None:
        raise SetupError(f"no Chromium in PATH; {HINT}")
    return found


def find() -> Path | None:
    """Return the Chromium that is in PATH and starts."""
    for name in NAMES:
        path = shutil.which(name)
        if path and subprocess.run([path, "--version"], capture_output=True, check=False).returncode == 0:
            return Path(path)
    return None


def install() -> None:
    """Install Debian's package by apt, with a font; raise SetupError where this user or machine cannot."""
    if shutil.which("apt-get") is None or os.geteuid() != 0:
        raise SetupError(f"no Chromium in PATH, and only root on Debian or Ubuntu can have it installed; {HINT}")
    quiet = {"DEBIAN_FRONTEND": "noninteractive"}
    packages = ["chromium", "fonts-dejavu-core"]
    with step("Chromium, by apt"):
        run(["apt-get", "update"], HINT, **quiet)
        run(["apt-get", "install", "--yes", "--no-install-recommends", *packages], HINT, **quiet)


if __name__ == "__main__":
    try:
        say(f"setup: Chromium is {provide_chromium()}")
    except SetupError as error:
        sys.exit(f"setup: {error}")
