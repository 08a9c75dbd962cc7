"""Build dist/medallion-<version>.zip, what `spark-submit --py-files` takes: engine, jobs and conf of this checkout.

The same sources give the same bytes, on any machine.
"""

import argparse
import io
import json
import os
import sys
import zipfile
from collections.abc import Mapping, Sequence
from configparser import ConfigParser
from pathlib import Path, PurePosixPath

from medallion.archive import MANIFEST, digest, sources

ROOT = Path(__file__).resolve().parent.parent
_EARLIEST = (1980, 1, 1, 0, 0, 0)  # that a zip can say


def main(arguments: Sequence[str] | None = None) -> int:
    """Build the archive and say where it is."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=ROOT / "dist", help="where to put it (dist)")
    made = build(ROOT, parser.parse_args(arguments).folder)
    print(made)
    return 0


def build(project: Path, folder: Path) -> Path:
    """Write the archive of a project to a folder, whole or not at all, and return its path."""
    number = version()
    contents = sources(project)
    manifest = {"version": number, "digest": digest(contents)}
    contents[MANIFEST] = f"{json.dumps(manifest, indent=2)}\n".encode()
    folder.mkdir(parents=True, exist_ok=True)
    made = folder / f"medallion-{number}.zip"
    part = made.with_suffix(f".{os.getpid()}.part")
    part.write_bytes(zipped(contents))
    part.replace(made)
    return made


def version() -> str:
    """Return the project's version, from the one place that says it."""
    setup = ConfigParser()
    setup.read(ROOT / "setup.cfg")
    return setup["metadata"]["version"]


def zipped(contents: Mapping[str, bytes]) -> bytes:
    """Return files as a zip: in order, without times, not compressed, since compressors differ in their bytes.

    Folders have entries of their own, or Python would not find a package without __init__.py in it.
    """
    parents = {f"{parent}/" for name in contents for parent in PurePosixPath(name).parents if parent.name}
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name in sorted([*parents, *contents]):
            entry = zipfile.ZipInfo(name, _EARLIEST)
            entry.create_system = 3  # Unix, whatever built it
            entry.external_attr = (0o40755 << 16 | 0x10) if name.endswith("/") else 0o100644 << 16
            archive.writestr(entry, contents.get(name, b""))
    return buffer.getvalue()


if __name__ == "__main__":
    sys.exit(main())
