"""Readers of Anthropic's messages."""

from __future__ import annotations

from typing import NamedTuple

from farthing_processor.readers.compatible import charged
from farthing_processor.readers.values import Fields, count_in, fields, items, name_in
from farthing_processor.usage import STANDARD_TIERS, Usage, fitted, joined


class _Setting(NamedTuple):
    """How Anthropic served a request, as `Usage` names it."""

    tier: str
    batch: bool
    speed: str
    geo: str


def anthropic_messages(body: object) -> Usage | None:
    """Messages, their beta and a result of a batch.

    ``input_tokens`` excludes cache reads and writes, so the three are added. Compaction and advisor
    iterations are not in the top-level counts and go to `Usage.also`, an advisor under its own
    model (https://platform.claude.com/docs/en/build-with-claude/compaction). A gateway that speaks
    this API may say what it charged (`compatible`).
    """
    usage = fields(fields(body).get("usage"))
    if not usage:
        return None
    faults: list[str] = []
    tier = name_in(usage, "service_tier", faults)
    geo = name_in(usage, "inference_geo", faults)
    speed = name_in(usage, "speed", faults)
    batch = tier == "batch"
    setting = _Setting(
        "" if batch or tier in STANDARD_TIERS else tier,
        batch,
        "" if speed == "standard" else speed,
        "" if geo in ("global", "not_available") else geo,
    )
    read = _anthropic(usage, setting, faults)
    iterations = usage.get("iterations")
    if iterations:
        read = _iterations(read, setting, iterations, faults)
    if "cost" in usage:
        read = read._replace(reported_cost=charged(usage, faults))
    status = fields(fields(usage.get("fallback_credit")).get("status"))
    if status.get("type") == "redeemed":
        faults.append("fallback credit redeemed")
    if faults:
        read = read._replace(problem=joined(read.problem, *faults))
    return fitted(read)


def _anthropic(usage: Fields, setting: _Setting, faults: list[str]) -> Usage:
    """The counts that a message and each of its iterations share."""
    fresh = count_in(usage, "input_tokens", faults)
    out = count_in(usage, "output_tokens", faults)
    read = count_in(usage, "cache_read_input_tokens", faults) or 0
    write = count_in(usage, "cache_creation_input_tokens", faults)
    write_1h = 0
    if split := usage.get("cache_creation"):
        split = fields(split)
        write_1h = count_in(split, "ephemeral_1h_input_tokens", faults) or 0
        parts = write_1h + (count_in(split, "ephemeral_5m_input_tokens", faults) or 0)
        if write is None:
            write = parts
        elif write != parts:
            faults.append("cache_creation is not the sum of its parts")
    write = write or 0
    reasoning = None
    if details := usage.get("output_tokens_details"):
        reasoning = count_in(fields(details), "thinking_tokens", faults)
    searches = 0
    if tools := usage.get("server_tool_use"):
        searches = count_in(fields(tools), "web_search_requests", faults) or 0
    inp = None if fresh is None else fresh + read + write
    tier, batch, speed, geo = setting
    return Usage(
        inp,
        out,
        read,
        write,
        write_1h,
        0,
        reasoning,
        web_searches=searches,
        tier=tier,
        batch=batch,
        speed=speed,
        geo=geo,
    )


def _iterations(usage: Usage, setting: _Setting, iterations: object, faults: list[str]) -> Usage:
    """``usage`` with the iterations that its counts exclude beside it.

    A compaction ran as the request itself did; an advisor ran in its setting but for its speed.
    """
    also: list[tuple[str, Usage]] = []
    served: set[str] = set()
    for item in items(iterations):
        kind = item.get("type")
        own: list[str] = []
        if kind in ("compaction", "advisor_message"):
            model = name_in(item, "model", own) if kind == "advisor_message" else ""
            part = _anthropic(item, setting._replace(speed="") if model else setting, own)
            also.append((model, fitted(part._replace(problem=joined(*own)))))
        elif kind in ("message", "fallback_message"):
            served.add(name_in(item, "model", own))
    # Which of a fallback's models the top-level counts are of is not documented.
    if len(served - {""}) > 1:
        faults.append("served by more than one model")
    return usage._replace(also=tuple(also)) if also else usage
