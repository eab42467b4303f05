"""Where the store is: as the command line says, the settings, or the platform."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from farthing_dashboards.store import Store, StoreError, open_for_reading
from farthing_processor import settings

_MIB = 1024 * 1024


def place(given: str | None) -> Path:
    """The store's file: ``given``, else ``FARTHING_STORE``, else `default_place`."""
    chosen = given or settings.load()[0].store
    return Path(chosen).expanduser() if chosen else default_place()


def default_place() -> Path:
    """``telemetry.db`` in farthing's folder of the user's data, by the rules of the platform."""
    home = os.path.expanduser("~")
    if sys.platform == "win32":
        folder = os.environ.get("LOCALAPPDATA") or os.path.join(home, "AppData", "Local")
    elif sys.platform == "darwin":
        folder = os.path.join(home, "Library", "Application Support")
    else:
        folder = os.environ.get("XDG_DATA_HOME") or os.path.join(home, ".local", "share")
    return Path(folder, "farthing", "telemetry.db")


def opened(path: Path) -> Store:
    """The store at ``path``, made where there is none. Raises `StoreError`."""
    chosen, problems = settings.load()
    for problem in problems:
        sys.stderr.write(f"farthing: {problem}\n")
    return Store(path, keep_days=chosen.store_days, max_bytes=int(chosen.store_max_mb * _MIB))


def state() -> tuple[bool, str]:
    """Whether all is well with the store, and one sentence on it."""
    path = place(None)
    if not path.exists():
        return True, f"There is no store at {path} yet: farthing run makes it."
    try:
        with open_for_reading(path):
            return True, f"The store {path} has {path.stat().st_size / _MIB:,.1f} MiB."
    except (StoreError, OSError) as fault:
        return False, str(fault)
