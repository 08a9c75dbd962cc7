"""A static site that explains every table: what it holds, where it comes from, and whether to trust it today."""
