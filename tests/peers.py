"""Other tracers of the same clients: their versions, their environments, and how each is started.

This module is read by pytest, and by programs that run in a peer's own environment: it imports
nothing but the standard library until it is asked to.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Callable
from contextlib import ExitStack
from importlib import import_module
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
FOLDER = ROOT / ".venv-peers"
"""Where the environments are kept between runs; git is told not to look, by a file inside."""

CLIENTS = ("openai==3.54.0", "anthropic==2.12.0")
"""Installed last, and alone: OpenLIT 1.45.0 asks for openai < 3 and anthropic < 1, and works with
these too."""

PACKAGES = {
    "farthing": (),
    "anthropic": (),
    "official": (
        "opentelemetry-instrumentation-genai-openai==1.3b0",
        "opentelemetry-instrumentation-genai-anthropic==1.3b0",
    ),
    "openllmetry": (
        "opentelemetry-instrumentation-openai==0.62.4",
        "opentelemetry-instrumentation-anthropic==0.62.4",
    ),
    "openinference": (
        "openinference-instrumentation-openai==0.1.66",
        "openinference-instrumentation-anthropic==3.1.0",
    ),
    "openlit": ("openlit==1.45.0",),
    "logfire": ("logfire==5.2.0",),
}
"""Peer → what to install. ``anthropic`` is the tracer inside the client of that name."""

FRAMEWORKS = {
    "langchain": (
        "langchain==1.4.7",
        "langchain-openai==1.7.3",
        "langchain-anthropic==1.7.7",
        "openinference-instrumentation-langchain==0.1.80",
        "opentelemetry-instrumentation-langchain==0.62.4",
    ),
    "pydantic-ai": ("pydantic-ai-slim[openai,anthropic]==2.68.0",),
    "langfuse": ("langfuse==5.0.4",),
    "litellm": ("litellm[mcp]==1.106.2",),
    "langsmith": ("langsmith[otel]==0.15.0",),
    "mistral": ("mistralai==3.7.0",),
}
"""Environment → what to install, of tracers of more than the two clients, or of others."""

_BESIDE = [own for peer, own in PACKAGES.items() if peer != "openlit"]
FRAMEWORKS["together"] = sum(_BESIDE, FRAMEWORKS["langchain"])
"""Every tracer of the two clients, and of LangChain, in one environment."""

ALONE = {"together": (("--no-deps", *PACKAGES["openlit"]),)}
"""Environment → what pip installs in further steps: OpenLIT asks for older clients than LangChain
does, and for packages that it needs only to trace others."""

INSTRUMENTORS = {
    "official": (
        "opentelemetry.instrumentation.genai.openai:OpenAIInstrumentor",
        "opentelemetry.instrumentation.genai.anthropic:AnthropicInstrumentor",
    ),
    "openllmetry": (
        "opentelemetry.instrumentation.openai:OpenAIInstrumentor",
        "opentelemetry.instrumentation.anthropic:AnthropicInstrumentor",
    ),
    "openinference": (
        "openinference.instrumentation.openai:OpenAIInstrumentor",
        "openinference.instrumentation.anthropic:AnthropicInstrumentor",
    ),
    "openllmetry-langchain": ("opentelemetry.instrumentation.langchain:LangchainInstrumentor",),
    "openinference-langchain": ("openinference.instrumentation.langchain:LangChainInstrumentor",),
}
"""Peer → its OpenTelemetry instrumentors."""

QUIET = {
    "LOGFIRE_SEND_TO_LOGFIRE": "false",
    "LOGFIRE_CONSOLE": "false",
    "OTEL_LOGS_EXPORTER": "none",
    "OPENINFERENCE_HIDE_INPUTS": "true",
    "OPENINFERENCE_HIDE_OUTPUTS": "true",
    "TRACELOOP_TRACE_CONTENT": "false",
    "TRACELOOP_TELEMETRY": "false",
    "LITELLM_LOCAL_MODEL_COST_MAP": "true",
}
"""No peer phones home, prints, or (where it can be told) captures content, as farthing does not."""


def python(peer: str) -> Path:
    """The interpreter of the peer's environment, which is made when it is not there or is old.

    Raises `subprocess.CalledProcessError`, with pip's words in ``stderr``, where it cannot be made.
    """
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    own = (PACKAGES | FRAMEWORKS)[peer]
    steps = (tuple(project["dependencies"]) + own, *ALONE.get(peer, ()), CLIENTS)
    return made(peer if own else "clients", *steps)


def made(name: str, *steps: tuple[str, ...]) -> Path:
    """The interpreter of an environment in which pip installed the packages of each step."""
    folder, wanted = FOLDER / name, f"{sys.version}\n{steps}"
    stamp = folder / "made-of"
    if not stamp.exists() or stamp.read_text() != wanted:
        FOLDER.mkdir(exist_ok=True)
        (FOLDER / ".gitignore").write_text("*\n")
        subprocess.run([sys.executable, "-m", "venv", "--clear", folder], check=True)
        for packages in steps:
            pip = [folder / "bin" / "pip", "install", "-q", "--disable-pip-version-check"]
            subprocess.run([*pip, *packages], check=True, capture_output=True, text=True)
        stamp.write_text(wanted)
    return folder / "bin" / "python"


def environment() -> dict[str, str]:
    """The variables of a program in a peer's environment: our sources, and quiet peers."""
    ours = ("OTEL_", "FARTHING_", "PYTHONDONTWRITEBYTECODE")
    sources = (ROOT, ROOT / "instrumentation", ROOT / "processor", ROOT / "dashboards")
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    return inherited | QUIET | {"PYTHONPATH": os.pathsep.join(map(str, sources))}


def start(peer: str, tracer_provider: Any, meter_provider: Any) -> Callable[[], None]:
    """Instrument both clients with ``peer``; what undoes it, as far as the peer can.

    OpenLIT takes the global providers only: they must be the given ones.
    """
    if peer == "farthing":
        import farthing

        farthing.instrument(tracer_provider, meter_provider)
        return farthing.uninstrument
    if peer == "logfire":
        return _start_logfire(tracer_provider, meter_provider)
    if peer == "openlit":
        return _start_openlit()
    undo = ExitStack()
    for place in INSTRUMENTORS.get(peer, ()):
        module, _, name = place.partition(":")
        kind = getattr(import_module(module), name)
        kind().instrument(tracer_provider=tracer_provider, meter_provider=meter_provider)
        undo.callback(kind().uninstrument)
    return undo.close


def _start_openlit() -> Callable[[], None]:
    import openlit
    from openlit._instrumentors import MODULE_NAME_MAP

    with tempfile.NamedTemporaryFile("w", suffix=".json") as prices:
        prices.write('{"chat": {}, "embeddings": {}}')
        prices.flush()
        openlit.init(
            capture_message_content=False,
            disable_events=True,
            # Else it downloads its prices, and instruments each HTTP library that it finds.
            pricing_json=prices.name,
            disabled_instrumentors=[n for n in MODULE_NAME_MAP if n not in ("openai", "anthropic")],
        )
    return lambda: None  # what its instrumentors say to uninstrument() is `pass`


def _start_logfire(tracer_provider: Any, meter_provider: Any) -> Callable[[], None]:
    """Logfire has providers of its own: the given ones lend it their processors and sampler."""
    import logfire

    from farthing import CostSpanProcessor

    lent = tracer_provider._active_span_processor._span_processors
    own = logfire.configure(
        local=True,
        send_to_logfire=False,
        console=False,
        inspect_arguments=False,
        metrics=False,
        sampling=logfire.SamplingOptions(head=tracer_provider.sampler),
        additional_span_processors=[one for one in lent if not isinstance(one, CostSpanProcessor)],
    )
    for one in lent:
        if isinstance(one, CostSpanProcessor):
            # What is given to `configure` is told of spans that began or ended, not of ending ones.
            own.config.get_tracer_provider().add_span_processor(one)
    begun = own.instrument_openai(), own.instrument_anthropic()

    def undo() -> None:
        for one in begun:
            with one:
                pass

    return undo
