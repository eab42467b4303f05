"""The ``anthropic`` client's public methods, and what is to be recorded of each."""

from __future__ import annotations

from typing import Any, Final

import anthropic
from pydantic import BaseModel

from tests.contract.server import Reply, answer, events
from tests.contract.table import Library, Method, tokens
from tests.instrumentation import shapes

ASK: Final = {
    "model": "claude-sonnet-4-6",
    "max_tokens": 1000,
    "messages": [{"role": "user", "content": "hi"}],
}


class Word(BaseModel):
    word: str


_JSON: Final = [{"type": "text", "text": '{"word": "hi"}'}]
_PAID: Final[dict[str, Any]] = {
    "usage": tokens(105010, 500, cache_read=100000, cache_write=5000),
    "cost": shapes.ANTHROPIC_COST,
}
_HELPER: Final[dict[str, Any]] = {
    "finals": ("get_final_message", "get_final_text", "until_done", "text_stream"),
    "forms": (),
    "paces": False,
}
_ANSWER: Final = answer(shapes.message())
_STREAM: Final = events(event for event in shapes.message_events() if event["type"] != "ping")
_PARSED: Final = answer(shapes.message(content=_JSON))


def _of(resource: str, *, sample: bool = False) -> tuple[Method, ...]:
    """The methods of ``messages``, stable or beta."""
    return (
        Method(f"{resource}.create", ASK, _ANSWER, **_PAID, sample=sample),
        Method(f"{resource}.create", ASK | {"stream": True}, _STREAM, **_PAID, sample=sample),
        Method(f"{resource}.stream", ASK, events(shapes.message_events()), **_PAID, **_HELPER),
        # No raw form of `parse` exists, in either.
        Method(f"{resource}.parse", ASK | {"output_format": Word}, _PARSED, **_PAID, forms=()),
        Method(
            f"{resource}.count_tokens",
            {name: ASK[name] for name in ("model", "messages")},
            answer({"input_tokens": 12}),
            operation="count_tokens",
            status=None,
        ),
    )


def _client(make: Any, **fixed: Any) -> Any:
    def client(url: str, http_client: Any, tracer_provider: Any, **options: Any) -> Any:
        return make(
            base_url=url,
            http_client=http_client,
            # The client traces itself: to the application's provider, as with a global one.
            open_telemetry={"tracer_provider": tracer_provider},
            **fixed,
            **options,
        )

    return client


_BEDROCK: Final = {"api_key": "key", "aws_region": "us-east-1"}
_VERTEX: Final = {"access_token": "token", "region": "us-east5", "project_id": "project"}

LIBRARY: Final = Library(
    name="anthropic",
    clients={
        "": (
            _client(anthropic.Anthropic, api_key="key"),
            _client(anthropic.AsyncAnthropic, api_key="key"),
        ),
        "bedrock": (
            _client(anthropic.AnthropicBedrock, **_BEDROCK),
            _client(anthropic.AsyncAnthropicBedrock, **_BEDROCK),
        ),
        "vertex": (
            _client(anthropic.AnthropicVertex, **_VERTEX),
            _client(anthropic.AsyncAnthropicVertex, **_VERTEX),
        ),
        "foundry": (
            _client(anthropic.AnthropicFoundry, api_key="key"),
            _client(anthropic.AsyncAnthropicFoundry, api_key="key"),
        ),
    },
    methods=(
        *_of("messages", sample=True),
        *_of("beta.messages"),
        # Served in one region, which costs a tenth more.
        Method("messages.create", ASK, _ANSWER, **_PAID | {"cost": 0.069333}, client="bedrock"),
        Method("messages.create", ASK, _ANSWER, **_PAID, client="vertex"),
        Method("messages.create", ASK | {"stream": True}, _STREAM, **_PAID, client="vertex"),
        Method("messages.create", ASK, _ANSWER, **_PAID, client="foundry"),
    ),
    error_event=Reply(
        (b'event: error\ndata: {"type": "error", "error": {"type": "overloaded_error"}}\n\n',),
        "text/event-stream",
    ),
)
