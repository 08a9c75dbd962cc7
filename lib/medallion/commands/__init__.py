"""The commands: each reads its arguments, has the work done elsewhere, and returns an exit code."""

from medallion.commands import again, audit, cache, docs, feed, look, maintain, new, spark, trace, work
from medallion.commands.app import app

__all__ = ["again", "app", "audit", "cache", "docs", "feed", "look", "maintain", "new", "spark", "trace", "work"]
