"""Assessment: facts of a call and who spent it in; cost, status and attributes out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

from farthing_processor import semconv as names
from farthing_processor.attribution import Attribution
from farthing_processor.facts import Facts
from farthing_processor.outliers import Watch
from farthing_processor.pricing import price
from farthing_processor.pricing.hosts import residency_of
from farthing_processor.pricing.names import EXACT
from farthing_processor.semconv import INFERENCE
from farthing_processor.usage import Usage

AttributeValue = str | bool | int | float | list[str]

_CLASS_NAMES: Final = {name: names.COST_CLASS_PREFIX + name for name in names.COST_CLASSES}


class Assessment(NamedTuple):
    """What is to be said of one call. Immutable."""

    cost: float | None
    """USD, the double nearest to the exact amount; None where no amount is known."""
    status: str | None
    """How far to trust it (``farthing.cost.status``); None for a call that cannot have cost."""
    by_class: Mapping[str, float]
    """USD by class of `semconv.COST_CLASSES`, without those that are zero."""
    flags: tuple[str, ...]
    """Why the call is not normal (`outliers`); empty when it is, or when nobody watched."""
    attributes: Mapping[str, AttributeValue]
    """Span attributes, ready to set."""
    source: str = names.SOURCE_LOCAL
    reason: str | None = None
    """Why there is no amount, in one word of a fixed list; None where there is one."""
    cache_savings: float = 0.0
    """USD that the prompt cache saved; below 0 where it cost more. 0 where there was none."""
    other: float | None = None
    """The other amount, in USD, where the provider's and ours differ by more than 1 %."""


PRICED_AS_ASKED: Final = frozenset({"aws.bedrock"})
"""Providers whose prices differ by the name that is asked for. Bedrock's ``us.`` and ``global.``
are the same model to whoever answers, and 10% apart from Claude 4.5 on
(https://platform.claude.com/docs/en/about-claude/pricing). A name without its model, as the ARN of
an application inference profile or of provisioned throughput, then has no price: what answers does
not say how it is billed."""

NOTHING: Final = Assessment(None, None, {}, (), {})
"""A call that failed before it could cost anything: no status, and not counted as unpriced."""


def paid_elsewhere(span_id: int) -> Assessment:
    """Of a call that the span ``span_id`` has paid: no cost, and not counted as unpriced."""
    return NOTHING._replace(attributes={names.COST_DUPLICATE_OF: f"{span_id:016x}"})


def assess(facts: Facts, who: Attribution, watch: Watch | None = None) -> Assessment:
    """Price a call, and compare it with what ``watch`` has seen, of which it is then a part. Never
    raises for any facts; pure but for the watch and for the prices in use, which are those of the
    process: the table, and the user's rules.

    The model is the one that answered, else the one that was asked for: an alias, a deployment or a
    router is asked, a model with a price answers. Not so where the request decides the price
    (`PRICED_AS_ASKED`): there it is the one that was asked for, else the one that answered.
    """
    if facts.error_type is not None and facts.usage is None and not facts.output_seen:
        return NOTHING if watch is None else flagged(NOTHING, facts, who, watch)
    model, due = _priced_by(facts)
    priced = price(
        due, provider=facts.provider, model=model, at_ns=facts.start_ns, facts=facts, who=who
    )
    attributes: dict[str, AttributeValue] = {names.COST_STATUS: priced.status}
    cost = priced.usd
    other = priced.other
    savings = 0.0
    classes = priced.classes
    source = names.SOURCE_PROVIDER if priced.by_provider else names.SOURCE_LOCAL
    if cost is not None:
        attributes[names.COST_AMOUNT] = cost
        attributes[names.COST_CURRENCY] = names.CURRENCY_USD
        attributes[names.COST_SOURCE] = source
        if priced.match not in ("", EXACT):
            attributes[names.COST_MATCH] = priced.match
        if priced.prices:
            attributes[names.COST_PRICES] = priced.prices
        for name, amount in classes.items():
            attributes[_CLASS_NAMES[name]] = amount
        if priced.saved:
            attributes[names.COST_CACHE_SAVINGS] = savings = priced.savings
        if other is not None:
            attributes[names.COST_LISTED if priced.by_provider else names.COST_REPORTED] = other
    flags = ()
    if watch is not None:
        reasons, _ = watch.judge(facts, who, priced.status, cost, due, model, attributes)
        flags = tuple(reasons)
    return Assessment(
        cost, priced.status, classes, flags, attributes, source, priced.reason, savings, other
    )


def flagged(assessment: Assessment, facts: Facts, who: Attribution, watch: Watch) -> Assessment:
    """``assessment``, which was made without a watch, with what ``watch`` says of the call: for
    those who learn only from it whether the call is one that counts."""
    model, due = (None, None) if assessment.status is None else _priced_by(facts)
    reasons, said = watch.judge(facts, who, assessment.status, assessment.cost, due, model)
    if not said:
        return assessment
    return assessment._replace(flags=tuple(reasons), attributes={**assessment.attributes, **said})


def _priced_by(facts: Facts) -> tuple[str | None, Usage | None]:
    """The model and the usage that a call is priced by."""
    model = facts.response_model or facts.request_model
    if facts.provider in PRICED_AS_ASKED:
        model = facts.request_model or model
    due = payable(facts.usage, facts.operation, facts.server_address)
    if due is None and facts.estimate is not None:
        due = _whole(facts.estimate, facts.operation, facts.server_address)
    return model, due


def payable(usage: Usage | None, operation: str, server_address: str | None) -> Usage | None:
    """``usage`` as it is to be priced; None if no amount can be put to it. Raises nothing.

    It must be final, and for inference (``operation`` is a ``gen_ai.operation.name``) have both
    totals: half the counts are worth showing, not worth an amount, which would be wrong by the
    other half. A cost that the provider reported needs no totals, and neither does what is billed
    by the second or by the character. Where ``server_address`` keeps inference in a region, that is
    the usage's geography unless it names one.
    """
    return _whole(usage, operation, server_address) if usage and usage.complete else None


def _whole(usage: Usage, operation: str, server_address: str | None) -> Usage | None:
    """``usage`` where it was served, if it has what an amount must be made of."""
    if not usage.geo and (geo := residency_of(server_address)):
        usage = usage._replace(geo=geo)
    if operation not in INFERENCE or usage.reported_cost is not None:
        return usage
    if usage.input_tokens is not None and usage.output_tokens is not None:
        return usage
    by_other = usage.input_audio_seconds is not None or usage.input_characters
    return usage if by_other else None
