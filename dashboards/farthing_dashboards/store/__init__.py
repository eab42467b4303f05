"""The embedded store: telemetry in one SQLite file, and the sums that the page reads."""

from __future__ import annotations

from farthing_dashboards.store.opening import StoreError
from farthing_dashboards.store.store import ReadStore, Store, open_for_reading

__all__ = ["ReadStore", "Store", "StoreError", "open_for_reading"]
