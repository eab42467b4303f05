"""Client libraries: one short file each, a table of what can be called and how to read it."""

from __future__ import annotations

from typing import Final

from farthing.providers import anthropic, openai

LIBRARIES: Final = (openai.LIBRARY, anthropic.LIBRARY)
"""Every client library that farthing instruments."""
