"""A warm Spark: a local Connect server that outlives the runs which use it (`medallion up`)."""
