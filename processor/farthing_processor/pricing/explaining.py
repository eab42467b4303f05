"""`farthing price --explain`: what decided the price of a call, and who says so."""

from __future__ import annotations

from collections.abc import Iterator

from farthing_processor.facts import Facts
from farthing_processor.pricing import Priced, names, tables
from farthing_processor.pricing.bill import bill
from farthing_processor.pricing.card import EVER, PRICE_KEYS, Card, Key
from farthing_processor.pricing.inspecting import day
from farthing_processor.pricing.origins import Origins, origins, said
from farthing_processor.pricing.rules import IN_USE, cards_for
from farthing_processor.usage import Usage, checked

_HOW = {
    names.EXACT: "a name that the table lists for it",
    names.RULE: "by a rule: a dated snapshot, a fine-tune, or a pattern that says so in full",
    names.LOOSE: "loosely: what is left over is a namespace or a stage of release; check it",
}

_FIELDS = {
    "audio input": "input audio",
    "image input": "input image",
    "video input": "input video",
    "characters": "input character",
    "audio seconds": "input audio hour",
    "audio cache read": "cache read audio",
    "image cache read": "cache read image",
    "1 h cache write": "cache write 1h",
    "12 h cache write": "cache write 12h",
    "reasoning output": "reasoning",
    "audio output": "output audio",
    "image output": "output image",
    "video output": "output video",
}
"""A line of the bill to the rate it is by (`Origin.what`), where their names differ."""


def reasons(
    facts: Facts, model: str, usage: Usage | None, at_ns: int, priced: Priced
) -> list[tuple[str, str]]:
    """(what, why) of everything that decided an amount, in the order in which it was decided."""
    found = [("status", _status(priced))]
    if priced.by_provider:
        found.append(("amount", "the provider's own, which comes before the table"))
    elif usage is not None:
        found += _of(facts, model, checked(usage), at_ns)
    if priced.other is not None:
        other = "the table's" if priced.by_provider else "the provider's"
        found.append(("differs", f"{other} amount is ${priced.other!r}"))
    if (exact := priced.exact()) is not None and not priced.by_provider:
        parts = " + ".join(f"{usd:f} {name}" for name, usd in priced.exact_classes().items())
        found.append(("sum", f"{parts or 0} = {exact:f} exactly, {priced.usd!r} as a double"))
    return found


def _of(facts: Facts, model: str, usage: Usage, at_ns: int) -> Iterator[tuple[str, str]]:
    key = (facts.provider, model, usage.tier, usage.batch, usage.speed, usage.geo)
    card = cards_for(facts).get(key, at_ns)
    if card.by_rule:
        yield from _by_rule(key, usage, card, at_ns)
    else:
        yield from _by_table(key, usage, at_ns)
    for name, part in usage.also:
        for what, why in _of(facts, name or model, part, at_ns):
            yield f"{name or 'beside'}: {what}", why


def _by_rule(key: Key, usage: Usage, card: Card, at_ns: int) -> Iterator[tuple[str, str]]:
    """The rule, and what the table says where the rule is made from that."""
    yield "rule", f"your own, which comes before everything else: {card.prices}"
    in_use = IN_USE[0]
    for rule in in_use.rules if in_use else ():
        if not card.prices.startswith(f"{rule.label}; "):
            continue
        if rule.alias:
            key = (rule.alias.provider or key[0], rule.alias.model, *key[2:])
        if rule.factor != 1:
            yield "rule", f"x {rule.factor:f} of the table's rates below"
        if rule.per_request is not None:
            yield "rule", f"and ${rule.per_request:f} for each request"
        yield from _by_table(key, usage, at_ns)


def _by_table(key: Key, usage: Usage, at_ns: int) -> Iterator[tuple[str, str]]:
    found = origins(tables.current(), key, at_ns)
    if found is None:
        yield "model", f"the table {tables.current().version} has no {key[1]!r} of {key[0]}"
        return
    match = found.match
    served = "" if found.called == match.model.provider else f", served by {found.called}"
    yield "model", f"{key[1]} is {match.model.provider}/{match.model.id}{served}, {_HOW[match.how]}"
    yield "moment", f"{day(at_ns)} UTC: {_holding(found)}"
    for setting in found.settings or ("the standard one",):
        yield "setting", setting
    if found.card.unpriced:
        return
    inputs = usage.input_tokens or 0
    for above, _ in found.brackets[1:]:
        over = f"above {above:,}: the rates for that are the whole request's"
        yield (
            "threshold",
            f"{inputs:,} input tokens are {over if inputs > above else _under(above)}",
        )
    rates = {each.what: each for each in dict(found.brackets)[_bracket(found, inputs)]}
    lines = bill(usage, found.card).lines
    for line in lines:
        origin = rates.get(_FIELDS.get(line.what, line.what))
        if origin is None:
            yield line.what, "nobody lists a rate, so it is left out of the sum"
        else:
            yield line.what, f"${origin.usd:f}{origin.unit}: {origin.source}"
    billed = {PRICE_KEYS[_FIELDS.get(each.what, each.what).replace(" ", "_")] for each in lines}
    for row in found.rows:
        if not (row.times or billed & row.rates.keys()):
            continue
        of = f" for {' '.join(row.of)}" if row.of[0] else ""
        yield "overlay", f"“{row.says}”{of}{said(row.when)}: {row.source} (read {row.read})"


def _bracket(found: Origins, inputs: int) -> int:
    return max(above for above, _ in found.brackets if inputs > above)


def _under(above: int) -> str:
    return f"not above {above:,}: the ordinary rates"


def _holding(found: Origins) -> str:
    since, until = found.card.since, found.card.until
    listed = f" (listed{said(found.when)})" if found.when else ""
    if since == -EVER and until == EVER:
        return f"the prices have not changed since they are listed{listed}"
    begins = "the first prices listed" if since == -EVER else f"prices from {day(since)}"
    return begins + ("" if until == EVER else f" until {day(until)}") + listed


def _status(priced: Priced) -> str:
    return "; ".join(part for part in (priced.status, priced.reason, priced.problem) if part)
