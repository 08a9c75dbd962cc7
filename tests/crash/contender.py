"""A process that commits to a Delta log beside others of its kind, through Delta's own log store.

``python -m tests.crash.contender <project> <folder> <name> <commits> <milliseconds> <lock: yes or no> <overrides>``
notes each commit that was acknowledged in ``<folder>/acked``. The gap between the store's look whether a version is
there and its rename is real; so that it need not be waited for by chance, each stays in it some milliseconds, as it
would on a machine that is busy.
"""

import sys
import time
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

from py4j.protocol import Py4JJavaError  # type: ignore[import-untyped]

from medallion import conf as conf_door
from medallion import lock
from tests.crash import ledger

PIPELINE, TABLE = "contended", "contended.silver.numbers"
_FILE_SYSTEM = """
package medallion;
import java.net.URI;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.*;
public class Hesitant extends DelegateToFileSystem {
    public static class Raw extends RawLocalFileSystem {
        public boolean rename(Path from, Path to) throws java.io.IOException {
            try { Thread.sleep(%s); } catch (InterruptedException error) { throw new RuntimeException(error); }
            return super.rename(from, to);
        }
    }
    public Hesitant(URI uri, Configuration conf) throws java.io.IOException, java.net.URISyntaxException {
        super(uri, new Raw(), conf, "file", false);
    }
}
"""


class Store:
    """Delta's log store for local folders, in a JVM of this process's own."""

    def __init__(self, milliseconds: int) -> None:
        from pyspark.java_gateway import launch_gateway

        self._jvm: Any = launch_gateway().jvm
        compiler = self._jvm.org.codehaus.janino.SimpleCompiler()
        compiler.cook(_FILE_SYSTEM % milliseconds)
        self._conf = self._jvm.org.apache.hadoop.conf.Configuration()
        self._conf.setClassLoader(compiler.getClassLoader())
        self._conf.set("fs.AbstractFileSystem.file.impl", "medallion.Hesitant")
        self._store = self._jvm.io.delta.storage.HDFSLogStore(self._conf)

    def write(self, path: Path, line: str) -> bool:
        """Write a log entry; False where the store says that it is there already."""
        lines = self._jvm.java.util.ArrayList()
        lines.add(line)
        try:
            self._store.write(self._jvm.org.apache.hadoop.fs.Path(str(path)), lines.iterator(), False, self._conf)
        except Py4JJavaError as error:
            if "FileAlreadyExists" in str(error.java_exception):
                return False
            raise
        return True


def main(project: str, folder: str, name: str, commits: str, milliseconds: str, locked: str, *overrides: str) -> None:
    """Commit so many times, one after another."""
    conf = conf_door.load(PIPELINE, [*overrides, "runtime.on_locked=wait"], Path(project))
    place, store = Path(folder), Store(int(milliseconds))
    (place / f"{name}.ready").touch()
    while not (place / "go").exists():
        time.sleep(0.001)
    for number in range(int(commits)):
        line, done = f'{{"commit": "{name}-{number}"}}', False
        while not done:
            alone: AbstractContextManager[None] = lock.writing(conf, TABLE, name) if locked == "yes" else nullcontext()
            with alone:
                version = len(list((place / "log").glob("*.json")))
                done = store.write(place / "log" / f"{version:020}.json", line)
        ledger.note(place / "acked", "acked", "log", line)


if __name__ == "__main__":
    main(*sys.argv[1:])
