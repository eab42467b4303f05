"""The embedded store: telemetry in one SQLite file, and the sums that the page reads."""
