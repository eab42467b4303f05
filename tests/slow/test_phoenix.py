"""Phoenix's own USD beside ours, of the same spans: a difference that nobody has explained fails.

The spans leave through our processor and a real OTLP exporter for a real Phoenix server, which has
a price table of its own (litellm's, as it was when that Phoenix was released) and arithmetic of its
own. Both amounts are then read back from what it stored.
"""

from __future__ import annotations

import asyncio
import gc
import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple

import pytest
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

import farthing
from farthing_dashboards.simulator import Simulator
from farthing_processor.span_processor import CostSpanProcessor
from tests import phoenix
from tests.phoenix import Phoenix, Stored
from tests.replaying import SAMPLES, Replayed
from tests.sampled_calls import anthropic_calls, anthropic_clients, openai_calls, openai_clients

pytestmark = pytest.mark.slow

AT_NS = 1_795_140_000 * 10**9
"""2026-11-20T02:00:00Z, soon after both price tables were made."""

SAME = 1e-9
"""Relative: they multiply and add doubles, we round once."""

COUNTS: dict[str, dict[str, int]] = {
    "plain": {"prompt": 1200, "completion": 345},
    "read": {"prompt": 5000, "completion": 250, "prompt_details.cache_read": 4000},
    "written": {
        "prompt": 6000,
        "completion": 250,
        "prompt_details.cache_read": 1000,
        "prompt_details.cache_write": 4500,
    },
    "reasoned": {"prompt": 700, "completion": 900, "completion_details.reasoning": 640},
    "long": {"prompt": 300_000, "completion": 1000, "prompt_details.cache_read": 100_000},
    "heard": {"prompt": 900, "completion": 400, "prompt_details.audio": 600},
    "spoken": {
        "prompt": 900,
        "completion": 400,
        "prompt_details.audio": 600,
        "completion_details.audio": 300,
    },
}
"""A kind of call → what OpenInference counts of it, under ``llm.token_count``."""

TEXT = "plain read written reasoned long"
MODELS = {
    ("openai", TEXT): """gpt-3.5-turbo gpt-4o gpt-4o-2024-05-13 gpt-4o-mini gpt-4.1 gpt-4.1-mini
        gpt-4.1-nano o1 o3 o3-mini o4-mini gpt-5 gpt-5-mini gpt-5-nano gpt-5-pro gpt-5.1 gpt-5.2
        gpt-5.4 gpt-5.4-mini gpt-5.5 gpt-5.6-sol gpt-5.6-luna gpt-5.6-cyber gpt-6-astra gpt-6-luna
        gpt-6.1-sol gpt-4o-search-preview""",
    ("openai", f"{TEXT} heard spoken"): "gpt-audio gpt-audio-mini gpt-realtime gpt-realtime-2.1",
    ("openai", "plain heard"): "gpt-4o-transcribe",
    ("anthropic", TEXT): """claude-3-haiku-20240307 claude-opus-4-1 claude-opus-4-5 claude-opus-4-6
        claude-opus-4-7 claude-opus-5 claude-opus-5-5 claude-sonnet-4-5 claude-sonnet-4-6
        claude-sonnet-5 claude-sonnet-5-5 claude-haiku-4-5 claude-haiku-5-5 claude-fable-5-1
        claude-mythos-5""",
    ("google", f"{TEXT} heard"): """gemini-2.0-flash gemini-2.5-flash gemini-2.5-flash-lite
        gemini-2.5-pro gemini-3-flash-preview gemini-3.1-pro-preview gemini-3.1-flash-lite
        gemini-3.5-flash gemini-3.8-flash gemini-4-argon gemini-flash-latest""",
    ("google", "plain heard spoken"): "gemini-2.5-flash-native-audio-latest",
}
"""(provider, kinds of call) → models."""
SCOPES = {
    "openai": "openinference.instrumentation.openai",
    "anthropic": "openinference.instrumentation.anthropic",
    "google": "openinference.instrumentation.google_genai",
}
ASKED = {
    model: (provider, kinds.split())
    for (provider, kinds), models in MODELS.items()
    for model in models.split()
}

GONE = "they have no price: litellm deletes models that are retired"
UNLISTED = "ours is unknown: genai-prices lists no such model"
HEARD = "ours is partial, no rate of audio being known; they take that of text"
KNOWN: dict[str, dict[str, str]] = {
    "gpt-5.6-cyber": {"long": "genai-prices has no long-context price of it, litellm has one"},
    "gpt-4o-search-preview": {
        "read written long": "we know no price of cache reads, theirs are those of gpt-4o"
    },
    "gpt-4o-transcribe": {"heard": "they price audio as text, OpenAI at more than twice that"},
    "claude-3-haiku-20240307": {TEXT: GONE},
    "claude-opus-4-1": {TEXT: GONE},
    "claude-mythos-5": {TEXT: UNLISTED},
    "gemini-2.0-flash": {f"{TEXT} heard": GONE},
    "gemini-2.5-pro": {"heard": HEARD},
    "gemini-3.1-pro-preview": {"heard": HEARD},
    "gemini-3.5-flash": {"heard": HEARD},
    "gemini-3.8-flash": {"heard": HEARD},
    "gemini-4-argon": {"heard": HEARD},
    "gemini-flash-latest": {"heard": HEARD},
}
"""Model → kinds of call → why the amounts differ."""

NO_EMBEDDINGS = "they price nothing but chats"
WRITTEN = "they know the conventions' former name of cache writes only: these cost what input does"
WRITTEN_1H = "they have one price of cache writes, that of five minutes"
LEFT = "the counts are those that the stream began with: ours is unknown, they believe them"
RAW = "they read no cache from gen_ai.usage.raw: all input is uncached"
REPR = "they read no cache from gen_ai.usage.input_token_details: all input is uncached"
EXCLUDED = "OpenLIT's input of Anthropic lacks what was cached, which they subtract from it"
GUESSED = "OpenLIT guesses the tokens of a stream that told none: ours is unknown, they believe it"
UNNAMED = "LiteLLM names the operation in a word of its own: they take it for no call"
MOVED = "a moving alias: ours is Large 2, theirs Large 3"
EMITTED: dict[str, dict[str, str]] = {
    "openinference": {
        "embeddings": NO_EMBEDDINGS,
        "message stream abandoned": LEFT,
    },
    "openinference-langchain": {},
    "official": {
        "embeddings": NO_EMBEDDINGS,
        "message cache write, message cache write 1h, message stream cache write 1h": WRITTEN,
        "message stream abandoned": LEFT,
    },
    "anthropic": {
        "message cache write, message cache write 1h, message stream cache write 1h": WRITTEN,
        "message stream abandoned": LEFT,
    },
    "openllmetry": {"embeddings": NO_EMBEDDINGS},
    "openllmetry-langchain": {},
    "openlit": {
        "embeddings": NO_EMBEDDINGS,
        "chat stream without usage": GUESSED,
        "message cache write, message cache write 1h, message stream cache write 1h": EXCLUDED,
        "message cache read, message raw, message stream, message helper": EXCLUDED,
        "message async, message stream async": EXCLUDED,
        "message cache read within plan, message stream within plan": EXCLUDED,
    },
    "logfire": {
        "embeddings": NO_EMBEDDINGS,
        "chat cache read, chat raw, chat stream, chat stream async": RAW,
        "chat stream within plan, response, response stream": RAW,
        "message cache write, message cache write 1h, message stream cache write 1h": RAW,
        "message cache read, message stream, message stream async": RAW,
        "message stream within plan": RAW,
        "message stream abandoned": LEFT,
    },
    "pydantic-ai": {
        "message cache write 1h": WRITTEN_1H,
        "message stream abandoned": LEFT,
    },
    "langsmith": {
        "chat cache read, chat reasoning, chat raw, chat stream, chat helper, chat async": REPR,
        "chat stream async, chat cache read within plan": REPR,
        "response, response stream, response async": REPR,
        "message cache write, message cache write 1h, message cache read": REPR,
        "message raw, message async": REPR,
    },
    "litellm": {
        "chat before cache, chat cache read, chat cache read within plan, chat stream": UNNAMED,
        "response, response stream, embeddings": UNNAMED,
        "message cache write, message cache write 1h, message stream": UNNAMED,
        "message cache read, message cache read within plan": UNNAMED,
    },
    "litellm-v2": {"embeddings": NO_EMBEDDINGS},
    "litellm-v2-openinference": {"embeddings": NO_EMBEDDINGS},
    "litellm-v2-langfuse": {"embeddings": NO_EMBEDDINGS},
    "mistral": {
        "chat, chat before cache, chat cache read, chat async": MOVED,
        "chat cache read within plan": MOVED,
    },
    "farthing": {
        "embeddings": NO_EMBEDDINGS,
        "message cache write, message cache write 1h, message stream cache write 1h": WRITTEN,
        "message stream abandoned": LEFT,
    },
}
"""Emitter → sampled calls → why the amounts differ. ``farthing`` makes them as they are sent; of
Langfuse's spans Phoenix reads nothing."""


class Amounts(NamedTuple):
    """USD of the same spans. None: of none of them is it known."""

    theirs: float | None
    ours: float | None

    @property
    def differ(self) -> bool:
        if self.theirs is None or self.ours is None:
            return self.theirs is not self.ours
        return abs(self.theirs - self.ours) > SAME * max(self.theirs, self.ours)


class Sender:
    """Spans to Phoenix, through our processor; what was sent, by a name for it."""

    def __init__(self, server: Phoenix, *processors: CostSpanProcessor) -> None:
        exporter = BatchSpanProcessor(OTLPSpanExporter(server.traces))
        self._server = server
        self._replayed = Replayed(*processors, exporter)
        self.provider = self._replayed.provider
        self.sent: dict[tuple[str, str], list[str]] = {}

    def model(self, model: str, kind: str, **more: Any) -> None:
        """A call as OpenInference writes it."""
        provider, _ = ASKED[model]
        counts = {f"llm.token_count.{name}": count for name, count in COUNTS[kind].items()}
        known = {"openinference.span.kind": "LLM", "llm.provider": provider}
        tracer = self.provider.get_tracer(SCOPES[provider], "0.1.66")
        with self._named(model, kind):
            attributes = known | {"llm.model_name": model} | counts | more
            span = tracer.start_span("call", Context(), start_time=AT_NS, attributes=attributes)
            span.end(AT_NS + 10**9)

    def sample(self, emitter: str) -> None:
        """Every call that an emitter was sampled with."""
        for call in SAMPLES[emitter]["calls"]:
            with self._named(emitter, call["call"]):
                self._replayed.replay(call)

    def own(self) -> None:
        """The calls of the samples, made and recorded by us."""
        with Simulator() as simulator, asyncio.Runner() as runner:
            gateway = simulator.url.removeprefix("http://")
            farthing.instrument(self.provider, MeterProvider(), gateways=gateway)
            try:
                clients = openai_clients(simulator.url), anthropic_clients(simulator.url)
                calls = {**openai_calls(*clients[0]), **anthropic_calls(*clients[1])}
                for name, call in calls.items():
                    with self._named("farthing", name):
                        runner.run(_made(call))
                        gc.collect()  # which ends what was left
            finally:
                farthing.uninstrument()

    def amounts(self) -> dict[tuple[str, str], Amounts]:
        """What became of it: Phoenix's own amount, and ours as Phoenix stored it."""
        stored = self.stored()
        found: dict[tuple[str, str], Amounts] = {}
        for name, span_ids in self.sent.items():
            spans = [stored[span_id] for span_id in span_ids]
            found[name] = Amounts(_sum(span.cost for span in spans), _sum(map(_ours, spans)))
        return found

    def stored(self) -> dict[str, Stored]:
        self.provider.shutdown()
        return self._server.stored([span for spans in self.sent.values() for span in spans])

    @contextmanager
    def _named(self, group: str, name: str) -> Iterator[None]:
        self._replayed.exporter.clear()
        yield
        contexts = [span.context for span in self._replayed.exporter.get_finished_spans()]
        self.sent[group, name] = [trace.format_span_id(one.span_id) for one in contexts if one]


async def _made(call: Callable[[], Any]) -> None:
    result = call()
    if inspect.isawaitable(result):
        await result


def _ours(span: Stored) -> float | None:
    ours = span.attribute("farthing.cost.amount")
    return span.attribute("gen_ai.usage.cost.amount") if ours is None else ours


def _sum(amounts: Iterable[float | None]) -> float | None:
    known = [amount for amount in amounts if amount is not None]
    return sum(known) if known else None


def expanded(known: Mapping[str, str], separator: str) -> dict[str, str]:
    """Every one of the names that a key has, and why it differs."""
    return {name: why for names, why in known.items() for name in names.split(separator)}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Phoenix]:
    with phoenix.running(tmp_path_factory.mktemp("phoenix")) as running:
        yield running


@pytest.fixture(scope="module")
def amounts(server: Phoenix) -> dict[tuple[str, str], Amounts]:
    """(model or emitter, kind or call) → both amounts."""
    sender = Sender(server, CostSpanProcessor(MeterProvider(), gateways="127.0.0.1:8000"))
    for model, (_, kinds) in ASKED.items():
        for kind in kinds:
            sender.model(model, kind)
    for emitter in EMITTED:
        if emitter != "farthing":
            sender.sample(emitter)
    ours = Sender(server)
    ours.own()
    return sender.amounts() | ours.amounts()


def of(group: str, amounts: Mapping[tuple[str, str], Amounts]) -> dict[str, Amounts]:
    return {name: both for (one, name), both in amounts.items() if one == group}


def differing(group: str, amounts: Mapping[tuple[str, str], Amounts]) -> dict[str, Amounts]:
    return {name: both for name, both in of(group, amounts).items() if both.differ}


@pytest.mark.parametrize("model", ASKED)
def test_of_a_model_both_say_the_same_or_why_not_is_known(
    model: str, amounts: dict[tuple[str, str], Amounts]
) -> None:
    known = expanded(KNOWN.get(model, {}), " ")
    assert of(model, amounts).keys() == set(ASKED[model][1])
    found = differing(model, amounts)
    assert found.keys() == known.keys(), (found, known)


@pytest.mark.parametrize("emitter", EMITTED)
def test_of_an_emitter_both_say_the_same_or_why_not_is_known(
    emitter: str, amounts: dict[tuple[str, str], Amounts]
) -> None:
    known = expanded(EMITTED[emitter], ", ")
    found = differing(emitter, amounts)
    assert found.keys() == known.keys(), (found, known)
    assert any(both.ours for both in of(emitter, amounts).values())


def test_enough_is_compared(
    amounts: dict[tuple[str, str], Amounts], capsys: pytest.CaptureFixture[str]
) -> None:
    assert set(KNOWN) <= set(ASKED)
    same = [model for model in ASKED if not differing(model, amounts)]
    assert len(same) > 40
    assert {ASKED[model][0] for model in same} == {"openai", "anthropic", "google"}
    with capsys.disabled():
        print(f"\n{phoenix.PACKAGE}: {len(same)} of {len(ASKED)} models cost the same. The rest:")
        print(f"{'model or emitter':26}{'call':32}{'theirs':>12}{'ours':>12}  why")
        reasons = [(group, expanded(known, " ")) for group, known in KNOWN.items()]
        reasons += [(group, expanded(known, ", ")) for group, known in EMITTED.items()]
        for group, known in reasons:
            for name, why in known.items():
                theirs, ours = (
                    f"{x:.6g}" if x is not None else "none" for x in amounts[group, name]
                )
                print(f"{group:26}{name:32}{theirs:>12}{ours:>12}  {why}")


def test_a_cost_on_the_span_is_kept_and_not_believed(server: Phoenix) -> None:
    """What `FARTHING_COST_ALIASES` and other emitters say under OpenInference's own names."""
    sender = Sender(server, CostSpanProcessor(MeterProvider(), cost_aliases="openinference"))
    sender.model("gpt-4.1", "read")
    sender.model("claude-opus-4-1", "plain")
    sender.model("gpt-4.1", "plain", **{"llm.cost.total": 9.0})
    stored = sender.stored()
    known, unknown, said = (stored[span] for (span,) in sender.sent.values())
    assert known.attribute("llm.cost.total") == pytest.approx(known.cost) == 0.006
    assert unknown.attribute("llm.cost.total") == 0.043875
    assert unknown.cost is None
    assert said.attribute("llm.cost.total") == 9.0
    assert said.attribute("farthing.cost.amount") == pytest.approx(said.cost) == 0.00516
