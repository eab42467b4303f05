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
from collections.abc import Iterator
from decimal import Decimal
from typing import cast

from farthing_processor.facts import Facts
from farthing_processor.pricing import Priced, decimal, price
from farthing_processor.pricing.bill import TOOLS, bill
from farthing_processor.pricing.context import CONTEXT
from farthing_processor.pricing.explaining import reasons
from farthing_processor.pricing.recorded import Call, Malformed, read_call
from farthing_processor.pricing.rules import cards_for
from farthing_processor.usage import Usage, checked

__all__ = ["CONTEXT", "main", "read_call"]


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


def _objects(text: str | bytes) -> list[object]:
    try:
        value = json.loads(text if isinstance(text, str) else text.decode("utf-8-sig"))
    except UnicodeDecodeError:
        raise Malformed("the input is not UTF-8; save it as UTF-8 and try again.") from None
    except (ValueError, RecursionError) as fault:
        raise Malformed(f"the input is not JSON ({fault}); give an object or a list.") from None
    return cast(list[object], value) if isinstance(value, list) else [value]


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
