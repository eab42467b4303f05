"""The ``openai`` client's other ways: in the background, asked for usage, at odd addresses."""

from __future__ import annotations

import threading
from typing import Any

import httpx2
import openai
import pydantic
import pytest
from opentelemetry import baggage, context
from opentelemetry.sdk.trace import SpanProcessor

from farthing.providers.openai_background import RESPONSES
from farthing_processor import attribution
from farthing_processor.attribution import Attribution
from tests.instrumentation import shapes
from tests.instrumentation.conftest import Provider, Telemetry

MESSAGES: Any = [{"role": "user", "content": "hi"}]
CHAT: dict[str, Any] = {"model": "gpt-4o", "messages": MESSAGES}


@pytest.fixture(autouse=True)
def _forget_responses() -> None:
    RESPONSES._known.clear()


def background(status: str, **more: Any) -> httpx2.Response:
    return shapes.ok(shapes.response(status, background=True, **more))


def test_a_background_response_is_paid_once_by_its_maker(
    telemetry: Telemetry, provider: Provider
) -> None:
    provider.answers(
        background("queued"),
        background("in_progress"),
        background("completed"),
        background("completed"),
    )
    client = provider.openai()
    maker = attribution.set_in_context(Attribution(step="summarise", workflow="report"))
    token = context.attach(maker)
    made = client.responses.create(model="gpt-5", input="hi", background=True)
    context.detach(token)
    for _ in range(3):
        client.responses.retrieve(made.id)

    spans = telemetry.spans()
    assert [span.name for span in spans] == ["chat gpt-5"] + ["fetch_response"] * 3
    costs = [(span.attributes or {}).get("gen_ai.usage.cost.amount") for span in spans]
    assert costs == [None, None, shapes.RESPONSES_COST, None]
    assert all("farthing.cost.status" not in (s.attributes or {}) for s in (spans[0], spans[3]))
    paid = dict(spans[2].attributes or {})
    assert paid["farthing.step.name"] == "summarise"
    assert paid["gen_ai.workflow.name"] == "report"
    assert paid["gen_ai.response.id"] == "resp_1"
    assert paid["gen_ai.response.status"] == "completed"
    sums = telemetry.sums()
    assert sums["gen_ai.client.operation.cost"] == shapes.RESPONSES_COST
    assert sums["gen_ai.client.token.usage"] == 12033 + 1044
    assert "farthing.calls.unpriced" not in sums


def test_fetching_what_was_paid_when_it_was_made_costs_nothing(
    telemetry: Telemetry, provider: Provider
) -> None:
    client = provider.answers(shapes.ok(shapes.response())).openai()
    client.responses.create(model="gpt-5", input="hi")
    client.responses.retrieve("resp_1")
    assert telemetry.sums()["gen_ai.client.operation.cost"] == shapes.RESPONSES_COST
    fetched = dict(telemetry.spans()[-1].attributes or {})
    assert not [name for name in fetched if name.startswith(("gen_ai.usage", "farthing.cost"))]


def test_a_background_response_of_another_process(telemetry: Telemetry, provider: Provider) -> None:
    client = provider.answers(lambda _: background("completed")).openai()
    client.responses.retrieve("resp_1")
    client.responses.retrieve("resp_1")
    assert telemetry.sums()["gen_ai.client.operation.cost"] == shapes.RESPONSES_COST


def test_a_background_stream_that_is_cut_is_paid_when_it_is_fetched(
    telemetry: Telemetry, provider: Provider
) -> None:
    events = shapes.response_events()
    events[0]["response"]["background"] = True
    events[-1]["response"]["background"] = True
    provider.answers(shapes.sse(events), shapes.sse(events))
    client = provider.openai()
    with client.responses.create(model="gpt-5", input="hi", background=True, stream=True) as stream:
        next(stream)
    assert "farthing.cost.status" not in telemetry.attributes()
    list(client.responses.retrieve("resp_1", stream=True))
    assert telemetry.sums()["gen_ai.client.operation.cost"] == shapes.RESPONSES_COST


@pytest.mark.parametrize("status", ["failed", "cancelled"])
def test_a_background_response_that_came_to_nothing(
    telemetry: Telemetry, provider: Provider, status: str
) -> None:
    client = provider.answers(background("queued"), background(status, usage=None)).openai()
    client.responses.create(model="gpt-5", input="hi", background=True)
    client.responses.cancel("resp_1") if status == "cancelled" else client.responses.retrieve("r")
    fetched = dict(telemetry.spans()[-1].attributes or {})
    assert "error.type" not in fetched  # fetching it went well
    assert fetched["gen_ai.response.finish_reasons"] == ("error",)
    assert "farthing.calls.unpriced" not in telemetry.sums()


def test_a_response_that_cannot_be_fetched(telemetry: Telemetry, provider: Provider) -> None:
    client = provider.answers(httpx2.Response(404, json={"error": {}})).openai()
    with pytest.raises(openai.NotFoundError):
        client.responses.retrieve("resp_9")
    attributes = telemetry.attributes()
    assert attributes["error.type"] == "NotFoundError"
    assert attributes["gen_ai.response.id"] == "resp_9"
    assert "farthing.cost.status" not in attributes


def test_polling_from_many_threads_pays_once(telemetry: Telemetry, provider: Provider) -> None:
    client = provider.answers(lambda _: background("completed")).openai()
    threads = [
        threading.Thread(target=client.responses.retrieve, args=("resp_1",)) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert telemetry.sums()["gen_ai.client.operation.cost"] == shapes.RESPONSES_COST


def test_background_responses_are_remembered_in_bounded_memory() -> None:
    from farthing.providers.openai_background import Responses

    known = Responses(remembered=3)
    who = Attribution(step="s")
    for number in range(10):
        known.created({"background": True, "id": str(number), "status": "queued"}, who)
    assert list(known._known) == ["7", "8", "9"]


# Usage that is asked for.


def test_usage_is_asked_for_and_its_chunk_kept_back(provider: Provider) -> None:
    telemetry = Telemetry()
    telemetry.instrument(include_usage=True)
    client = provider.answers(lambda _: shapes.sse(shapes.chat_chunks(), done=True)).openai()
    given: dict[str, Any] = {**CHAT, "stream_options": {"include_obfuscation": False}}
    chunks = list(client.chat.completions.create(stream=True, **given))
    assert provider.body()["stream_options"] == {
        "include_obfuscation": False,
        "include_usage": True,
    }
    assert given["stream_options"] == {"include_obfuscation": False}
    assert len(chunks) == len(shapes.chat_chunks()) - 1
    assert all(chunk.choices for chunk in chunks)
    assert telemetry.attributes()["gen_ai.usage.cost.amount"] == shapes.CHAT_COST


async def test_usage_is_asked_for_async(provider: Provider) -> None:
    telemetry = Telemetry()
    telemetry.instrument(include_usage=True)
    client = provider.answers(shapes.sse(shapes.chat_chunks(), done=True)).async_openai()
    stream = await client.chat.completions.create(stream=True, **CHAT)
    assert len([chunk async for chunk in stream]) == len(shapes.chat_chunks()) - 1
    assert telemetry.attributes()["gen_ai.usage.cost.amount"] == shapes.CHAT_COST


@pytest.mark.parametrize("wanted", [True, False])
def test_what_the_application_says_of_usage_stands(provider: Provider, wanted: bool) -> None:
    telemetry = Telemetry()
    telemetry.instrument(include_usage=True)
    sent = shapes.chat_chunks() if wanted else shapes.chat_chunks(None)
    client = provider.answers(shapes.sse(sent, done=True)).openai()
    options: Any = {"include_usage": wanted}
    chunks = list(client.chat.completions.create(stream=True, stream_options=options, **CHAT))
    assert len(chunks) == len(sent)
    assert provider.body()["stream_options"] == {"include_usage": wanted}


@pytest.mark.parametrize("way", ["not streamed", "raw", "off"])
def test_usage_is_not_asked_for(provider: Provider, way: str) -> None:
    telemetry = Telemetry()
    telemetry.instrument(include_usage=way != "off")
    provider.answers(lambda _: shapes.sse(shapes.chat_chunks(None), done=True))
    completions = provider.openai().chat.completions
    if way == "raw":
        completions.with_raw_response.create(stream=True, **CHAT).http_response.read()
    elif way == "off":
        list(completions.create(stream=True, **CHAT))
    else:
        provider.answers(shapes.ok(shapes.chat()))
        completions.create(**CHAT)
    assert "stream_options" not in provider.body()


# Odd requests.


class Answer(pydantic.BaseModel):
    number: int


def test_what_a_refused_parse_cost(telemetry: Telemetry, provider: Provider) -> None:
    client = provider.answers(shapes.ok(shapes.chat())).openai()
    with pytest.raises(pydantic.ValidationError):
        client.chat.completions.parse(response_format=Answer, **CHAT)
    attributes = telemetry.attributes()
    assert attributes["error.type"] == "ValidationError"
    assert attributes["gen_ai.usage.cost.amount"] == shapes.CHAT_COST


@pytest.mark.parametrize(
    ("served", "cost"),
    [("flex", 0.0155), ("default", 0.031), (None, 0.0155)],
)
def test_the_tier_is_the_one_that_served_else_the_one_asked_for(
    telemetry: Telemetry, provider: Provider, served: str | None, cost: float
) -> None:
    usage = {"prompt_tokens": 8000, "completion_tokens": 2100, "total_tokens": 10100}
    body = shapes.chat(usage, model="gpt-5-2025-08-07", service_tier=served)
    client = provider.answers(shapes.ok(body)).openai()
    client.chat.completions.create(model="gpt-5", messages=MESSAGES, service_tier="flex")
    assert telemetry.attributes()["gen_ai.usage.cost.amount"] == cost


@pytest.mark.parametrize(
    "url",
    ["https://api.openai.com/v1/chat/completions", "/chat/completions", "chat/completions?a=b"],
)
def test_low_level_requests(telemetry: Telemetry, provider: Provider, url: str) -> None:
    client = provider.answers(shapes.ok(shapes.chat())).openai()
    client.post(url, cast_to=object, body=CHAT)
    attributes = telemetry.attributes()
    assert attributes["gen_ai.usage.cost.amount"] == shapes.CHAT_COST
    assert attributes["server.address"] == "api.openai.com"


def test_a_whole_url_names_the_server(telemetry: Telemetry, provider: Provider) -> None:
    client = provider.answers(shapes.ok(shapes.chat())).openai(base_url="http://localhost:1/v1")
    client.post("https://api.openai.com/v1/chat/completions", cast_to=object, body=CHAT)
    assert telemetry.attributes()["gen_ai.provider.name"] == "openai"


def test_what_is_not_a_call_is_not_recorded(telemetry: Telemetry, provider: Provider) -> None:
    client = provider.answers(lambda _: shapes.ok({"data": [], "object": "list"})).openai()
    client.models.list()
    client.files.list()
    client.chat.completions.list()
    client.get("/responses/resp_1/input_items", cast_to=object)
    client.delete("/responses/resp_1", cast_to=object)
    assert telemetry.spans() == []


def test_the_second_reader_of_a_stream_does_not_end_it(
    telemetry: Telemetry, provider: Provider
) -> None:
    """Of two threads that read at once one is refused; the other reads on."""
    inside, release = threading.Event(), threading.Event()

    class Stalling(shapes.Bytes):
        def __iter__(self) -> Any:
            inside.set()
            assert release.wait(10)
            yield from self.pieces

    stalling = Stalling(shapes.sse(shapes.chat_chunks(), done=True).stream.pieces)  # type: ignore[attr-defined]
    headers = {"content-type": "text/event-stream"}
    client = provider.answers(httpx2.Response(200, headers=headers, stream=stalling)).openai()
    stream = client.chat.completions.create(stream=True, **CHAT)
    reader = threading.Thread(target=lambda: list(stream))
    reader.start()
    assert inside.wait(10)
    with pytest.raises(ValueError, match="already executing"):
        next(stream)
    release.set()
    reader.join()
    attributes = telemetry.attributes()
    assert "error.type" not in attributes
    assert attributes["gen_ai.usage.cost.amount"] == shapes.CHAT_COST


def test_a_span_processor_that_breaks_loses_no_metrics(
    telemetry: Telemetry, provider: Provider
) -> None:
    class Breaking(SpanProcessor):
        def on_start(self, span: Any, parent_context: Any = None) -> None:
            raise RuntimeError("a bug of someone's")

    telemetry.tracer_provider.add_span_processor(Breaking())
    client = provider.answers(shapes.ok(shapes.chat())).openai()
    client.chat.completions.create(**CHAT)
    assert telemetry.sums()["gen_ai.client.operation.cost"] == shapes.CHAT_COST


def test_nothing_of_our_context_stays(telemetry: Telemetry, provider: Provider) -> None:
    client = provider.answers(shapes.ok(shapes.response())).openai()
    before = context.get_current()
    client.responses.retrieve("resp_1")
    assert context.get_current() == before
    assert baggage.get_all() == {}
