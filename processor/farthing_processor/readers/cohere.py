"""Reader of Cohere's billed units: chat, embeddings and rerank, versions 1 and 2.

Shapes: `Usage` and `ApiMeta` of cohere 7.3, whose counts are floats.
"""

from __future__ import annotations

from farthing_processor.readers.values import Fields, count_in, fields, unpriced
from farthing_processor.usage import Usage, fitted, joined

_FEES = {"classifications": "classifications", "images": "images", "pages": "pages"}


def cohere_usage(body: object) -> Usage | None:
    """Any answer with ``billed_units``, or the event that ends a stream (``message-end``).

    Those are the bill, and ``tokens``, which count a preamble too, are not
    (https://github.com/open-telemetry/semantic-conventions-genai/issues/211). What hit the cache
    is counted of the latter, so that no more of it than was billed is taken. Search units are in
    `Usage.file_searches`.
    """
    usage = _usage_of(fields(body))
    units = fields(usage.get("billed_units"))
    if not units:
        return None
    faults: list[str] = []
    inp = count_in(units, "input_tokens", faults)
    out = count_in(units, "output_tokens", faults)
    text = count_in(units, "text_tokens", faults)
    image = count_in(units, "image_tokens", faults) or 0
    if image and inp != (text or 0) + image:
        if inp is not None and text is None:
            faults.append("input_tokens beside image_tokens")
        inp = (inp if text is None else text) or 0
        inp += image
    cached = count_in(usage, "cached_tokens", faults) or 0
    searches = count_in(units, "search_units", faults) or 0
    fees = [what for name, what in _FEES.items() if count_in(units, name, faults)]
    if image:  # they have a price of their own, which the pack does not have
        fees.append("image tokens")
    return fitted(
        Usage(
            text if inp is None else inp,
            out,
            min(cached, inp or 0),
            input_image_tokens=image,
            file_searches=searches,
            also=tuple(unpriced(what) for what in fees),
            problem=joined(*faults),
        )
    )


def _usage_of(response: Fields) -> Fields:
    """``usage`` of an answer or of what an event carries; in version 1 and for embeddings, meta."""
    for owner in (response, fields(response.get("delta")), fields(response.get("response"))):
        if usage := fields(owner.get("usage")) or fields(owner.get("meta")):
            return usage
    return {}
