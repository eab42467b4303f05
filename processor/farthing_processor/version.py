"""Version: that of the distribution, and of the instrumentation scope that it reports under."""

from __future__ import annotations

from typing import Final

VERSION: Final = "0.1.0"
