"""Maintain a pipeline, or one table of it, by spark-submit: small files as few, what nobody needs any more removed.

For instance: jobs/maintain.py shop [--dry-run] [environment=prod ...]
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
    sys.exit(job.maintain(__file__, sys.argv[1:], str(__doc__)))
