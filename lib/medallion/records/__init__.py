"""Deliveries as records: one row a payload, exactly as received, with its place and what is wrong with it."""

from medallion.records.batch import Batch, read
from medallion.records.file import records
from medallion.records.record import Record

__all__ = ["Batch", "Record", "read", "records"]
