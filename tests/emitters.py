"""The emitters whose spans are sampled: how each is started, and what is called through it.

Every emitter is a function from the sampler (providers and simulator) to its calls. What a
framework cannot do, or does by the same path as another of its calls, is left out.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple

from tests import peers, sampled_calls
from tests.sampled_calls import (
    ASKED,
    CLASSIFY,
    EMBEDDINGS,
    PLAN,
    RESEARCH,
    SUMMARISE,
    Calls,
    abandoned,
    abandoned_async,
    failing,
    failing_async,
    read,
    read_async,
)

if TYPE_CHECKING:
    from tests.sampling import Sampler


class Emitter(NamedTuple):
    """Where it is installed, how it starts, and which calls are made in another span too."""

    environment: str
    start: Callable[[Sampler], Calls]
    within: Iterable[str]


def _clients(peer: str, leave_out: Iterable[str], sampler: Sampler) -> Calls:
    if peer == "openlit":
        sampler.be_global()
    peers.start(peer, sampler.tracer_provider, sampler.meter_provider)
    url = sampler.simulator.url
    to_openai = sampled_calls.openai_calls(*sampled_calls.openai_clients(url))
    calls = to_openai | sampled_calls.anthropic_calls(*sampled_calls.anthropic_clients(url))
    return {name: call for name, call in calls.items() if name not in leave_out}


def _anthropic(sampler: Sampler) -> Calls:
    native = sampled_calls.anthropic_clients(
        sampler.simulator.url, tracer_provider=sampler.tracer_provider
    )
    return sampled_calls.anthropic_calls(*native)


def _langchain(peer: str, sampler: Sampler) -> Calls:
    peers.start(peer, sampler.tracer_provider, sampler.meter_provider)
    return langchain_calls(sampler.simulator.url)


def langchain_calls(url: str) -> Calls:
    """Through LangChain, to both providers."""
    from langchain.agents import create_agent
    from langchain_anthropic import ChatAnthropic
    from langchain_core.messages import HumanMessage, SystemMessage
    from langchain_core.prompts import ChatPromptTemplate
    from langchain_openai import ChatOpenAI

    keys: Any = {"api_key": "key", "max_retries": 0}
    to_openai: Any = {"model": "gpt-4.1", "base_url": f"{url}/v1", **keys}
    gpt = ChatOpenAI(**to_openai, stream_usage=True)
    silent = ChatOpenAI(**to_openai, stream_usage=False)
    thinking = ChatOpenAI(**to_openai | {"model": "gpt-5.5", "use_responses_api": True})
    claude = ChatAnthropic(model="claude-haiku-4-5", base_url=url, max_tokens=2000, **keys)

    def said(instructions: str, ttl: str | None = None) -> list[Any]:
        part: dict[str, Any] = {"type": "text", "text": instructions}
        if ttl:
            part["cache_control"] = {"type": "ephemeral", "ttl": ttl}
        return [SystemMessage([part]), HumanMessage(ASKED)]

    def weather(city: str) -> str:
        """The weather in a city."""
        return f"Rain in {city}."

    chain = ChatPromptTemplate.from_messages([("system", PLAN), ("user", "{asked}")]) | gpt
    agent = create_agent(gpt, tools=[weather], system_prompt=PLAN, name="planner")
    to_claude = create_agent(claude, tools=[weather], system_prompt=PLAN, name="planner")
    user = {"messages": [HumanMessage(ASKED)]}
    plan, kept = said(PLAN), said(SUMMARISE, "5m")
    return {
        "chat": lambda: gpt.invoke(said(CLASSIFY)),
        "chat before cache": lambda: gpt.invoke(plan),
        "chat cache read": lambda: gpt.invoke(plan),
        "chat stream": lambda: read(gpt.stream(plan)),
        "chat stream without usage": lambda: read(silent.stream(plan)),
        "chat stream abandoned": lambda: abandoned(gpt.stream(plan)),
        "chat error": lambda: failing(gpt.invoke, {"input": plan}),
        "chat async": lambda: gpt.ainvoke(plan),
        "chat stream async": lambda: read_async(gpt.astream(plan)),
        "response": lambda: thinking.invoke(plan),
        "response stream": lambda: read(thinking.stream(plan)),
        "chain": lambda: chain.invoke({"asked": ASKED}),
        "agent": lambda: agent.invoke(user),
        "agent async": lambda: agent.ainvoke(user),
        "agent to Anthropic": lambda: to_claude.invoke(user),
        "message": lambda: claude.invoke(said(CLASSIFY)),
        "message cache write": lambda: claude.invoke(kept),
        "message cache read": lambda: claude.invoke(kept),
        "message cache write 1h": lambda: claude.invoke(said(RESEARCH, "1h")),
        "message stream": lambda: read(claude.stream(kept)),
        "message async": lambda: claude.ainvoke(kept),
    }


def _pydantic_ai(sampler: Sampler) -> Calls:
    import anthropic
    import openai
    from pydantic_ai import Agent
    from pydantic_ai.capabilities.instrumentation import Instrumentation
    from pydantic_ai.models.anthropic import AnthropicModel
    from pydantic_ai.models.instrumented import InstrumentationSettings
    from pydantic_ai.models.openai import OpenAIChatModel, OpenAIResponsesModel
    from pydantic_ai.providers.anthropic import AnthropicProvider
    from pydantic_ai.providers.openai import OpenAIProvider

    _, to_openai = sampled_calls.openai_clients(sampler.simulator.url)
    _, to_anthropic = sampled_calls.anthropic_clients(sampler.simulator.url)
    providers: Any = {
        openai: OpenAIProvider(openai_client=to_openai),
        anthropic: AnthropicProvider(anthropic_client=to_anthropic),
    }
    settings = InstrumentationSettings(
        tracer_provider=sampler.tracer_provider,
        meter_provider=sampler.meter_provider,
        include_content=False,
    )

    def agent(model: Any, instructions: str, **more: Any) -> Any:
        return Agent(
            model,
            name="planner",
            instructions=instructions,
            capabilities=[Instrumentation(settings)],
            **more,
        )

    gpt = OpenAIChatModel("gpt-4.1", provider=providers[openai])
    thinking = OpenAIResponsesModel("gpt-5.5", provider=providers[openai])
    claude = AnthropicModel("claude-haiku-4-5", provider=providers[anthropic])

    async def streamed(agent: Any) -> None:
        async with agent.run_stream(ASKED) as stream:
            async for _ in stream.stream_text():
                pass

    async def given_up(agent: Any) -> None:
        async with agent.run_stream(ASKED) as stream:
            async for _ in stream.stream_text(debounce_by=None):
                break

    def failed(agent: Any) -> Any:
        def run(extra_headers: Any) -> Any:
            return agent.run(ASKED, model_settings={"extra_headers": extra_headers})

        return failing_async(run, {})

    def keeping(ttl: str) -> Any:
        return {"anthropic_cache_instructions": ttl}

    plan, think = agent(gpt, PLAN), agent(thinking, PLAN)
    kept = agent(claude, SUMMARISE, model_settings=keeping("5m"))
    long_kept = agent(claude, RESEARCH, model_settings=keeping("1h"))
    return {
        "chat": lambda: agent(gpt, CLASSIFY).run(ASKED),
        "chat before cache": lambda: plan.run(ASKED),
        "chat cache read": lambda: plan.run(ASKED),
        "chat stream": lambda: streamed(plan),
        "chat stream abandoned": lambda: given_up(plan),
        "chat error": lambda: failed(plan),
        "response": lambda: think.run(ASKED),
        "response stream": lambda: streamed(think),
        "message": lambda: agent(claude, CLASSIFY).run(ASKED),
        "message cache write": lambda: kept.run(ASKED),
        "message cache read": lambda: kept.run(ASKED),
        "message cache write 1h": lambda: long_kept.run(ASKED),
        "message stream": lambda: streamed(kept),
        "message stream abandoned": lambda: given_up(kept),
        "message error": lambda: failed(kept),
    }


def _langfuse(sampler: Sampler) -> Calls:
    import_module("langfuse.openai")  # which instruments the client
    from langfuse import Langfuse
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    tracer = Langfuse(
        public_key="pk-lf-any",
        secret_key="sk-lf-any",
        base_url=sampler.simulator.url,
        tracer_provider=sampler.tracer_provider,
        span_exporter=InMemorySpanExporter(),
    )
    url = sampler.simulator.url
    claude, _ = sampled_calls.anthropic_clients(url)

    def generation(instructions: str, ttl: str | None) -> None:
        """By hand, with the provider's own counts, as Langfuse's manual has it."""
        request = sampled_calls.message(instructions, ttl)
        with tracer.start_as_current_observation(
            as_type="generation", name="anthropic-message", model=request["model"]
        ) as observed:
            answer = claude.messages.create(**request)
            counts = {"input": answer.usage.input_tokens, "output": answer.usage.output_tokens}
            for name in ("cache_read_input_tokens", "cache_creation_input_tokens"):
                counts[name] = getattr(answer.usage, name)
            observed.update(usage_details=counts)

    return sampled_calls.openai_calls(*sampled_calls.openai_clients(url)) | {
        "message": lambda: generation(CLASSIFY, None),
        "message cache write": lambda: generation(SUMMARISE, "5m"),
        "message cache read": lambda: generation(SUMMARISE, "5m"),
    }


def _langsmith(sampler: Sampler) -> Calls:
    os.environ |= {"LANGSMITH_TRACING": "true", "LANGSMITH_REVISION_ID": "any"}
    from langsmith import Client, traceable
    from langsmith.wrappers import wrap_anthropic, wrap_openai

    sampler.be_global()
    url = sampler.simulator.url
    client = Client(
        api_key="any",
        api_url=url,
        info={},
        tracing_mode="otel",
        otel_tracer_provider=sampler.tracer_provider,
    )
    sampler.settle = client.flush
    extra: Any = {"tracing_extra": {"client": client}}
    gpt = [wrap_openai(one, **extra) for one in sampled_calls.openai_clients(url)]
    claude = [wrap_anthropic(one, **extra) for one in sampled_calls.anthropic_clients(url)]
    calls = sampled_calls.openai_calls(*gpt) | sampled_calls.anthropic_calls(*claude)

    @traceable(name="planner", client=client)
    def planner() -> None:
        calls["chat"]()

    # Its wrapper of an Anthropic stream calls an accumulator of the client that has changed since,
    # and the error reaches the application.
    broken = [name for name in calls if name.startswith(("message stream", "message helper"))]
    return {name: call for name, call in calls.items() if name not in broken} | {
        "traceable": planner
    }


def _litellm(mappers: tuple[str, ...], sampler: Sampler) -> Calls:
    """With ``mappers`` it is version 2 of its tracer that starts."""
    import litellm
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    providers = {
        "tracer_provider": sampler.tracer_provider,
        "meter_provider": sampler.meter_provider,
    }
    if mappers:
        from litellm.integrations.otel.logger import OpenTelemetryV2
        from litellm.integrations.otel.model.config import OpenTelemetryV2Config

        config = OpenTelemetryV2Config(mapper_names=list(mappers), enable_metrics=True)
        tracer: Any = OpenTelemetryV2(config, **providers)
    else:
        from litellm.integrations.opentelemetry import OpenTelemetry, OpenTelemetryConfig

        config = OpenTelemetryConfig(exporter=InMemorySpanExporter(), enable_metrics=True)
        tracer = OpenTelemetry(config, **providers)
    litellm.callbacks = [tracer]
    litellm.telemetry = False
    sampler.settle = sampler.recorder.wait
    url = sampler.simulator.url
    to_openai: Any = {"api_base": f"{url}/v1", "api_key": "key", "max_retries": 0}
    to_anthropic: Any = {"api_base": url, "api_key": "key", "max_retries": 0}

    def gpt(instructions: str, **more: Any) -> dict[str, Any]:
        return sampled_calls.chat(instructions, "openai/gpt-4.1", **to_openai, **more)

    def claude(instructions: str, ttl: str | None = None, **more: Any) -> dict[str, Any]:
        part: dict[str, Any] = {"type": "text", "text": instructions}
        if ttl:
            part["cache_control"] = {"type": "ephemeral", "ttl": ttl}
        request = sampled_calls.chat("", "anthropic/claude-haiku-4-5", **to_anthropic, **more)
        request["messages"][0]["content"] = [part]
        return request

    think = sampled_calls.response(PLAN) | {"model": "openai/gpt-5.5"} | to_openai
    embeddings = EMBEDDINGS | {"model": "openai/text-embedding-3-large"} | to_openai
    later, usage = litellm.acompletion, sampled_calls.USAGE
    kept = claude(SUMMARISE, "5m")
    return {
        # Version 2 writes a span of none but asynchronous calls.
        "chat sync": lambda: litellm.completion(**gpt(CLASSIFY)),
        "chat before cache": lambda: later(**gpt(PLAN)),
        "chat cache read": lambda: later(**gpt(PLAN)),
        "chat stream": lambda: read_async(later(**gpt(PLAN), **usage)),
        "chat stream without usage": lambda: read_async(later(**gpt(PLAN), stream=True)),
        "chat stream abandoned": lambda: abandoned_async(later(**gpt(PLAN), **usage)),
        "chat error": lambda: failing_async(later, gpt(PLAN)),
        "response": lambda: litellm.aresponses(**think),
        "response stream": lambda: read_async(litellm.aresponses(**think, stream=True)),
        "embeddings": lambda: litellm.aembedding(**embeddings),
        "message sync": lambda: litellm.completion(**claude(CLASSIFY)),
        "message cache write": lambda: later(**kept),
        "message cache read": lambda: later(**kept),
        "message cache write 1h": lambda: later(**claude(RESEARCH, "1h")),
        "message stream": lambda: read_async(later(**kept, **usage)),
        "message error": lambda: failing_async(later, kept),
    }


def _mistral(sampler: Sampler) -> Calls:
    from mistralai.client import Mistral
    from mistralai.extra.observability import configure_telemetry

    client = Mistral(api_key="key", server_url=sampler.simulator.url)
    configure_telemetry(client, sampler.tracer_provider)
    plan = sampled_calls.chat(PLAN, "mistral-large-latest")
    return {
        "chat": lambda: client.chat.complete(**sampled_calls.chat(CLASSIFY, plan["model"])),
        "chat before cache": lambda: client.chat.complete(**plan),
        "chat cache read": lambda: client.chat.complete(**plan),
        "chat async": lambda: client.chat.complete_async(**plan),
        "chat stream": lambda: read(client.chat.stream(**plan)),
        "chat error": lambda: failing(client.chat.complete, plan, "http_headers"),
    }


_WITHIN = ("chat", "chat stream", "response", "message cache read", "message stream")
_LITELLM_WITHIN = ("chat cache read", "message cache read")
# Logfire repeats the request and its schema, in each of two spans a stream.
_LESS = (
    *("chat reasoning", "chat helper", "chat async", "response async", "response error"),
    *("message helper", "message async"),
)
EMITTERS = {
    peer: Emitter(peer, partial(_clients, peer, ()), _WITHIN)
    for peer in ("official", "openllmetry", "openinference", "openlit")
} | {
    "logfire": Emitter(
        "logfire", partial(_clients, "logfire", _LESS), ("chat stream", "message stream")
    ),
    "anthropic": Emitter("anthropic", _anthropic, ("message cache read", "message stream")),
    "openinference-langchain": Emitter(
        "langchain", partial(_langchain, "openinference-langchain"), ("chat cache read", "agent")
    ),
    "openllmetry-langchain": Emitter(
        "langchain", partial(_langchain, "openllmetry-langchain"), ("chat cache read", "agent")
    ),
    "pydantic-ai": Emitter("pydantic-ai", _pydantic_ai, ("chat cache read", "message stream")),
    "langfuse": Emitter("langfuse", _langfuse, ("chat cache read", "chat stream")),
    "langsmith": Emitter("langsmith", _langsmith, ("chat cache read", "traceable")),
    "litellm": Emitter("litellm", partial(_litellm, ()), _LITELLM_WITHIN),
    "litellm-v2": Emitter("litellm", partial(_litellm, ("genai",)), _LITELLM_WITHIN),
    "litellm-v2-openinference": Emitter(
        "litellm", partial(_litellm, ("openinference",)), _LITELLM_WITHIN
    ),
    "litellm-v2-langfuse": Emitter("litellm", partial(_litellm, ("langfuse",)), _LITELLM_WITHIN),
    "mistral": Emitter("mistral", _mistral, ("chat cache read",)),
}
"""By the name of the sample's file."""
