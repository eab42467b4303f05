"""Endpoints: what a client library's file says of each thing that can be called, and of a call."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from farthing.content import Message, Prompt
from farthing_processor import semconv as names
from farthing_processor.assessment import AttributeValue
from farthing_processor.attribution import Attribution
from farthing_processor.usage import STANDARD_TIERS, Usage

Attributes = dict[str, AttributeValue]
Body = Mapping[str, Any]


class Request(NamedTuple):
    """What is known before a call is made. Immutable."""

    provider: str
    model: str | None
    server_address: str | None
    server_port: int | None
    stream: bool
    attributes: Attributes
    """Further span attributes."""


class Answer(NamedTuple):
    """What a response says of itself, its usage aside. Immutable."""

    id: str | None = None
    model: str | None = None
    error_type: str | None = None
    """Set where the provider answered in full, and the answer is that it failed."""
    attributes: Mapping[str, AttributeValue] = {}

    def as_asked(self, usage: Usage, request: Request) -> Usage:
        """``usage`` at the service tier that was asked for, where the answer names none at all."""
        asked = request.attributes.get(names.OPENAI_REQUEST_SERVICE_TIER)
        if not isinstance(asked, str) or asked in STANDARD_TIERS:
            return usage
        told = names.OPENAI_RESPONSE_SERVICE_TIER in self.attributes
        return usage if told else usage._replace(tier=asked)

    def is_whole(self, usage: Usage | None) -> bool:
        """Whether all of a streamed answer had come, though its last events were not read."""
        reasons = self.attributes.get(names.RESPONSE_FINISH_REASONS)
        # An error is what is said in place of a reason that never came.
        finished = isinstance(reasons, list) and "error" not in reasons
        return finished or (usage is not None and usage.complete)


def _no_attributes(_body: Body) -> Attributes:
    return {}


def _no_usage(_body: Any) -> Usage | None:
    return None


def _no_prompt(_body: Body) -> Prompt:
    return Prompt()


def _no_output(_body: Any) -> list[Message]:
    return []


def _no_fold(_folded: dict[str, Any], _event: Any, _with_content: bool) -> None:
    pass


def the_caller(_body: Any, who: Attribution) -> Attribution:
    """The payer of what is billed by the call itself."""
    return who


def nobody(_body: Any, _who: Attribution) -> None:
    """The payer of what is not billed at all."""


class UsageRequest(NamedTuple):
    """How to ask for the usage of a stream that would come without. Immutable."""

    ask: Callable[[Body], Body | None]
    """Request body → one that asks, or None where the application asks, or forbids it, itself."""
    extra: Callable[[Any], bool]
    """Whether an event is the one that came only because it was asked for."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One thing that can be called. Every reader is total, or its error hides only what it reads.

    A response body is the client's own object, decoded JSON, or what ``fold`` made of a stream.
    """

    operation: str
    """``gen_ai.operation.name``."""
    request: Callable[[Body], Attributes] = _no_attributes
    """Request body → span attributes, the model aside."""
    answer: Callable[[Any], Answer] = lambda _body: Answer()
    """Response body → what it says."""
    usage: Callable[[Any], Usage | None] = _no_usage
    """Response body → usage."""
    fold: Callable[[dict[str, Any], Any, bool], None] = _no_fold
    """(body so far, streamed event, with content): add the event to a body of the response's own
    shape, keeping no event."""
    prompt: Callable[[Body], Prompt] = _no_prompt
    """Request body → what was asked, for those who want content. Never consumes an iterator."""
    output: Callable[[Any], list[Message]] = _no_output
    """Response body → what was answered."""
    payer: Callable[[Any, Attribution], Attribution | None] = the_caller
    """(response body, or None where there is none, who called) → who pays for what it reports;
    None where nobody does, because it is not billed, or not by this call."""
    request_usage: Callable[[Body], Usage | None] | None = None
    """Request body → usage, for what is billed by what was asked; where the answer reports none."""
    usage_request: UsageRequest | None = None
    method: str = "post"
