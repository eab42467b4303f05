"""Reading: from the attributes of a span, whoever wrote it, to the facts of a call.

What a dialect's table says is confirmed by arithmetic: a part is no larger than its whole, a total
is the sum of its parts. What the counts contradict is read the other way; what nothing confirms is
assumed as the conventions have it, and said.
"""

from __future__ import annotations

import re
from collections.abc import Set
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import Any, Final, NamedTuple

from farthing_processor.attribution import NOBODY, Attribution
from farthing_processor.dialects.dialect import Attributes, Cache, Dialect, Names, Version
from farthing_processor.dialects.providers import host_in, provider_named, served_by
from farthing_processor.facts import Facts
from farthing_processor.readers.values import count_in
from farthing_processor.usage import COUNTS, STANDARD_TIERS, Usage, fitted, joined

MAX_TEXT: Final = 256
"""Longer names and ids are cut: whoever makes spans decides what is in them."""

MAX_DOLLARS: Final = 10**6
"""More than any call costs: a larger amount is none."""

ASSUMED_CACHE_INCLUDED: Final = "cache_included"
"""Whether the input holds what was cached is not known; it was taken to."""
ASSUMED_CACHE_WRITE_5M: Final = "cache_write_5m"
"""For how long the cache was written is not known; it was taken to be five minutes."""
ASSUMED_REASONING_OUTSIDE: Final = "reasoning_outside"
"""What the total holds beside input and output is not told; it was taken to be reasoning."""

ASSUMED_NOT_CACHED: Final = "not_cached"
"""How much of the input was cached is not said; none of it was taken to be."""

MAX_SECONDS: Final = 86_400
"""A call that says that it took longer has no such duration."""

STANDARD_SPEEDS: Final = frozenset({None, "normal", "standard"})
"""What emitters call a request that was not to be faster for more."""

_BY_TTL: Final = frozenset({"anthropic", "aws.bedrock", "gcp.vertex_ai"})
"""Providers whose writes to the cache cost more the longer they are kept
(https://platform.claude.com/docs/en/build-with-claude/prompt-caching)."""


class Seen(NamedTuple):
    """A finished span, as far as reading needs it. Immutable."""

    attributes: Attributes
    scope: str
    version: str
    start_ns: int
    end_ns: int
    failed: bool


class Reading(NamedTuple):
    """What a span of an emitter says of one call. Immutable."""

    facts: Facts
    who: Attribution
    """Who spends, as far as the emitter says it."""
    reported: Decimal | None
    """USD that the emitter itself says."""
    assumed: tuple[str, ...]
    """What was assumed about its counts because nothing confirms it."""


def read(dialect: Dialect, seen: Seen, gateways: frozenset[str]) -> Reading | None:
    """What ``seen`` says of one call to a model; None where it is no such call. Never raises for
    any attributes that telemetry can hold."""
    attributes = seen.attributes
    operation = dialect.operation(attributes)
    if operation is None:
        return None
    version = version_of(seen.version)
    if dialect.within is not None and dialect.within(attributes, version):
        return None
    if dialect.opened is not None:
        attributes = dialect.opened(attributes)
    present = _present(dialect.names, attributes)

    def found(field: str) -> Any:
        if field in present:
            for name in dialect.names[field]:
                value = attributes.get(name)
                if value is not None:
                    return value
        return None

    word = found("provider")
    if dialect.provider is not None:
        word = dialect.provider(attributes) or word
    address, port = host_in(found("address"), found("port"))
    provider = served_by(address, port, provider_named(word), gateways)
    usage, assumed = _usage(dialect, attributes, present, provider, version)
    estimate = None
    if usage is not None:
        if dialect.also is not None and (also := dialect.also(attributes)):
            usage = usage._replace(also=also)
        if dialect.ends_without is not None and dialect.ends_without(attributes):
            usage = usage._replace(complete=False)
        if not usage.tier and (tier := _text(found("tier"))) and tier not in STANDARD_TIERS:
            usage = usage._replace(tier=tier)
        if not usage.speed and (speed := _text(found("speed"))) not in STANDARD_SPEEDS:
            usage = usage._replace(speed=speed or "")
        if dialect.assumes is not None:
            assumed = (*assumed, *dialect.assumes(attributes))
        if dialect.inexact is not None and dialect.inexact(attributes):
            estimate = usage = usage._replace(complete=False)
    error_type = _text(found("error_type"))
    start_ns = seen.start_ns
    if (taken := _seconds(found("duration"))) is not None:
        start_ns = min(start_ns, seen.end_ns - round(taken * 1e9))
    facts = Facts(
        provider=provider,
        request_model=_text(found("request_model")),
        response_model=_text(found("response_model")),
        server_address=address,
        operation=operation,
        usage=usage,
        start_ns=start_ns,
        duration_s=max(seen.end_ns - start_ns, 0) / 1e9,
        stream=found("stream") is True,
        error_type=error_type or ("_OTHER" if seen.failed else None),
        scope=seen.scope,
        response_id=_text(found("response_id")),
        estimate=estimate,
    )
    who = NOBODY
    if not present.isdisjoint(_WHO):
        who = NOBODY._replace(**{field: _text(found(field)) for field in _WHO})
    reported = dollars(found("cost")) if dialect.cost is None else dialect.cost(attributes)
    return Reading(facts, who, reported or None, assumed)


_WHO: Final = frozenset({"workflow", "step", "agent", "user", "session"})

_COUNTS: Final = {
    "input": "input_tokens",
    "output": "output_tokens",
    "cache_read": "cache_read_tokens",
    "cache_write": "cache_write_tokens",
    "cache_write_1h": "cache_write_1h_tokens",
    "reasoning": "reasoning_tokens",
    "input_audio": "input_audio_tokens",
    "input_image": "input_image_tokens",
    "cache_read_audio": "cache_read_audio_tokens",
    "cache_read_image": "cache_read_image_tokens",
    "output_audio": "output_audio_tokens",
    "output_image": "output_image_tokens",
    "total": "total",
    "cache_write_5m": "write_5m",
}
"""A count of a dialect's table → the field of `Usage` that it is, where it is one."""

_FIELDS: Final[dict[int, tuple[Names, dict[str, list[str]]]]] = {}
"""The identity of a table → the table, which thereby stays, and its names → what they are of."""


def _present(names: Names, attributes: Attributes) -> Set[str]:
    """What of a dialect's table a span has at all: a dozen of its forty fields."""
    _, fields = _FIELDS.get(id(names)) or _FIELDS.setdefault(id(names), (names, _turned(names)))
    return {field for name in fields.keys() & attributes.keys() for field in fields[name]}


def _turned(names: Names) -> dict[str, list[str]]:
    fields: dict[str, list[str]] = {}
    for field, alternatives in names.items():
        for name in alternatives:
            fields.setdefault(name, []).append(field)
    return fields


def _usage(
    dialect: Dialect,
    attributes: Attributes,
    present: Set[str],
    provider: str,
    version: Version,
) -> tuple[Usage | None, tuple[str, ...]]:
    """The usage of a call, and what was assumed of it; None where it says nothing, or 0 of all."""
    if dialect.usage is not None:
        own = dialect.usage(attributes, provider)
        if own is not None:
            return (own if any(own[: len(COUNTS)]) or own.also or own.problem else None), ()
    faults: list[str] = []
    counts: dict[str, Any] = {}
    for field, name_in_usage in _COUNTS.items():
        if field in present:
            for name in dialect.names[field]:
                count = count_in(attributes, name, faults)
                if count is not None:
                    counts[name_in_usage] = count
                    break
    total, write_5m = counts.pop("total", None), counts.pop("write_5m", None)
    if not any(counts.values()) and not faults:
        return None, ()
    usage, assumed = _understood(dialect, counts, total, write_5m, provider, version)
    if faults:
        usage = usage._replace(problem=joined(*faults))
    return fitted(usage), assumed


def _understood(
    dialect: Dialect,
    counts: dict[str, Any],
    total: int | None,
    write_5m: int | None,
    provider: str,
    version: Version,
) -> tuple[Usage, tuple[str, ...]]:
    """Counts as `Usage` has them: every part within its whole."""
    assumed: list[str] = []
    said_in, said_out = counts.get("input_tokens"), counts.get("output_tokens")
    write_1h = counts.get("cache_write_1h_tokens")
    write = counts.get("cache_write_tokens", (write_5m or 0) + (write_1h or 0))
    if write:
        counts["cache_write_tokens"] = write
        if write_5m is None and write_1h is None and provider in _BY_TTL:
            assumed.append(ASSUMED_CACHE_WRITE_5M)
    cached = counts.get("cache_read_tokens", 0) + write
    if cached and said_in is not None:
        cache = dialect.cache(provider, version)
        said = said_in + (said_out or 0)
        if cached > said_in or (total == said + cached and cache is not Cache.INCLUDED):
            cache = Cache.EXCLUDED
        elif cache is Cache.UNKNOWN:  # a total that is its sum proves nothing: it may be just that
            assumed.append(ASSUMED_CACHE_INCLUDED)
        if cache is Cache.EXCLUDED:
            counts["input_tokens"] = said_in + cached
    reasoning = counts.get("reasoning_tokens")
    rest = None if total is None else total - counts.get("input_tokens", 0) - (said_out or 0)
    if not reasoning and rest and rest > 0 and provider in dialect.reasoning_outside:
        counts["reasoning_tokens"] = rest
        counts["output_tokens"] = (said_out or 0) + rest
        assumed.append(ASSUMED_REASONING_OUTSIDE)
    elif reasoning and said_out is not None:
        outside = rest is None and provider in dialect.reasoning_outside
        if outside or rest == reasoning or reasoning > said_out:
            counts["output_tokens"] = said_out + reasoning
    return Usage(**counts), tuple(assumed)


_NUMBER: Final = re.compile(r"\d+")


@lru_cache(maxsize=256)
def version_of(text: str) -> Version:
    """The numbers that a version begins with: ``1.3b0`` is (1, 3)."""
    numbers: list[int] = []
    for part in text.split(".")[:4]:
        leading = _NUMBER.match(part)
        if leading is None:
            break
        numbers.append(int(leading[0][:9]))
    return tuple(numbers)


def _text(value: object) -> str | None:
    return value[:MAX_TEXT] or None if isinstance(value, str) else None


def _seconds(value: object) -> float | None:
    """Seconds that a call took, no longer than any does; else None."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return value if 0 < value < MAX_SECONDS else None


def dollars(value: object) -> Decimal | None:
    """USD that an emitter says; None where that is no amount, or 0, which emitters write for what
    they have no price of."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        amount = Decimal(str(value))
    except InvalidOperation:
        return None
    return amount if amount.is_finite() and 0 < amount < MAX_DOLLARS else None
