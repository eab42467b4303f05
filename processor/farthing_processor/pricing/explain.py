"""`farthing price`: what recorded calls cost, line by line, without a provider or a network.

The input is one JSON object or a list of them. An object has

- ``provider``: a ``gen_ai.provider.name`` or the price pack's id (``openai``, ``azure.ai.openai``)
- ``api``: which API answered (a key of `readers.READERS`: ``chat.completions``, ``messages`` …)
- ``model``: the model that answered
- ``usage``: the usage object of the response, as the provider sent it
- ``timestamp``: when the call was made, ISO 8601; UTC unless it says otherwise; default now
- ``context``: what else of the call changes its price, by the keys of `CONTEXT`

Other members are ignored. The exit code is 2 when an object cannot be read, else 0: a call without
a price is an answer. An object of a list that cannot be read does not keep the others from theirs.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, NamedTuple, cast

from farthing_processor.assessment import payable
from farthing_processor.facts import Facts
from farthing_processor.pricing import Priced, decimal, price
from farthing_processor.pricing.bill import TOOLS, bill
from farthing_processor.pricing.explaining import reasons
from farthing_processor.pricing.hosts import provider_of
from farthing_processor.pricing.rules import cards_for
from farthing_processor.readers import READERS
from farthing_processor.semconv import PROVIDER_OTHER
from farthing_processor.usage import MAX_COUNT, Usage, checked

_READERS = {api: reader for (_, api), reader in READERS.items()}
"""An API's shape does not depend on who speaks it."""
_TIERED = frozenset({"chat.completions", "completions", "responses", "embeddings", "batch"})
_RESPONSES = frozenset({"responses", "batch"})
_SPEECH = frozenset({"audio.speech"})
_ANY = frozenset(_READERS)


class Kind(NamedTuple):
    """What a value of the context has to be."""

    name: str
    holds: Callable[[object], bool]


class Key(NamedTuple):
    """One key of the context."""

    says: str
    kind: Kind
    apis: frozenset[str]
    """The APIs whose calls it can be of."""


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_texts(value: object) -> bool:
    return isinstance(value, list) and all(map(_is_text, cast(list[object], value)))


def _is_count(value: object) -> bool:
    return type(value) is int and 0 <= value <= MAX_COUNT


def _is_object(value: object) -> bool:
    return isinstance(value, dict)


def _is_batch(value: object) -> bool:
    return value == "batch"


def _is_host(value: object) -> bool:
    """Whether it may be a ``server.address``, which a URL and a host with its port are not."""
    return isinstance(value, str) and "/" not in value and value.count(":") != 1


_TEXT = Kind("a string", _is_text)
_TEXTS = Kind("a list of strings", _is_texts)
_COUNT = Kind("a count", _is_count)
_OBJECT = Kind("an object", _is_object)
_BATCH = Kind('"batch"', _is_batch)
_HOST = Kind("the name of a host, without scheme or port", _is_host)

TIER = "response.service_tier"
WEB_SEARCHES = "response.tool_usage.web_search.num_requests"
WEB_ACTIONS = "response.output[].web_search_call.action.type"
FILE_SEARCHES = "response.output[].file_search_call"
IMAGE_MODEL = "response.tools[].image_generation.model"
IMAGE_USAGE = "response.tool_usage.image_gen"
SPOKEN = "request.input"
PROCESSING = "processing"
HOST = "server.address"

CONTEXT: Mapping[str, Key] = {
    TIER: Key("the tier that served it", _TEXT, _TIERED),
    WEB_SEARCHES: Key("billable searches", _COUNT, _RESPONSES),
    WEB_ACTIONS: Key("a list, where that is not given", _TEXTS, _RESPONSES),
    FILE_SEARCHES: Key("how many file searches", _COUNT, _RESPONSES),
    IMAGE_USAGE: Key("usage of the image tool", _OBJECT, _RESPONSES),
    IMAGE_MODEL: Key("and its model", _TEXT, _RESPONSES),
    SPOKEN: Key("the text that was spoken", _TEXT, _SPEECH),
    PROCESSING: Key("batch, for a call of a batch", _BATCH, _ANY),
    HOST: Key("the host that served it", _HOST, _ANY),
}
"""The keys of ``context`` that are understood: dotted paths of the response and the request, and
two of ours. The host decides the provider where it is known, and the residency
(``eu.api.openai.com``)."""

_OPERATIONS: Mapping[str, str] = {
    "embeddings": "embeddings",
    "images": "image_generation",
    "audio.speech": "speech",
    "audio.transcriptions": "transcription",
    "audio.translations": "translation",
    "moderations": "moderation",
}
"""The ``gen_ai.operation.name`` of the APIs that are not inference."""

_MAX_FILE_SEARCHES = 10_000
_MAX_SHOWN = 60
"""Of a value that is ignored, characters that its warning shows."""


class Call(NamedTuple):
    """One object of the input, read."""

    provider: str
    model: str
    usage: Usage | None
    at_ns: int
    warnings: tuple[str, ...]
    facts: Facts
    """What a rule of the user's may look at besides."""


class Malformed(ValueError):
    """An object that cannot be read; the message is one sentence that says what to do."""


def main(text: str | bytes, as_json: bool, why: bool = False) -> tuple[int, str, str]:
    """Price the calls in ``text``; returns the exit code and what to print to stdout and stderr.

    Bytes are UTF-8, with a byte order mark or without. With ``as_json`` each call is one line:
    ``{"usd": "0.005615" or null, "status": …, "classes": {name: "0.0024"}, "match": …,
    "prices": …, "problem": …, "reason": …}``. An object that cannot be read has its sentence on
    stderr and nothing on stdout. ``why`` adds what decided the price, and who says so; in JSON as
    ``"explained": [[what, why], …]``.
    """
    code = 0
    out: list[str] = []
    said: list[str] = []
    try:
        items = _objects(text)
    except Malformed as fault:
        return 2, "", f"farthing price: {fault}\n"
    for position, item in enumerate(items, 1):
        try:
            call = read_call(item)
        except Malformed as fault:
            code = 2
            said.append(f"farthing price: Object {position}: {fault}\n")
            continue
        said += [f"farthing price: object {position}: {each}\n" for each in call.warnings]
        priced = price(
            call.usage,
            provider=call.provider,
            model=call.model,
            at_ns=call.at_ns,
            facts=call.facts,
        )
        given = call.facts, call.model, call.usage, call.at_ns
        explained = reasons(*given, priced) if why else []
        out.append((_json if as_json else _table)(call, priced, explained))
    separator = "\n" if as_json else "\n\n"
    return code, separator.join(out) + "\n" * bool(out), "".join(said)


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
    given: object = call.get("context")
    if not isinstance(given, dict | None):
        raise Malformed("context must be an object.")
    context, warnings = _understood(api, cast(dict[str, Any], given or {}))
    read = reader(_response(cast(dict[str, Any] | None, usage), context))
    host: str | None = context.get(HOST)
    served_by = provider_of(host)
    if served_by != PROVIDER_OTHER:
        provider = served_by
    if read and PROCESSING in context:
        read = read._replace(batch=True)
    operation = _operation(api, read)
    due = payable(read, operation, host)
    # Who spends and how long it took, no response says.
    facts = Facts(provider, model, model, host, operation, read, duration_s=None)
    return Call(provider, model, due, _moment(call.get("timestamp")), warnings, facts)


def _understood(api: str, given: Mapping[str, Any]) -> tuple[dict[str, Any], tuple[str, ...]]:
    """What of ``given`` has a meaning for a call of ``api``, and a warning for all that has not.

    A null is a value that is not given.
    """
    context: dict[str, Any] = {}
    warnings: list[str] = []
    for name, value in sorted(given.items()):
        key = CONTEXT.get(name)
        if key is None:
            warnings.append(f"context {name!r} is not understood and was ignored")
        elif value is None:
            continue
        elif api not in key.apis:
            warnings.append(f"context {name!r} is not of {api} and was ignored")
        elif not key.kind.holds(value):
            said = json.dumps(value)
            said = said if len(said) <= _MAX_SHOWN else f"{said[:_MAX_SHOWN]}…"
            warnings.append(f"context {name!r} takes {key.kind.name}: {said} was ignored")
        else:
            context[name] = value
    return context, tuple(warnings)


def _operation(api: str, usage: Usage | None) -> str:
    """``gen_ai.operation.name`` of a call of ``api``.

    A result of a batch does not say which API it is of; only an embedding's has no output.
    """
    if api == "batch" and usage and usage.output_tokens is None and not usage.problem:
        return "embeddings"
    return _OPERATIONS.get(api, "chat")


def _objects(text: str | bytes) -> list[object]:
    try:
        value = json.loads(text if isinstance(text, str) else text.decode("utf-8-sig"))
    except UnicodeDecodeError:
        raise Malformed("the input is not UTF-8; save it as UTF-8 and try again.") from None
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
    files: int = context.get(FILE_SEARCHES, 0)
    if files > _MAX_FILE_SEARCHES:
        raise Malformed(f"{FILE_SEARCHES} must be a count of at most {_MAX_FILE_SEARCHES}.")
    actions: list[str] = context.get(WEB_ACTIONS, [])
    return {
        "usage": usage,
        "service_tier": context.get(TIER),
        "input": context.get(SPOKEN),
        "results": [],
        "tool_usage": {
            "web_search": {"num_requests": context.get(WEB_SEARCHES)},
            "image_gen": context.get(IMAGE_USAGE),
        },
        "tools": [{"type": "image_generation", "model": context.get(IMAGE_MODEL)}],
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


def _json(_: Call, priced: Priced, explained: list[tuple[str, str]]) -> str:
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
            **({"explained": explained} if explained else {}),
        }
    )


def _table(call: Call, priced: Priced, explained: list[tuple[str, str]]) -> str:
    """The bill for a person: quantity x rate = amount by line, then what it comes to."""
    rows = [
        (what, f"{quantity:,}", rate, amount)
        for what, quantity, rate, amount in _rows(
            call.facts, call.model, None if priced.by_provider else call.usage, call.at_ns
        )
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
    width = max((len(what) for what, _ in explained), default=0)
    lines += [f"    {what:<{width}}  {why}" for what, why in explained]
    return "\n".join(map(_printable, lines))


def _rows(
    facts: Facts, model: str, usage: Usage | None, at_ns: int, beside: bool = False
) -> Iterator[tuple[str, int | Decimal, str, str]]:
    """(what, quantity, rate, amount) of a usage and of those beside it."""
    if usage is None:
        return
    usage = checked(usage)
    key = (facts.provider, model, usage.tier, usage.batch, usage.speed, usage.geo)
    card = cards_for(facts).get(key, at_ns)
    if beside:
        card = card.without_fee()
    if card.brackets:
        for line in bill(usage, card).lines:
            # Tokens are quoted by the million, fees by the thousand, seconds by the hour.
            per, unit = (10**6, "/M") if line.part_of != TOOLS else (10**3, "/k")
            if line.per != 1:
                per, unit = 1, "/h"
            if line.rate is None:
                yield line.what, line.quantity, "no rate", "?"
            else:
                rate = decimal(line.rate * per, card.per_usd)
                amount = decimal(line.amount.numerator, card.per_usd * line.amount.denominator)
                yield line.what, line.quantity, f"${_plain(rate)}{unit}", f"${_plain(amount)}"
    for name, part in usage.also:
        for what, quantity, rate, amount in _rows(facts, name or model, part, at_ns, True):
            yield f"{name or 'beside'}: {what}", quantity, rate, amount


def _plain(value: Decimal) -> str:
    """Without an exponent: ``0.00000075``."""
    return f"{value:f}"


def _printable(line: str) -> str:
    """``line`` with what a terminal would obey or cannot show as its escape (``\\x1b``)."""
    if line.isprintable():
        return line
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode() for char in line
    )
