"""Run a pipeline, or one layer or table of it, by spark-submit.

For instance: jobs/pipeline.py shop [silver | --table silver.orders] [environment=prod ...]
"""

import sys

if __name__ == "__main__":
    try:
        from medallion import job
    except ImportError as error:
        found = f"{sys.executable} (Python {sys.version.split()[0]}) {error}"
        wanted = "a Python 3.11 with the packages of requirements.lock, and --py-files dist/medallion-<version>.zip"
        sys.stderr.write(f"the driver cannot start: {found}; wanted {wanted}\n")
        sys.exit(2)
    sys.exit(job.pipeline(__file__, sys.argv[1:], str(__doc__)))
