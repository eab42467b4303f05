"""Google's Agent Development Kit: ``call_llm``, later ``generate_content`` within it, then alone.

``call_llm`` names no operation, and ADK itself as the provider. It has Gemini's own usage object in
the response that it keeps as JSON, unless content is not to be captured. Without that, output is
the candidates alone up to 2.2: their thoughts, which are billed, are told beside it
(``gen_ai.usage.experimental.reasoning_tokens``), or not at all. ``generate_content`` has neither up
to 2.2: the span around it is then the call (1.10, 1.27 and 2.13, run).
"""

from __future__ import annotations

from typing import Any, Final

from farthing_processor.dialects.dialect import GENAI, Attributes, Dialect, Version, named_operation
from farthing_processor.dialects.embedded import json_in
from farthing_processor.dialects.reading import ASSUMED_NOT_CACHED
from farthing_processor.readers import gemini_generate_content
from farthing_processor.readers.values import Fields, count_in, fields
from farthing_processor.usage import Usage

_ITSELF: Final = "gcp.vertex.agent"
_REQUEST: Final = "gcp.vertex.agent.llm_request"
_RESPONSE: Final = "gcp.vertex.agent.llm_response"
_MODEL: Final = "gen_ai.request.model"
_OUTPUT: Final = "gen_ai.usage.output_tokens"
_WHOLE_SINCE: Final = (2, 3)
_THOUGHTS: Final = "gen_ai.usage.experimental.reasoning_tokens"


def _operation(attributes: Attributes) -> str | None:
    if "gen_ai.operation.name" in attributes:
        return named_operation(attributes)
    return "generate_content" if _REQUEST in attributes and _MODEL in attributes else None


def _opened(attributes: Attributes) -> Attributes:
    """With the response, and the thoughts in the output."""
    opened: dict[str, Any] = {**attributes}
    if response := json_in(attributes, _RESPONSE):
        opened[_RESPONSE] = response
    faults: list[str] = []
    thoughts = count_in(attributes, _THOUGHTS, faults)
    output = count_in(attributes, _OUTPUT, faults)
    if thoughts and output is not None:
        opened[_OUTPUT] = output + thoughts
    return opened


def _response(attributes: Attributes) -> Fields:
    """The response, where `_opened` found it."""
    response = attributes.get(_RESPONSE)
    return {} if isinstance(response, str) else fields(response)


def _usage(attributes: Attributes, _provider: str) -> Usage | None:
    """By Gemini's own object. Of another model ADK makes one that leaves things out."""
    response = _response(attributes)
    model = response.get("model_version") or attributes.get(_MODEL)
    if not isinstance(model, str) or not model.rpartition("/")[2].startswith("gemini"):
        return None
    return gemini_generate_content({**response, "model_version": model})


def _provider(attributes: Attributes) -> str | None:
    """As named; by ``call_llm`` as ADK itself has it since: before the model's name, where it is
    called through LiteLLM."""
    for name in GENAI["provider"]:
        word = attributes.get(name)
        if isinstance(word, str) and word != _ITSELF:
            return word
    model = attributes.get(_MODEL)
    vendor, slash, _ = model.partition("/") if isinstance(model, str) else ("", "", "")
    if slash and vendor not in ("projects", "publishers", "models"):
        return vendor
    return "gcp.vertex_ai"


def _within(attributes: Attributes, version: Version) -> bool:
    """Whether ``call_llm`` is around it, and says more."""
    if _REQUEST in attributes or version >= _WHOLE_SINCE or "gen_ai.provider.name" in attributes:
        return False
    return not any(name in attributes for name in (*GENAI["reasoning"], *GENAI["cache_read"]))


def _assumes(attributes: Attributes) -> tuple[str, ...]:
    """Old ones that keep no content say nothing of the cache."""
    if _RESPONSE not in attributes or _response(attributes):
        return ()
    told = any(name in attributes for name in GENAI["cache_read"])
    return () if told else (ASSUMED_NOT_CACHED,)


GOOGLE_ADK: Final = Dialect(
    name="google_adk",
    packages=("google-adk",),
    scopes=(_ITSELF,),
    marks=frozenset({_REQUEST, "gcp.vertex.agent.event_id", "gen_ai.operation.name"}),
    names={
        **GENAI,
        "reasoning": (*GENAI["reasoning"], _THOUGHTS),
        "session": ("gcp.vertex.agent.session_id", "gen_ai.conversation.id"),
    },
    operation=_operation,
    opened=_opened,
    usage=_usage,
    provider=_provider,
    within=_within,
    assumes=_assumes,
)
