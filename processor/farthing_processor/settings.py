"""Settings: every variable farthing reads, with the same names in the environment, YAML and code.

A setting ``semconv`` is ``FARTHING_SEMCONV`` in the environment, ``semconv:`` under
``instrumentation/development.python.farthing`` in an OpenTelemetry configuration file, and
``farthing.instrument(semconv=…)`` in code. What is given in code or YAML wins over the environment.
A value that makes no sense is said once, in one sentence, and the default is used: telemetry that
is set up badly must not stop the application.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Final, get_args

from farthing_processor import thresholds, values
from farthing_processor.metrics import SemconvChoice
from farthing_processor.thresholds import Entry, Rules, Thresholds

SEMCONV_CHOICES: Final[tuple[SemconvChoice, ...]] = get_args(SemconvChoice)


def _setting(default: object, parse: Callable[[object], object], env: str, meaning: str) -> Any:
    return field(default=default, metadata={"parse": parse, "env": env, "meaning": meaning})


@dataclass(frozen=True, slots=True)
class Settings:
    """All settings, parsed. Immutable; a change makes a new one."""

    semconv: SemconvChoice = _setting(
        "released",
        values.choice(SEMCONV_CHOICES, str.lower),
        "FARTHING_SEMCONV",
        "Which names the conventions' metrics have: `released` (what today's backends read), "
        "`latest` (the conventions' newest) or `both` (for a migration).",
    )
    content: str = _setting(
        "NO_CONTENT",
        values.content_mode,
        "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT",
        "Whether prompts and answers are recorded: `NO_CONTENT`, `SPAN_ONLY`, `EVENT_ONLY` or "
        "`SPAN_AND_EVENT`.",
    )
    content_limit: int | None = _setting(
        65_536,
        values.content_limit,
        "FARTHING_CONTENT_LIMIT",
        "Characters of JSON in each attribute that holds prompts or answers; `none` sets no limit. "
        "Above it the longest texts are cut, then the oldest messages left out: it stays JSON, "
        "and says what is missing.",
    )
    redact: Callable[[str], str | None] | str | None = _setting(
        None,
        values.function,
        "FARTHING_REDACT",
        "A function that is given each text of a prompt or answer and gives back what may be "
        "recorded, or None for nothing: in code itself, elsewhere as `package.module:function`. "
        "What it fails on is left out; where it cannot be imported, no content is recorded.",
    )
    gateways: frozenset[str] = _setting(
        frozenset[str](),
        values.hosts,
        "FARTHING_GATEWAYS",
        "Hosts of your own gateways or proxies, comma-separated, as `host` or `host:port`. A call "
        "to one is named and priced as a call to the client library's own provider; any other "
        "unknown host is not priced.",
    )
    prices: str | None = _setting(
        None,
        values.file,
        "FARTHING_PRICES",
        "A TOML file with your own prices: the first of its rules that applies to a call wins over "
        "the price table, and over what the provider reports. It is read once, at start.",
    )
    prices_table: str | None = _setting(
        None,
        values.file,
        "FARTHING_PRICES_TABLE",
        "Where `farthing prices update` keeps a newer price table and every process looks for one; "
        "`shipped` looks for none. Default: `farthing/prices.jsonl` in the user's cache folder.",
    )
    prices_refresh: str | None = _setting(
        None,
        values.source,
        "FARTHING_PRICES_REFRESH",
        "An https URL or a file that a thread in the background looks at every hour for a newer "
        "price table. Without it nothing is ever fetched.",
    )
    store: str | None = _setting(
        None,
        values.file,
        "FARTHING_STORE",
        "The file in which `farthing run`, `ui` and `report` keep and find telemetry. Default: "
        "`farthing/telemetry.db` in the user's data folder.",
    )
    store_days: float = _setting(
        30.0,
        values.amount,
        "FARTHING_STORE_DAYS",
        "How many days telemetry is kept there.",
    )
    store_max_mb: float = _setting(
        2048.0,
        values.amount,
        "FARTHING_STORE_MAX_MB",
        "How many megabytes (MiB) that file may have; the oldest telemetry goes first.",
    )
    price_spans: bool = _setting(
        True,
        values.switch,
        "FARTHING_PRICE_SPANS",
        "`0` leaves the spans of other tracers as they are; otherwise each span of a call to a "
        "model leaves with its cost, whoever made it, and each call is paid once.",
    )
    cost_aliases: frozenset[str] = _setting(
        frozenset[str](),
        values.backends,
        "FARTHING_COST_ALIASES",
        "Backends under whose own names spans repeat the cost, comma-separated: `langfuse`, "
        "`logfire`, `openinference`, `openlit`. With `langfuse` or `openlit` that is "
        "`gen_ai.usage.cost`. Because `gen_ai.usage.cost.amount` and its siblings lie inside that "
        "name, they are left out then, and the amount is `farthing.cost.amount`.",
    )
    outlier_factor: float = _setting(
        Thresholds().factor,
        thresholds.reader("factor"),
        "FARTHING_OUTLIER_FACTOR",
        "A call that costs more than so many times the median of its step is an outlier.",
    )
    outlier_min_usd: float = _setting(
        Thresholds().min_usd,
        thresholds.reader("min_usd"),
        "FARTHING_OUTLIER_MIN_USD",
        "What a call must cost, in USD, for its cost or size to make it an outlier.",
    )
    outlier_min_count: int = _setting(
        Thresholds().min_count,
        thresholds.reader("min_count"),
        "FARTHING_OUTLIER_MIN_COUNT",
        "How many calls of a step there must be before they have a median.",
    )
    outlier_cold_usd: float = _setting(
        Thresholds().cold_usd,
        thresholds.reader("cold_usd"),
        "FARTHING_OUTLIER_COLD_USD",
        "Before that, a call that costs more USD than this is marked `cold_threshold`, which is no "
        "outlier yet; `off` marks none.",
    )
    outliers: tuple[Entry, ...] = _setting(
        (),
        thresholds.entries,
        "FARTHING_OUTLIERS",
        "The same for single steps, and the other reasons' thresholds: "
        "`synthesis: factor=8, min_usd=0.1; embed*: low_yield=off; *: context_growth=10`. Beside "
        "`factor`, `min_usd`, `min_count` and `cold_usd` there are `context_growth`, "
        "`completion_spike`, `retry_storm`, `repeated_prompt`, `large_uncached_prefix` and "
        "`low_yield`; the first entry that names a step counts.",
    )
    baseline: str | None = _setting(
        None,
        values.file,
        "FARTHING_BASELINE",
        "A file of what steps usually cost, as `FARTHING_BASELINE_SAVE` writes one. It speaks for "
        "a step until the process has seen enough calls of it.",
    )
    baseline_save: str | None = _setting(
        None,
        values.file,
        "FARTHING_BASELINE_SAVE",
        "Where a process that ends adds what it has seen, for the next to begin with; it may be "
        "the same file. A process that is killed adds nothing.",
    )
    prompt_hash: bool = _setting(
        False,
        values.switch,
        "FARTHING_PROMPT_HASH",
        "`1` puts a hash of the prompt on spans (`farthing.prompt.hash`). Whoever can guess a "
        "prompt can confirm it by its hash; without this it never leaves the process.",
    )
    label_limit: int = _setting(
        200,
        values.positive,
        "FARTHING_LABEL_LIMIT",
        "How many distinct values a metric label may have; later ones become `other`.",
    )

    propagate: frozenset[str] = _setting(
        frozenset[str](),
        values.carried,
        "FARTHING_PROPAGATE",
        "What goes on to other processes in Baggage beside workflow, step, agent, feature and "
        "task: `user`, `session`, `tags` (all of your own) or names of own tags, comma-separated. "
        "Nothing of it is ever sent with a call that is recorded to its provider.",
    )
    include_usage: bool = _setting(
        False,
        values.switch,
        "FARTHING_INCLUDE_USAGE",
        "`1` asks for the usage of every streamed chat or text completion, which OpenAI-compatible "
        "servers otherwise leave out. The chunk that carries it is kept from the application.",
    )
    estimate: bool = _setting(
        False,
        values.switch,
        "FARTHING_ESTIMATE",
        "`1` estimates what a stream cost whose usage never came, from the characters that arrived "
        "and what earlier calls of the same model came to. Its status is `estimated`.",
    )
    log_calls: bool = _setting(
        False,
        values.switch,
        "FARTHING_LOG_CALLS",
        "`1` logs every call that is recorded as an event `farthing.step_cost`, to the logger "
        "provider, with its cost, tokens, step and workflow. One by `farthing.cost_trace` always "
        "is.",
    )
    anthropic_native: str = _setting(
        "replace",
        values.choice(("replace", "keep"), str.lower),
        "FARTHING_ANTHROPIC_NATIVE",
        "What becomes of the span that the `anthropic` client makes of a call by itself: `replace` "
        "has ours in its place, `keep` has the cost on the client's own.",
    )

    @property
    def content_on_spans(self) -> bool:
        return self.content in ("SPAN_ONLY", "SPAN_AND_EVENT")

    @property
    def outlier_rules(self) -> Rules:
        """From where on a call is not normal."""
        base = Thresholds(
            self.outlier_factor,
            self.outlier_min_usd,
            self.outlier_min_count,
            self.outlier_cold_usd,
        )
        return Rules(base, self.outliers)

    @property
    def content_in_events(self) -> bool:
        return self.content in ("EVENT_ONLY", "SPAN_AND_EVENT")


VARIABLES: Final[tuple[tuple[str, str, object, str], ...]] = tuple(
    (setting.metadata["env"], setting.name, setting.default, setting.metadata["meaning"])
    for setting in fields(Settings)
)
"""(variable, name in code and YAML, default, meaning) of every setting, for documentation."""


def load(
    given: Mapping[str, object] | None = None, environ: Mapping[str, str] | None = None
) -> tuple[Settings, list[str]]:
    """The settings, and one sentence for each value that could not be used.

    ``given`` is what code or YAML says, by setting name; None there means not given. An empty
    environment variable counts as unset, as OpenTelemetry asks.
    """
    given = given or {}
    environ = os.environ if environ is None else environ
    problems = [
        f"farthing has no setting {name!r}; it has: {', '.join(row[1] for row in VARIABLES)}."
        for name in given
        if name not in Settings.__dataclass_fields__
    ]
    chosen: dict[str, Any] = {}
    for setting in fields(Settings):
        variable: str = setting.metadata["env"]
        # Weakest first, so that a bad value in code leaves what the environment says.
        for source, value in (
            (variable, environ.get(variable) or None),
            (setting.name, given.get(setting.name)),
        ):
            if value is None:
                continue
            try:
                parsed = setting.metadata["parse"](value)
            except ValueError as error:
                problems.append(f"{source}={value!r} is not usable: {error}. It is ignored.")
            else:
                chosen[setting.name] = parsed
    return Settings(**chosen), problems
