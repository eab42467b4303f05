"""No test sees the price table that a developer keeps."""

from __future__ import annotations

import os

# Subprocesses too: it is nowhere on any machine.
os.environ["XDG_CACHE_HOME"] = os.devnull
