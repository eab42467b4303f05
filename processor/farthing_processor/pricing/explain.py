"""`farthing price`: what recorded calls cost, line by line, without a provider or a network.

The input is one JSON object or a list of them. An object has

- ``provider``: a ``gen_ai.provider.name`` or the price pack's id (``openai``, ``azure.ai.openai``)
- ``api``: which API answered (a key of `readers.READERS`: ``chat.completions``, ``messages`` …)
- ``model``: the model that answered
- ``usage``: the usage object of the response, as the provider sent it
- ``timestamp``: when the call was made, ISO 8601; UTC unless it says otherwise; default now
- ``context``: what else of the call changes its price, by the keys of `CONTEXT`

Other members are ignored. The exit code is 2 when an object cannot be read, else 0: a call without
a price is an answer.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, NamedTuple, cast

from farthing_processor.pricing import Priced, decimal, price
from farthing_processor.pricing.bill import bill
from farthing_processor.pricing.cards import CARDS
from farthing_processor.pricing.hosts import OTHER, provider_of, residency_of
from farthing_processor.readers import READERS
from farthing_processor.usage import Usage, checked

CONTEXT: Mapping[str, str] = {
    "response.service_tier": "the tier that served the call",
    "response.tool_usage.web_search.num_requests": "billable searches of the Responses API",
    "response.output[].web_search_call.action.type": "a list of the search calls' actions",
    "response.output[].file_search_call": "how many file searches the response has",
    "response.tools[].image_generation.model": "the model of the image generation tool",
    "response.tool_usage.image_gen": "the usage object of the image generation tool",
    "processing": "batch, for a call of a batch",
    "server.address": (
        "the host that served the call: decides the provider where it is known, and the residency "
        "(eu.api.openai.com), for which the pack has no rates, so that the cost is partial"
    ),
}
"""The keys of ``context`` that are understood: dotted paths of the response, and two of ours."""


_READERS = {api: reader for (_, api), reader in READERS.items()}
"""An API's shape does not depend on who speaks it."""


class Call(NamedTuple):
    """One object of the input, read."""

    provider: str
    model: str
    usage: Usage | None
    at_ns: int
    warnings: tuple[str, ...]


class Malformed(ValueError):
    """An object that cannot be read; the message is one sentence that says what to do."""


def main(text: str, as_json: bool) -> tuple[int, str, str]:
    """Price the calls in ``text``; returns the exit code and what to print to stdout and stderr.

    With ``as_json`` each call is one line: ``{"usd": "0.005615" or null, "status": …, "classes":
    {name: "0.0024"}, "match": …, "prices": …, "problem": …, "reason": …}``.
    """
    out: list[str] = []
    warnings: list[str] = []
    try:
        for position, item in enumerate(_objects(text), 1):
            try:
                call = read_call(item)
            except Malformed as fault:
                raise Malformed(f"Object {position}: {fault}") from None
            warnings += [f"farthing price: object {position}: {each}" for each in call.warnings]
            priced = price(call.usage, provider=call.provider, model=call.model, at_ns=call.at_ns)
            out.append(_json(priced) if as_json else _table(call, priced))
    except Malformed as fault:
        return 2, "", f"farthing price: {fault}\n"
    separator = "\n" if as_json else "\n\n"
    return 0, separator.join(out) + "\n", "".join(f"{warning}\n" for warning in warnings)


def read_call(item: object) -> Call:
    """The call that one object describes. Raises `Malformed`."""
    if not isinstance(item, dict):
        raise Malformed("give a JSON object with provider, api, model and usage.")
    call = cast(dict[str, Any], item)
    provider, api, model = (_text(call, name) for name in ("provider", "api", "model"))
    reader = _READERS.get(api)
    if reader is None:
        raise Malformed(f"api {api!r} is not known; give one of {', '.join(sorted(_READERS))}.")
    usage = call.get("usage")
    if not isinstance(usage, dict | None):
        raise Malformed("usage must be the usage object of a response, or null.")
    given: object = call.get("context") or {}
    if not isinstance(given, dict):
        raise Malformed("context must be an object.")
    context = cast(dict[str, Any], given)
    read = reader(_response(cast(dict[str, Any] | None, usage), context))
    host = context.get("server.address")
    if isinstance(host, str):
        served_by = provider_of(host)
        provider = provider if served_by == OTHER else served_by
        if read and (region := residency_of(host)):
            read = read._replace(geo=region)
    if read and context.get("processing") == "batch":
        read = read._replace(batch=True)
    warnings = [
        f"context {key!r} is not understood and was ignored"
        for key in context.keys() - CONTEXT.keys()
    ]
    return Call(provider, model, read, _moment(call.get("timestamp")), tuple(sorted(warnings)))


def _objects(text: str) -> list[object]:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as fault:
        raise Malformed(f"the input is not JSON ({fault}); give an object or a list.") from None
    return cast(list[object], value) if isinstance(value, list) else [value]


def _text(call: Mapping[str, Any], name: str) -> str:
    value = call.get(name)
    if not isinstance(value, str) or not value:
        raise Malformed(f"{name} is missing; give it as a string.")
    return value


def _response(usage: dict[str, Any] | None, context: Mapping[str, Any]) -> dict[str, Any]:
    """The response body of which ``usage`` and ``context`` are what is known."""
    actions = context.get("response.output[].web_search_call.action.type")
    actions = cast(list[object], actions) if isinstance(actions, list) else []
    files = context.get("response.output[].file_search_call") or 0
    if not isinstance(files, int) or not 0 <= files <= 10_000:
        raise Malformed("response.output[].file_search_call must be a count of at most 10000.")
    return {
        "usage": usage,
        "service_tier": context.get("response.service_tier"),
        "tool_usage": {
            "web_search": {
                "num_requests": context.get("response.tool_usage.web_search.num_requests")
            },
            "image_gen": context.get("response.tool_usage.image_gen"),
        },
        "tools": [
            {
                "type": "image_generation",
                "model": context.get("response.tools[].image_generation.model"),
            }
        ],
        "output": [
            *({"type": "web_search_call", "action": {"type": action}} for action in actions),
            *[{"type": "file_search_call"}] * files,
        ],
    }


def _moment(timestamp: object) -> int:
    """Nanoseconds since the epoch."""
    if timestamp is None:
        return time.time_ns()
    try:
        moment = datetime.fromisoformat(cast(str, timestamp))
    except (TypeError, ValueError):
        raise Malformed(
            f"timestamp {timestamp!r} is not ISO 8601; write it like 2026-11-20T12:00:00Z."
        ) from None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1) * 1000


def _json(priced: Priced) -> str:
    exact = priced.exact()
    return json.dumps(
        {
            "usd": None if exact is None else _plain(exact),
            "status": priced.status,
            "classes": {name: _plain(usd) for name, usd in priced.exact_classes().items()},
            "match": priced.match or None,
            "prices": priced.prices or None,
            "problem": priced.problem or None,
            "reason": priced.reason,
        }
    )


def _table(call: Call, priced: Priced) -> str:
    """The bill for a person: quantity x rate = amount by line, then what it comes to."""
    rows = [
        (what, f"{quantity:,}", rate, amount)
        for what, quantity, rate, amount in _rows(call.provider, call.model, call.usage, call.at_ns)
    ]
    exact = priced.exact()
    rows.append(("total", "", "", "unknown" if exact is None else f"${_plain(exact)}"))
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    lines = [f"{call.provider} {call.model}"]
    for what, quantity, rate, amount in rows:
        sign = ("x", "=") if quantity else (" ", " ")
        lines.append(
            f"  {what:<{widths[0]}}  {quantity:>{widths[1]}} {sign[0]} {rate:<{widths[2]}} "
            f"{sign[1]} {amount:>{widths[3]}}"
        )
    said = [priced.status, priced.reason, priced.problem]
    if priced.match:
        said.append(f"model matched: {priced.match}")
    said.append(priced.prices)
    lines.append("  " + "; ".join(part for part in said if part))
    return "\n".join(lines)


def _rows(
    provider: str, model: str, usage: Usage | None, at_ns: int
) -> Iterator[tuple[str, int, str, str]]:
    """(what, quantity, rate, amount) of a usage and of those beside it."""
    if usage is None or usage.reported_cost is not None:
        return
    usage = checked(usage)
    key = (provider, model, usage.tier, usage.batch, usage.speed, usage.geo)
    card = CARDS.get(key, at_ns)
    if not card.unpriced:
        for line in bill(usage, card).lines:
            # Tokens are quoted by the million, everything else by the thousand.
            per, unit = (10**6, "/M") if line.part_of != "tools" else (10**3, "/k")
            if line.rate is None:
                yield line.what, line.quantity, "no rate", "?"
            else:
                rate = decimal(line.rate * per, card.per_usd)
                amount = decimal(line.amount, card.per_usd)
                yield line.what, line.quantity, f"${_plain(rate)}{unit}", f"${_plain(amount)}"
    for name, part in usage.also:
        for what, quantity, rate, amount in _rows(provider, name or model, part, at_ns):
            yield f"{name or 'beside'}: {what}", quantity, rate, amount


def _plain(value: Decimal) -> str:
    """Without an exponent: ``0.00000075``."""
    return f"{value:f}"
