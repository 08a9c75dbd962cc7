"""What the command line shows of a pipeline: facts first, which `--json` prints, then how they look."""
