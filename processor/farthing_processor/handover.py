"""What ``farthing run`` tells the programs that it starts: variables of their environment.

They are no settings of anybody's: a program that is started otherwise has none of them.
"""

from __future__ import annotations

from typing import Final

ENDPOINT: Final = "FARTHING_RUN_ENDPOINT"
"""Where everything is sent to as well, by OTLP/HTTP: a URL without a path."""
SERVICE: Final = "FARTHING_RUN_SERVICE"
"""The name of the service, where the user has set none and sends nothing elsewhere."""
REPORT: Final = "FARTHING_RUN_REPORT"
"""A file to which each Python adds a line: its path, a tab, and one of the states below."""

READY: Final = "ready"
"""Calls are recorded and sent."""
MISSING: Final = "missing"
"""There is no farthing, or one that cannot send."""
OFF: Final = "off"
"""There is one, and it sends nothing: it is turned off, or could not be set up."""
