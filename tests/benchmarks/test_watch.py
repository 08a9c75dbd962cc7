import subprocess
import sys
import time

import pytest

from benchmarks.watch import Watch

# A child of a child that works, and holds 200 MB, for two seconds.
BUSY = """
import time
held = bytearray(200 * 2**20)
for place in range(0, len(held), 4096):
    held[place] = 1
end = time.monotonic() + 2
while time.monotonic() < end:
    pass
"""
PARENT = "import subprocess, sys; subprocess.run([sys.executable, '-c', sys.argv[1]])"


@pytest.mark.slow
def test_memory_and_processor_time_of_all_descendants_count() -> None:
    started = time.monotonic()
    process = subprocess.Popen([sys.executable, "-c", PARENT, BUSY])
    watch = Watch([process.pid])
    process.wait()
    watch.close()
    ended = time.monotonic()

    assert 200 * 2**20 < watch.peak_bytes(started, ended) < 400 * 2**20
    assert 0.2 < watch.cpu_seconds(started, ended) < 5
    assert watch.peak_bytes(ended, ended + 1) == 0
