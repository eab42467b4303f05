"""Facts: what is known of one call, whoever observed it."""

from __future__ import annotations

from typing import NamedTuple

from farthing_processor.prompts import Fingerprint
from farthing_processor.usage import Usage


class Facts(NamedTuple):
    """One finished call to a model, its client's own retries included. Immutable.

    Instrumentations make it from what they saw, dialects from a span's attributes; `assess` needs
    nothing else.
    """

    provider: str
    """``gen_ai.provider.name``: who served the call, by its host. ``_OTHER`` when unknown."""
    request_model: str | None
    response_model: str | None = None
    server_address: str | None = None
    operation: str = "chat"
    """``gen_ai.operation.name``."""
    usage: Usage | None = None
    """None when the provider said nothing of usage."""
    start_ns: int = 0
    """When the call began, nanoseconds since the epoch: prices are those of this moment."""
    duration_s: float | None = 0.0
    """None where it says nothing, as of the result of a batch: it is not recorded then."""
    stream: bool = False
    error_type: str | None = None
    attempts: int = 1
    """How many requests the client sent: 1, and each of its retries."""
    scope: str = ""
    """The instrumentation scope that observed the call."""
    response_id: str | None = None
    estimate: Usage | None = None
    """What the call may have come to where the counts never came; never reported as usage."""
    output_seen: bool = False
    """Whether any output arrived before the end: a call that failed after that may be billed."""
    abandoned: bool = False
    """Whether the application stopped reading the answer before it was whole."""
    prompt: Fingerprint | None = None
    """What can be told of the prompt without saying it, where the request was seen."""
