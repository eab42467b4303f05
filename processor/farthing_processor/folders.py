"""Where files of ours are kept among the user's own, by the rules of the platform."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final, Literal

Kind = Literal["cache", "data"]
"""What can be made or fetched again, and what cannot."""

_WINDOWS: Final = ("LOCALAPPDATA", "AppData/Local")
_FOLDERS: Final[Mapping[str, Mapping[Kind, tuple[str | None, str]]]] = {
    "win32": {"cache": _WINDOWS, "data": _WINDOWS},
    "darwin": {"cache": (None, "Library/Caches"), "data": (None, "Library/Application Support")},
    "": {"cache": ("XDG_CACHE_HOME", ".cache"), "data": ("XDG_DATA_HOME", ".local/share")},
}
"""By platform: the variable that names the folder, and where it is below the home folder without
one. What is on no other platform is as on Linux."""


def folder(kind: Kind) -> Path:
    """farthing's folder of this kind. It need not be there."""
    variable, below_home = _FOLDERS.get(sys.platform, _FOLDERS[""])[kind]
    named = os.environ.get(variable) if variable else None
    return Path(named or os.path.join(os.path.expanduser("~"), below_home), "farthing")
