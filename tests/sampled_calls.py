"""The calls of the two clients that are sampled, and the requests that all samples share.

The simulator knows a step by words in its instructions. A step's first answer writes its cache,
the later ones read from it: so the order of the calls is part of their meaning.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

Calls = Mapping[str, Callable[[], Any]]

PLAN, CLASSIFY = "Plan the work.", "Classify the ticket."
SUMMARISE, RESEARCH = "Summarise the findings.", "Research the question."
SYNTHESISE = "Synthesise the document."
ASKED = "What is next?"
FAULT = {"x-simulator-fault": "server_error"}
EMBEDDINGS: Any = {"model": "text-embedding-3-large", "input": "search for: wool"}
USAGE: Any = {"stream": True, "stream_options": {"include_usage": True}}


def chat(instructions: str, model: str = "gpt-4.1", **more: Any) -> dict[str, Any]:
    messages = [
        {"role": "system", "content": instructions},
        {"role": "user", "content": ASKED},
    ]
    return {"model": model, "messages": messages, **more}


def response(instructions: str, **more: Any) -> dict[str, Any]:
    return {"model": "gpt-5.5", "instructions": instructions, "input": ASKED, **more}


def message(instructions: str, ttl: str | None = None, **more: Any) -> dict[str, Any]:
    system: dict[str, Any] = {"type": "text", "text": instructions}
    if ttl:
        system["cache_control"] = {"type": "ephemeral", "ttl": ttl}
    return {
        "model": "claude-haiku-4-5",
        "max_tokens": 2000,
        "system": [system],
        "messages": [{"role": "user", "content": ASKED}],
        **more,
    }


def read(stream: Any) -> None:
    for _ in stream:
        pass


async def read_async(stream: Any) -> None:
    """Of a stream, or of the call that opens it."""
    async for _ in await stream if inspect.isawaitable(stream) else stream:
        pass


def abandoned(stream: Any) -> None:
    """Read a little, then close."""
    for _, _ in zip(range(4), stream, strict=False):
        pass
    stream.close()


async def abandoned_async(opening: Any) -> None:
    """Read a little, then drop it."""
    stream = await opening
    for _ in range(4):
        await anext(stream)


def helped(manager: Any) -> None:
    with manager as stream:
        read(stream)


def failing(call: Callable[..., Any], request: dict[str, Any], name: str = "extra_headers") -> None:
    """A call that the provider answers with 500; ``name`` is the argument for headers."""
    try:
        call(**request, **{name: FAULT})
    except Exception as error:
        _assert_struck(error)
    else:
        raise AssertionError("the fault did not strike")


async def failing_async(call: Callable[..., Any], request: dict[str, Any]) -> None:
    try:
        await call(**request, extra_headers=FAULT)
    except Exception as error:
        _assert_struck(error)
    else:
        raise AssertionError("the fault did not strike")


def _assert_struck(error: Exception) -> None:
    if "Something went wrong" not in str(error):  # what the simulator says
        raise error


def openai_clients(url: str) -> tuple[Any, Any]:
    """Sync, async."""
    import openai

    options: Any = {"base_url": f"{url}/v1", "api_key": "key", "max_retries": 0}
    return openai.OpenAI(**options), openai.AsyncOpenAI(**options)


def anthropic_clients(url: str, **native: Any) -> tuple[Any, Any]:
    """Sync, async. ``native`` configures the client's own tracer, which is off without it."""
    import anthropic

    tracer = native or {"traces": False}
    options: Any = {"base_url": url, "api_key": "key", "max_retries": 0, "open_telemetry": tracer}
    return anthropic.Anthropic(**options), anthropic.AsyncAnthropic(**options)


def openai_calls(client: Any, later: Any) -> Calls:
    chats, responses = client.chat.completions, client.responses
    return {
        "chat": lambda: chats.create(**chat(CLASSIFY)),
        "chat before cache": lambda: chats.create(**chat(PLAN)),
        "chat cache read": lambda: chats.create(**chat(PLAN)),
        "chat reasoning": lambda: chats.create(**chat(PLAN, "gpt-5.5")),
        "chat raw": lambda: chats.with_raw_response.create(**chat(PLAN)),
        "chat stream": lambda: read(chats.create(**chat(PLAN), **USAGE)),
        "chat stream without usage": lambda: read(chats.create(**chat(PLAN), stream=True)),
        "chat stream abandoned": lambda: abandoned(chats.create(**chat(PLAN), **USAGE)),
        "chat helper": lambda: helped(
            chats.stream(**chat(PLAN), stream_options=USAGE["stream_options"])
        ),
        "chat error": lambda: failing(chats.create, chat(PLAN)),
        "chat async": lambda: later.chat.completions.create(**chat(PLAN)),
        "chat stream async": lambda: read_async(
            later.chat.completions.create(**chat(PLAN), **USAGE)
        ),
        "response": lambda: responses.create(**response(PLAN)),
        "response stream": lambda: read(responses.create(**response(PLAN), stream=True)),
        "response stream abandoned": lambda: abandoned(
            responses.create(**response(PLAN), stream=True)
        ),
        "response error": lambda: failing(responses.create, response(PLAN)),
        "response async": lambda: later.responses.create(**response(PLAN)),
        "embeddings": lambda: client.embeddings.create(**EMBEDDINGS),
    }


def anthropic_calls(client: Any, later: Any) -> Calls:
    messages = client.messages
    kept, for_long = message(SUMMARISE, "5m"), message(SYNTHESISE, "1h")
    return {
        "message": lambda: messages.create(**message(CLASSIFY)),
        "message cache write": lambda: messages.create(**kept),
        "message cache read": lambda: messages.create(**kept),
        "message cache write 1h": lambda: messages.create(**message(RESEARCH, "1h")),
        "message raw": lambda: messages.with_raw_response.create(**kept),
        "message stream cache write 1h": lambda: read(messages.create(**for_long, stream=True)),
        "message stream": lambda: read(messages.create(**kept, stream=True)),
        "message stream abandoned": lambda: abandoned(messages.create(**kept, stream=True)),
        "message helper": lambda: helped(messages.stream(**kept)),
        "message error": lambda: failing(messages.create, kept),
        "message async": lambda: later.messages.create(**kept),
        "message stream async": lambda: read_async(later.messages.create(**kept, stream=True)),
    }
