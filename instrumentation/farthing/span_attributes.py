"""Span attributes: of a call as it starts, and of the answer and usage that it ends with."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from farthing.endpoint import Answer, Attributes, Request
from farthing_processor import aliases
from farthing_processor import semconv as names
from farthing_processor.assessment import Assessment
from farthing_processor.facts import Facts
from farthing_processor.usage import Usage
from farthing_processor.workflows import wasted


def at_start(operation: str, request: Request) -> Attributes:
    """What a sampler may want to know, and all else that is known before the call."""
    attributes: Attributes = {
        names.OPERATION_NAME: operation,
        names.PROVIDER_NAME: request.provider,
    }
    if request.model:
        attributes[names.REQUEST_MODEL] = request.model
    if request.server_address:
        attributes[names.SERVER_ADDRESS] = request.server_address
        if request.server_port:
            attributes[names.SERVER_PORT] = request.server_port
    if request.stream:
        attributes[names.REQUEST_STREAM] = True
    attributes.update(request.attributes)
    return attributes


_DETAILS: Final = (
    (names.USAGE_CACHE_READ, "cache_read_tokens"),
    (names.USAGE_CACHE_WRITE, "cache_write_tokens"),
    (names.USAGE_REASONING, "reasoning_tokens"),
    (names.USAGE_AUDIO_INPUT, "input_audio_tokens"),
    (names.USAGE_AUDIO_OUTPUT, "output_audio_tokens"),
    (names.USAGE_AUDIO_CACHE_READ, "cache_read_audio_tokens"),
    (names.USAGE_IMAGE_INPUT, "input_image_tokens"),
    (names.USAGE_IMAGE_OUTPUT, "output_image_tokens"),
    (names.USAGE_IMAGE_CACHE_READ, "cache_read_image_tokens"),
)


def at_end(
    facts: Facts, answer: Answer, assessment: Assessment, cost_aliases: Collection[str]
) -> Attributes:
    """What the answer says, what was used and what it cost; the failure, where it is one."""
    attributes: Attributes = {**answer.attributes, **assessment.attributes}
    if (reason := wasted(facts, assessment)) is not None:
        attributes[names.WASTE_REASON] = reason
    if cost_aliases:
        aliases.add(attributes, assessment, cost_aliases)
    if answer.id:
        attributes[names.RESPONSE_ID] = answer.id
    if answer.model:
        attributes[names.RESPONSE_MODEL] = answer.model
    if facts.usage is not None:
        _add_usage(attributes, facts.usage.billed())
    if facts.attempts > 1:
        attributes[names.RETRIES] = facts.attempts - 1
    if facts.error_type is not None:
        attributes[names.ERROR_TYPE] = facts.error_type
    return attributes


def _add_usage(attributes: Attributes, usage: Usage) -> None:
    """Set the usage attributes: the totals where they are known, details where there are any."""
    if usage.input_tokens is not None:
        attributes[names.USAGE_INPUT_TOKENS] = usage.input_tokens
    if usage.output_tokens is not None:
        attributes[names.USAGE_OUTPUT_TOKENS] = usage.output_tokens
    for attribute, count in _DETAILS:
        value = getattr(usage, count)
        if value:
            attributes[attribute] = value
