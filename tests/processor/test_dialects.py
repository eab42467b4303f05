"""Dialects against samples of real spans: what a call cost is read exactly from whatever was
written, and what an emitter loses is known by name."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from fnmatch import fnmatchcase
from typing import Any, NamedTuple

import pytest

from farthing_processor.assessment import assess
from farthing_processor.dialects import Dialect, Reading, Seen, choose, of_scope, read
from farthing_processor.pricing import price
from farthing_processor.readers import READERS
from farthing_processor.usage import COUNTS, Usage
from tests.processor.conftest import ns
from tests.replaying import CALLS, SAMPLES

NOW = ns("2026-11-22T12:00:00")
SERVER = frozenset({"127.0.0.1:8000"})
"""The simulator, to which every sampled call went."""

PROVIDERS = {"gpt": "openai", "text": "openai", "claude": "anthropic", "mistral": "mistral_ai"}

CLIENTS = ("official", "openllmetry", "openinference", "openlit", "logfire", "anthropic")
LANGCHAIN = ("openllmetry-langchain", "openinference-langchain")
EMITTERS = (*CLIENTS, *LANGCHAIN, "pydantic-ai", "mistral")
HONEST = tuple(emitter for emitter in EMITTERS if emitter != "openlit")
SAMPLED = [(emitter, name, call) for emitter, name, call in CALLS if emitter in EMITTERS]

HOUR = {"cache_write_1h_tokens", "cost"}
ENDING = {"complete", "output_tokens", "cost"}


class Loss(NamedTuple):
    """What emitters lose of calls. A release that mends it fails the test, and its row goes."""

    emitters: tuple[str, ...]
    calls: str
    """A pattern of names."""
    lost: set[str]
    why: str


LOSSES = (
    Loss(CLIENTS[:4], "message cache write 1h", HOUR, "times to live are not told apart"),
    Loss(CLIENTS[:4], "message stream cache write*", HOUR, "the same of a stream"),
    Loss(("openinference-langchain",), "message cache write 1h", HOUR, "the same"),
    Loss(
        ("openllmetry-langchain",),
        "message cache write*",
        {"cache_write_tokens", "cost"},
        "what LangChain tells by time to live is not read",
    ),
    Loss(("openllmetry-langchain",), "*1h", {"cache_write_1h_tokens"}, "the same"),
    # Streams that nobody read to their end, or that say nothing of usage.
    Loss(HONEST, "chat stream without usage*", {"usage"}, "nobody was told"),
    Loss(HONEST, "chat stream abandoned*", {"usage"}, "it comes with the last chunk"),
    Loss(HONEST, "response stream abandoned*", {"usage"}, "it comes with the last event"),
    Loss(HONEST, "message stream abandoned*", ENDING, "the counts are those of the beginning"),
    Loss(("openllmetry",), "message stream abandoned*", {"span"}, "the span never ends"),
    Loss(("openlit",), "* abandoned*", {"span"}, "the span never ends"),
    Loss(
        ("openlit",),
        "chat stream without usage",
        {"complete", "input_tokens", "output_tokens", "cache_read_tokens", "cost"},
        "words are counted instead",
    ),
    Loss(("mistral",), "chat stream", {"usage"}, "of a stream's events only the first is read"),
    # Counts that are not the provider's.
    Loss(("openllmetry",), "message stream*", ENDING, "the beginning's output is added"),
    Loss(("openllmetry",), "message helper", {"output_tokens", "cost"}, "the same, unmarked"),
    Loss(("openlit",), "chat reasoning*", {"reasoning_tokens"}, "not of chat completions"),
    Loss(("openllmetry-langchain",), "response*", {"reasoning_tokens"}, "not read"),
    # Names.
    Loss(("openinference", "openinference-langchain"), "*", {"response_id"}, "never written"),
    Loss(("openinference",), "chat*", {"request_model"}, "only within what is redacted"),
    Loss(("openinference",), "response*", {"request_model"}, "the same"),
    Loss(("openinference",), "embeddings", {"request_model"}, "the same"),
    Loss(("openinference-langchain",), "*", {"request_model"}, "the same"),
    Loss(LANGCHAIN, "response*", {"response_model", "response_id"}, "not read of responses"),
    Loss(LANGCHAIN, "message stream*", {"response_model", "response_id"}, "not read of streams"),
    Loss(LANGCHAIN, "chat stream*", {"response_model", "response_id"}, "not read of streams"),
    Loss(
        ("logfire",),
        "* stream*",
        {"response_model", "response_id"},
        "a stream is told by its request",
    ),
    Loss(("logfire",), "message raw", {"span"}, "no more than the request"),
    Loss(("openlit",), "message error", {"span"}, "no attribute at all"),
    Loss(("mistral",), "chat error", {"error"}, "neither a status nor a type"),
)
"""Of several rows for a call each adds to what is lost."""


def expected(emitter: str, call: dict[str, Any]) -> set[str]:
    lost: set[str] = set()
    for row in LOSSES:
        if emitter in row.emitters and fnmatchcase(call["call"], row.calls):
            lost |= row.lost
    for whole in ("span", "usage"):
        if whole in lost:
            return {whole}
    # What was not there cannot be lost.
    (entry,) = call["ledger"]
    if entry["usage"] is None:
        return lost & {"error"}
    return lost if entry["response_id"] else lost - {"response_id"}


def reading_of(span: dict[str, Any]) -> tuple[Dialect, Reading] | None:
    scope, attributes = span["scope"], span["attributes"]
    dialect = choose(scope["name"], attributes)
    if dialect is None:
        return None
    failed = span["status"] == "ERROR"
    seen = Seen(attributes, scope["name"], scope["version"], NOW, NOW + 10**9, failed)
    reading = read(dialect, seen, SERVER)
    return None if reading is None else (dialect, reading)


def lost(entry: dict[str, Any], reading: Reading) -> Iterator[str]:
    """What of a call that the provider billed is not, or not as it was, in what was read of it."""
    facts, provider = reading.facts, PROVIDERS[entry["model"].partition("-")[0]]
    if facts.provider != provider:
        yield "provider"
    if entry["usage"] is None:
        if not facts.error_type:
            yield "error"
        assert facts.usage is None
        return
    if facts.usage is None:
        yield "usage"
        return
    told = READERS[provider, entry["api"]]({"usage": entry["usage"]}) or Usage()
    for field in COUNTS:
        if (getattr(facts.usage, field) or 0) != (getattr(told, field) or 0):
            yield field
    if facts.usage.complete != told.complete:
        yield "complete"
    if facts.response_model != entry["model"]:
        yield "response_model"
    if facts.response_id != entry["response_id"]:
        yield "response_id"
    if facts.request_model is None:
        yield "request_model"
    ours = assess(facts, reading.who)
    bill = entry["cost"]
    if bill is None:  # the simulator bills two providers only
        bill = price(told, provider=provider, model=entry["model"], at_ns=NOW).exact()
    if ours.cost != float(Decimal(bill)) or ours.status != "priced":
        yield "cost"


@pytest.mark.parametrize(
    ("emitter", "call"), [pytest.param(e, c, id=f"{e}-{n}") for e, n, c in SAMPLED]
)
def test_a_sampled_call_is_read_as_it_was_billed(emitter: str, call: dict[str, Any]) -> None:
    readings = [found[1] for span in call["spans"] if (found := reading_of(span))]
    entries = call["ledger"]
    assert len(readings) <= len(entries), "more spans are read as calls than there were calls"
    found = {"span"} if len(readings) < len(entries) else set[str]()
    for entry, reading in zip(entries, readings, strict=False):
        found |= set(lost(entry, reading))
    assert found == expected(emitter, call)


@pytest.mark.parametrize(
    ("emitter", "call"),
    [pytest.param(e, c, id=f"{e}-{n}") for e, n, c in SAMPLED if "abandoned" in n],
)
def test_a_stream_that_was_left_has_no_confident_price(emitter: str, call: dict[str, Any]) -> None:
    for span in call["spans"]:
        if found := reading_of(span):
            status = assess(found[1].facts, found[1].who).status
            assert status in ("usage_missing", "estimated", "partial", None)


def test_each_loss_is_of_a_call_that_was_sampled() -> None:
    for row in LOSSES:
        of = {emitter for emitter, name, _ in SAMPLED if fnmatchcase(name, row.calls)}
        assert of & set(row.emitters) if row.emitters is HONEST else of >= set(row.emitters), row


@pytest.mark.parametrize("emitter", EMITTERS)
def test_nothing_but_a_leaf_is_a_call(emitter: str) -> None:
    kinds = ("invoke_agent", "create_agent", "execute_task", "execute_tool", "invoke_workflow")
    seen = 0
    for call in SAMPLES[emitter]["calls"]:
        for span in call["spans"]:
            said = span["attributes"]
            if (
                span["scope"]["name"] == "application"
                or said.get("gen_ai.operation.name") in kinds
                or said.get("openinference.span.kind") in ("AGENT", "CHAIN", "TOOL", "PROMPT")
            ):
                seen += 1
                assert reading_of(span) is None, span["name"]
    assert seen


@pytest.mark.parametrize("emitter", EMITTERS)
def test_who_counts_tokens_by_itself_is_known(emitter: str) -> None:
    calls = SAMPLES[emitter]["calls"]
    metered = {name for call in calls for names in call["metrics"].values() for name in names}
    found = [found for call in calls for span in call["spans"] if (found := reading_of(span))]
    counts = "gen_ai.client.token.usage" in metered
    assert {dialect.records_tokens for dialect, _ in found} == {counts}


@pytest.mark.parametrize("emitter", EMITTERS)
def test_a_scope_is_known_and_one_of_calls_alone_has_no_other_spans(emitter: str) -> None:
    for call in SAMPLES[emitter]["calls"]:
        for span in call["spans"]:
            if (scope := span["scope"]["name"]) == "application":
                continue
            first = of_scope(scope)[0]
            if first.calls_only and span["attributes"]:  # OpenLIT has an error without any
                assert reading_of(span) is not None
            if reading_of(span) is not None:
                chosen = choose(scope, span["attributes"])
                assert chosen is first


def test_who_spends_is_read_where_the_emitter_says_it() -> None:
    who = {
        emitter: next(
            found[1].who
            for call in SAMPLES[emitter]["calls"]
            if call["call"] in ("agent", "chat cache read")
            for span in call["spans"]
            if (found := reading_of(span)) and found[1].who.agent
        )
        for emitter in ("openllmetry-langchain", "pydantic-ai")
    }
    langchain = who["openllmetry-langchain"]
    assert (langchain.workflow, langchain.step, langchain.agent) == ("planner", "model", "planner")
    assert who["pydantic-ai"].agent == "planner"


def test_what_langchain_wrote_to_a_cache_is_assumed_to_be_nothing_where_it_is_not_told() -> None:
    for call in SAMPLES["openllmetry-langchain"]["calls"]:
        for span in call["spans"]:
            if found := reading_of(span):
                untold = found[1].facts.provider == "anthropic" and found[1].facts.usage is not None
                assert found[1].assumed == (("not_cached",) if untold else ())


def test_a_cost_of_the_emitter_is_reported() -> None:
    for call in SAMPLES["pydantic-ai"]["calls"]:
        for span in call["spans"]:
            if (found := reading_of(span)) and "abandoned" not in call["call"]:
                said = span["attributes"].get("operation.cost")
                assert found[1].reported == (None if said is None else Decimal(str(said)))


def test_a_cost_of_nothing_is_not_reported() -> None:
    for call in SAMPLES["openlit"]["calls"]:
        for span in call["spans"]:
            if found := reading_of(span):
                assert span["attributes"].get("gen_ai.usage.cost") in (0, None)
                assert found[1].reported is None
