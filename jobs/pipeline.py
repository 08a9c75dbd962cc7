"""Run a pipeline, or one layer of it, by spark-submit: ``jobs/pipeline.py shop [silver] [overrides ...]``."""

import sys
from pathlib import Path

from medallion import graph, job


def main(arguments: list[str]) -> int:
    """Return the exit code of running what the arguments name."""
    if not arguments:
        sys.stderr.write(f"{__doc__}\n")
        return 2
    pipeline, *rest = arguments
    layer = rest.pop(0) if rest and rest[0] in graph.LAYERS else None
    return job.submit(pipeline, rest, project=Path(__file__).resolve().parents[1], layer=layer)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
