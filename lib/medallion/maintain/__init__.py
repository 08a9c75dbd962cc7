"""Maintenance: small files are written anew as few, and what nobody needs any more is removed; nothing else is.

- `runpins`: the runs that people asked to keep, whatever else conf says;
- `needs`: the oldest version of each table that has to stay, and for whom;
- `layout`: whether a table's files are worth to be written anew;
- `sweep`: files and log entries that no version needs;
- `expire`: rows of bronze that are older than its layer keeps them, and deliveries of landing;
- `forecast`: all of that for a pipeline, from logs and folders alone; `work` does it.
"""
