"""The overlay: which of its rows (`overlay_rows`) are of a model, and which may not be in it.

Rows are applied over the pack when a card is compiled (`card`), so that they outlive a newer pack.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from functools import cache
from typing import Final
from urllib.parse import urlsplit

from farthing_processor.pricing.overlay_rows import ROWS, Row

VENDORS: Final[Mapping[str, tuple[str, ...]]] = {
    "openai": ("developers.openai.com", "platform.openai.com", "openai.com"),
    "anthropic": ("platform.claude.com", "docs.anthropic.com", "www.anthropic.com"),
    "google": ("cloud.google.com", "ai.google.dev", "platform.claude.com"),
    "deepseek": ("api-docs.deepseek.com",),
    "mistral": ("docs.mistral.ai", "mistral.ai"),
}
"""The hosts of each provider's own pages; Claude's on Google's platform are Anthropic's too."""


def check(rows: Iterable[Row]) -> None:
    """Raise `ValueError` for the first row that may not be in the overlay."""
    for row in rows:
        url = urlsplit(row.source)
        if url.scheme != "https" or url.hostname not in VENDORS.get(row.provider, ()):
            raise ValueError(
                f"The row of {row.provider} {row.models} has the source {row.source!r}: give an"
                " https page of the vendor's own (overlay.VENDORS)."
            )
        if not (row.says and (row.rates or row.times) and row.models.split()):
            raise ValueError(f"The row of {row.source} lacks its models, words or rates.")
        date.fromisoformat(row.read)


def rows_for(called: str, provider: str, model: str) -> tuple[Row, ...]:
    """The rows of a provider's model, all ids of the pack, where ``called`` serves it.

    What it costs in the standard setting is ``provider``'s to say, and other settings are those of
    whoever is called.
    """
    return tuple(
        row
        for row in _by_model().get(model, ())
        if row.provider == (called if row.of[0] else provider)
    )


def added(provider: str) -> tuple[str, ...]:
    """The models of a provider, by id, that the pack lacks."""
    return tuple(row.models for row in ROWS if row.new and row.provider == provider)


@cache
def _by_model() -> Mapping[str, tuple[Row, ...]]:
    found: dict[str, tuple[Row, ...]] = {}
    for row in ROWS:
        for model in row.models.split():
            found[model] = (*found.get(model, ()), row)
    return found
