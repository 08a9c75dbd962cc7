"""The engine: how tables are landed, curated, refreshed and judged. No pipeline is named here."""
