"""Model ids that say who serves the model: ids of a form that is one provider's alone.

A bare name says nothing: ``gpt-4.1`` is OpenAI's and Azure's, ``claude-haiku-4-5`` is sold in four
places. An ARN, a region before a vendor, or the path of a publisher is an address.
"""

from __future__ import annotations

import re
from typing import Final

_FORMS: Final = (
    (
        # https://docs.aws.amazon.com/bedrock/latest/userguide/models-supported.html: only a name
        # with a version is Bedrock's alone, but for the vendors that nobody else writes so.
        re.compile(
            r"arn:aws[a-z-]*:bedrock:"
            r"|(?:[a-z]{2,6}(?:-gov)?\.)?(?:amazon|anthropic)\.[a-z]"
            r"|(?:[a-z]{2,6}(?:-gov)?\.)?[a-z0-9]{2,16}\.[a-z0-9.-]{2,80}:\d+(?::|$)"
        ),
        "aws.bedrock",
    ),
    (
        # https://cloud.google.com/vertex-ai/generative-ai/docs/partner-models/claude
        re.compile(r"(?:projects/[^/]+/locations/[^/]+/)?publishers/|claude-[a-z0-9.-]+@"),
        "gcp.vertex_ai",
    ),
)

MAX_ID: Final = 256


def provider_of_id(model: object) -> str | None:
    """The provider whose id it must be; None where that is not certain."""
    if isinstance(model, str) and len(model) <= MAX_ID:
        for form, provider in _FORMS:
            if form.match(model):
                return provider
    return None
