"""Broken answers: the shapes of tests/instrumentation and the recorded ones, spoilt at random.

An example is the bytes themselves, so that what hypothesis prints can be sent again.
"""

from __future__ import annotations

import copy
import gzip
import json
import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import httpx2
from hypothesis import strategies as st

from tests.contract.recordings import folder, load, usage_in
from tests.instrumentation import shapes

REQUESTS: dict[str, dict[str, Any]] = {
    "chat": {"model": "gpt-4o", "messages": [{"role": "user", "content": "hi"}]},
    "responses": {"model": "gpt-5", "input": "hi"},
    "embeddings": {"model": "text-embedding-3-large", "input": "hi", "encoding_format": "float"},
    "messages": {
        "model": "claude-sonnet-4-6",
        "max_tokens": 10,
        "messages": [{"role": "user", "content": "hi"}],
    },
}


class Event(NamedTuple):
    """One server-sent event before it is broken."""

    name: str | None
    data: Any


class Seed(NamedTuple):
    """What is broken: the events of a stream, or a body, which is one event without a name."""

    api: str
    stream: bool
    events: list[Event]


def _named(data: Any) -> Event:
    return Event(data.get("type") if isinstance(data, dict) else None, data)


def _invented() -> Iterator[Seed]:
    for usage in (shapes.CHAT_USAGE, None):
        yield Seed("chat", True, [Event(None, chunk) for chunk in shapes.chat_chunks(usage)])
        yield Seed("chat", False, [Event(None, shapes.chat(usage))])
    for end in ("completed", "incomplete", "failed"):
        yield Seed("responses", True, [_named(event) for event in shapes.response_events(end)])
        yield Seed("responses", False, [Event(None, shapes.response(end))])
    yield Seed("messages", True, [_named(event) for event in shapes.message_events()])
    partial = ({"output_tokens": 200}, {"output_tokens": 500, "input_tokens": 11})
    yield Seed("messages", True, [_named(event) for event in shapes.message_events(*partial)])
    yield Seed("messages", False, [Event(None, shapes.message())])
    yield Seed("embeddings", False, [Event(None, shapes.embeddings())])


LARGEST = 16_384
"""Bytes of the recorded answers that are broken: a larger one only takes longer."""


def _recorded() -> Iterator[Seed]:
    root = folder()
    for call in load(root).calls if root else ():
        if call.api in REQUESTS and call.status == 200 and len(call.content) <= LARGEST:
            bodies = call.bodies()
            events = [_named(body) if call.stream else Event(None, body) for body in bodies]
            yield Seed(call.api, call.stream, events)


RECORDED = list(_recorded())
SEEDS = [*_invented(), *RECORDED]


class Example(NamedTuple):
    """One broken answer, and how it is asked for."""

    api: str
    request: dict[str, Any]
    stream: bool
    how: str
    asynchronous: bool
    stop_after: int | None
    content: bool
    """Whether prompts and answers are recorded."""
    estimate: bool
    """Whether usage that never comes is estimated."""
    status: int
    headers: dict[str, str]
    pieces: list[bytes]
    broken_off: bool
    """Whether the connection is lost after the last piece."""

    def response(self) -> httpx2.Response:
        error = httpx2.ReadError("lost") if self.broken_off else None
        body = shapes.Bytes(self.pieces, error)
        return httpx2.Response(self.status, headers=self.headers, stream=body)


# Breaking.

DEEP, LONG = "@deep@", "@long@"
"""Stand for what json.dumps cannot write: 5000 lists in each other, a number of 5000 digits."""

HOSTILE: tuple[Any, ...] = (
    *(None, True, False, 0, 1, -1, -7, 5, 10**6, 2**31, 2**63, 10**13, -(2**70), 10**400),
    *(0.5, -0.0, 1e308, math.nan, math.inf, -math.inf),
    *("", "0", "12", "-3", "NaN", "\ud800", "caf\xe9\x00", "x" * 5000, DEEP, LONG),
    *([], {}, [None], [[]], [{}], [1, "a", None], {"a": None}, {"": {}}, {"type": 5}),
    json.loads("[" * 50 + "]" * 50),
)

SHARP: tuple[Any, ...] = (None, -7, 2**63, "\ud800", math.inf, [], {})
"""The hostile values that have broken most; half of those that are drawn."""

FOCUS = frozenset(
    (
        *("usage", "choices", "index", "delta", "type", "model", "id", "service_tier"),
        *("finish_reason", "stop_reason", "response", "message", "output", "content", "error"),
        *("status", "system_fingerprint", "tool_usage", "tools", "iterations"),
    )
)
"""Names that are broken more often: those that telemetry reads."""

ADDED = (
    *sorted(FOCUS),
    *("prompt_tokens", "completion_tokens", "total_tokens", "input_tokens", "output_tokens"),
    *("prompt_tokens_details", "cached_tokens", "cache_read_input_tokens", "cache_creation"),
    *("inference_geo", "speed", "svg_usage", "server_tool_use", "output_tokens_details"),
)

ASKED = (
    *("model", "messages", "input", "max_tokens", "max_completion_tokens", "max_output_tokens"),
    *("temperature", "top_p", "top_k", "n", "seed", "stop", "stop_sequences", "service_tier"),
    *("response_format", "text", "reasoning", "reasoning_effort", "output_config", "system"),
    *("instructions", "conversation", "previous_response_id", "dimensions", "encoding_format"),
)
"""What a request may say, and may say wrongly."""

EVENT_KINDS = ("text/event-stream", "text/event-stream; charset=utf-8", "application/json")
BODY_KINDS = ("application/json", "application/json", "application/json", "text/plain", "")
"""Content types, of which the first is what the provider sends."""

FURTHER: tuple[Event, ...] = (
    Event("ping", {"type": "ping"}),
    Event(None, {"error": {"message": "overloaded", "code": 529}}),
    Event("error", {"type": "error", "error": {"type": "overloaded_error", "message": "Later"}}),
    Event("error", {"type": "error", "code": "server_error", "message": "m", "param": None}),
    Event("unheard.of", {"type": "unheard.of", "usage": {"output_tokens": 7}}),
    Event("thread.message", {"type": "thread.message", "id": "1"}),
    Event(None, {"choices": None, "usage": []}),
    Event(None, {"choices": [{"index": 3, "delta": {"content": "x"}, "finish_reason": "stop"}]}),
    Event(None, {"choices": [{"index": -1, "delta": None}, None, 5]}),
    *(Event(None, value) for value in (None, 5, "text", [], [[]])),
)

Draw = Callable[[st.SearchStrategy[Any]], Any]
Breaking = Callable[[Draw, list[Event]], None]


def _paths(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Where everything in ``value`` is; what `FOCUS` names several times over."""
    if isinstance(value, dict | list):
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            here = (*path, key)
            for _ in range(6 if key in FOCUS else 1):
                yield here
            yield from _paths(inner, here)


def _hostile(draw: Draw, values: Sequence[Any] = HOSTILE) -> Any:
    return copy.deepcopy(draw(st.sampled_from(SHARP) | st.sampled_from(values)))


def _break_value(draw: Draw, events: list[Event]) -> None:
    """Replace, rename, remove or add one value in one event."""
    everywhere = [(at, path) for at, event in enumerate(events) for path in _paths(event.data)]
    if not everywhere:
        return
    in_usage = [place for place in everywhere if "usage" in place[1]] or everywhere
    at, (*path, key) = draw(st.sampled_from(in_usage) | st.sampled_from(everywhere))
    owner = events[at].data
    for step in path:
        owner = owner[step]
    what = draw(st.sampled_from(("replace", "replace", "replace", "number", "remove", "add")))
    if what == "remove":
        del owner[key]
    elif what == "number":
        owner[key] = draw(st.integers(-5, 10**7))
    elif what == "add" and isinstance(owner, dict):
        owner[draw(st.sampled_from(ADDED))] = _hostile(draw)
    else:
        owner[key] = _hostile(draw)


def _drop(draw: Draw, events: list[Event]) -> None:
    if len(events) > 1:
        del events[draw(st.integers(0, len(events) - 1))]


def _repeat(draw: Draw, events: list[Event]) -> None:
    at = draw(st.integers(0, len(events) - 1))
    events.insert(at, copy.deepcopy(events[at]))


def _swap(draw: Draw, events: list[Event]) -> None:
    one, other = (draw(st.integers(0, len(events) - 1)) for _ in range(2))
    events[one], events[other] = events[other], events[one]


def _insert(draw: Draw, events: list[Event]) -> None:
    event = draw(st.sampled_from(FURTHER) | st.sampled_from([e for s in SEEDS for e in s.events]))
    events.insert(draw(st.integers(0, len(events))), copy.deepcopy(event))


def _rename(draw: Draw, events: list[Event]) -> None:
    at = draw(st.integers(0, len(events) - 1))
    name = draw(st.sampled_from((None, "", "ping", "error", "completion", "message_delta")))
    events[at] = Event(name, events[at].data)


OF_BODIES: tuple[Breaking, ...] = (_break_value,)
OF_STREAMS: tuple[Breaking, ...] = (
    *(_break_value, _break_value, _break_value),
    *(_drop, _repeat, _swap, _insert, _rename),
)


def _encoded(data: Any) -> bytes:
    text = json.dumps(data)
    text = text.replace(f'"{DEEP}"', "[" * 5000 + "]" * 5000).replace(f'"{LONG}"', "9" * 5000)
    return text.encode()


def _wire(event: Event) -> bytes:
    name = b"" if event.name is None else f"event: {event.name}\n".encode()
    return name + b"data: " + _encoded(event.data) + b"\n\n"


def _break_bytes(draw: Draw, wire: bytes) -> bytes:
    what = draw(st.sampled_from((*["leave"] * 9, "cut", "flip", "remove")))
    if what == "leave" or not wire:
        return wire
    at = draw(st.integers(0, len(wire) - 1))
    if what == "cut":
        return wire[:at]
    if what == "flip":
        return wire[:at] + draw(st.binary(min_size=1, max_size=3)) + wire[at + 1 :]
    return wire[:at] + wire[at + draw(st.integers(1, 80)) :]


def _pieces(draw: Draw, wire: bytes) -> list[bytes]:
    cuts = sorted(draw(st.lists(st.integers(0, len(wire)), max_size=4)))
    bounds = zip([0, *cuts], [*cuts, len(wire)], strict=True)
    return [wire[start:end] for start, end in bounds if start < end]


def _request(draw: Draw, api: str, stream: bool) -> dict[str, Any]:
    request = copy.deepcopy(REQUESTS[api]) | ({"stream": True} if stream else {})
    if draw(st.integers(0, 3)) == 0:
        request[draw(st.sampled_from(ASKED))] = _hostile(draw)
    return request


@st.composite
def examples(draw: Draw, stream: bool) -> Example:
    seed = draw(st.sampled_from([seed for seed in SEEDS if seed.stream is stream]))
    events = copy.deepcopy(seed.events)
    breakings = st.sampled_from(OF_STREAMS if stream else OF_BODIES)
    for breaking in draw(st.lists(breakings, min_size=1, max_size=4)):
        breaking(draw, events)
    wire = b"".join(map(_wire, events)) if stream else _encoded(events[0].data)
    if stream and draw(st.booleans()):
        wire += b"data: [DONE]\n\n"
    headers = {"content-type": draw(st.sampled_from(EVENT_KINDS if stream else BODY_KINDS))}
    if draw(st.integers(0, 9)) == 0:
        headers["content-encoding"] = "gzip"
        wire = gzip.compress(wire, mtime=0)
    wire = _break_bytes(draw, wire)
    ways = ("plain", "plain", "raw", "bytes", *(("streaming", "helper") if stream else ()))
    return Example(
        api=seed.api,
        request=_request(draw, seed.api, stream),
        stream=stream,
        how=draw(st.sampled_from(ways)),
        asynchronous=draw(st.booleans()),
        stop_after=draw(st.none() | st.integers(0, 6)) if stream else None,
        content=draw(st.booleans()),
        estimate=draw(st.booleans()),
        status=draw(st.sampled_from((*[200] * 12, 204, 400, 500))),
        headers=headers,
        pieces=_pieces(draw, wire),
        broken_off=draw(st.integers(0, 7)) == 0,
    )


# Breaking only what does not speak of usage.

USAGE = frozenset(("usage", "tool_usage"))  # the second: what a Responses call's own tools used


def _harmless(seed: Seed) -> Iterator[tuple[int, tuple[Any, ...]]]:
    """(event, path) of what may be broken without a word on usage being lost."""
    for at, event in enumerate(seed.events):
        for path in dict.fromkeys(_paths(event.data)):
            bears_usage = any(other[: len(path)] == path for other in _usage(event.data))
            if not bears_usage and not USAGE.intersection(path) and path != ("type",):
                yield at, path


def _usage(data: Any) -> list[tuple[Any, ...]]:
    return [path for path in _paths(data) if path[-1] in USAGE]


LEGIBLE = [value for value in HOSTILE if value not in (DEEP, LONG)]
HARMLESS = [(seed, list(_harmless(seed))) for seed in SEEDS]


@st.composite
def legible(draw: Draw) -> tuple[Example, dict[str, int]]:
    """An answer that is broken wherever it does not speak of usage, and the usage that it says."""
    seed, places = draw(st.sampled_from(HARMLESS))
    events = copy.deepcopy(seed.events)
    for at, path in draw(st.lists(st.sampled_from(places), min_size=1, max_size=4)):
        owner = events[at].data
        try:
            for step in path[:-1]:
                owner = owner[step]
            owner[path[-1]] = _hostile(draw, LEGIBLE)
        except (LookupError, TypeError):
            continue  # what was there has been broken already
    wire = b"".join(map(_wire, events)) if seed.stream else _encoded(events[0].data)
    request = REQUESTS[seed.api] | ({"stream": True} if seed.stream else {})
    example = Example(
        api=seed.api,
        request=request,
        stream=seed.stream,
        how=draw(st.sampled_from(("plain", "raw", "bytes"))),
        asynchronous=draw(st.booleans()),
        stop_after=None,
        content=draw(st.booleans()),
        estimate=draw(st.booleans()),
        status=200,
        headers={"content-type": (EVENT_KINDS if seed.stream else BODY_KINDS)[0]},
        pieces=[wire],
        broken_off=False,
    )
    return example, usage_in(seed.api, [event.data for event in seed.events])
