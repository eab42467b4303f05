"""Published prices: the data that genai-prices publishes, as the price pack.

The pack is JSON Lines, so that a price change reads as a changed line. The first line is the
header: format, source, its version and release time, and where each provider's models lie. Every
other line is one model:

    id        genai-prices' id of the model
    names     the names that are this model and nothing else; absent when that is the id alone
    match     the clauses that match by rule (``starts_with``, ``contains``, ``ends_with``,
              ``regex``), any of which is enough; ``{"and": […]}`` asks for all
    prices    [[when, {price key: rate}], …]; the last one whose ``when`` holds applies, else the
              first
    variants  [[axis, value, when, {price key: rate}], …]; overrides of the price keys they name
    free      true when the provider charges nothing

``when`` is null, ``{"from": "2026-10-14"}`` (UTC date) or ``{"daily": [["01:00", "04:00"]]}`` (UTC,
the end excluded): `moments.When`. A rate is a decimal string in USD per the unit of its key, or
``["2.5", [[272000, "5"]]]``: the base, then the rates of requests with more input tokens than that.

The data comes as JSON (``prices/new_data/v2/data.json`` in the repository of genai-prices) or from
the installed package, whose objects have the same shape.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, date, time
from decimal import Decimal
from typing import Any, Final, cast

from farthing_processor.pricing.tables import FORMAT, Unusable

SOURCE: Final = "genai-prices"

# genai-prices lists models with no price at all. An empty price is not a price of zero: some are
# retired, included in a subscription, or simply unknown. Free are the `:free` ids, whose name says
# so, and OpenAI's moderation (https://platform.openai.com/docs/guides/moderation).
FREE: Final = {("openai", "moderation")}

# Groq bills at least ten seconds of a request (`ModelInfo.calc_price` of genai-prices), which the
# format cannot say: without a price these are unpriced, and never too cheap.
UNSAYABLE: Final = {("groq", "whisper-large-v3"), ("groq", "whisper-large-v3-turbo")}

Data = Mapping[str, Any]


def pack(providers: Iterable[Data], header: Data) -> str:
    """The whole pack, as text. ``header`` says version and release time.

    Raises `Unusable` for data that is not of the shape of genai-prices, or that says what the
    format cannot.
    """
    index: dict[str, Any] = {}
    models: list[dict[str, Any]] = []
    try:
        for provider in sorted(providers, key=lambda provider: provider["id"]):
            own: list[Data] = provider["models"]
            entry: dict[str, Any] = {"first": len(models) + 1, "count": len(own)}
            if fallback := provider.get("fallback_model_providers"):
                entry["fallback"] = fallback
            index[provider["id"]] = entry
            # The order of a provider's models is the order in which their clauses are tried.
            models += [_model(provider["id"], model) for model in own]
    except (KeyError, TypeError, AttributeError, ValueError, re.error, RecursionError) as fault:
        raise Unusable(f"it is no data of {SOURCE} that farthing knows ({fault!r:.80})") from fault
    whole = {"format": FORMAT, "source": SOURCE, **header, "licence": "MIT, see NOTICE"}
    return "".join(f"{line(each)}\n" for each in ({**whole, "providers": index}, *models))


def line(value: object) -> str:
    """One line of the pack: names are looked for in it as they are written here."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def from_json(text: str) -> list[Data]:
    """The providers of the published JSON, its numbers exact. Raises `Unusable`."""
    try:
        data: object = json.loads(text, parse_float=Decimal, parse_constant=_no_number)
    except (ValueError, RecursionError) as fault:
        raise Unusable(f"it is neither a price table of farthing's nor JSON ({fault})") from None
    if not isinstance(data, list):
        raise Unusable(f"it is neither a price table of farthing's nor the data of {SOURCE}")
    return cast(list[Data], data)


def from_package() -> list[Data]:
    """The providers of the installed genai-prices. Raises `ImportError` without one."""
    # Three hundred milliseconds, and a package that farthing does not need.
    from genai_prices.data import providers

    return cast(list[Data], _plain(providers))


def _no_number(name: str) -> None:
    raise ValueError(f"{name} is no price")


def _plain(value: object) -> object:
    """An object of genai-prices as its JSON: what is None is absent."""
    if isinstance(value, list):
        return [_plain(each) for each in cast(list[object], value)]
    if isinstance(value, dict | str | int | Decimal):
        return cast(object, value)
    if isinstance(value, date | time):
        return value.isoformat()
    return {
        # `or_` and `and_`, which Python keeps for itself.
        name.rstrip("_"): _plain(each)
        for name, each in vars(value).items()
        if each is not None and not name.startswith("_")
    }


def _model(provider_id: str, model: Data) -> dict[str, Any]:
    names, others = _clauses(model["match"])
    if _matches(model["match"], model["id"].lower()):
        names.add(model["id"].lower())
    found: dict[str, Any] = {"id": model["id"]}
    if names != {model["id"].lower()}:
        found["names"] = sorted(names)
    if others:
        found["match"] = others
    if (provider_id, model["id"]) in UNSAYABLE:
        found["prices"] = [[None, {}]]
        return found
    prices: Data | list[Data] = model["prices"]
    dated = prices if isinstance(prices, list) else [{"prices": prices}]
    found["prices"] = [[_when(price), _rates(price["prices"])] for price in dated]
    if variants := model.get("price_variants"):
        found["variants"] = [
            [axis, value, _when(variant), _rates(variant["prices"])]
            for variant in variants
            for axis, value in _single(variant["when"])
        ]
    if not any(price for _, price in found["prices"]) and (
        model["id"].endswith(":free") or (provider_id, model["id"]) in FREE
    ):
        found["free"] = True
    return found


def _rates(price: Data) -> dict[str, Any]:
    prices = {key: _rate(value) for key, value in sorted(price.items()) if value is not None}
    # genai-prices asks for both where audio goes in only; alone it is of whole conversations.
    if prices.get("audio_hours") == prices.get("input_audio_hours"):
        prices.pop("audio_hours", None)
    return prices


def _rate(value: Any) -> Any:
    if isinstance(value, Decimal | int):
        exact = Decimal(value)
        if not -20 < exact.adjusted() < 20:
            raise ValueError(f"a price of {exact}")
        return format(exact, "f")
    tiers = sorted(value["tiers"], key=lambda tier: tier["start"])
    return [_rate(value["base"]), [[tier["start"], _rate(tier["price"])] for tier in tiers]]


def _when(priced: Data) -> dict[str, Any] | None:
    constraint = priced.get("constraint")
    if constraint is None:
        return None
    if "start_date" in constraint:
        return {"from": date.fromisoformat(constraint["start_date"]).isoformat()}
    return {"daily": [[_clock(constraint["start_time"]), _clock(constraint["end_time"])]]}


def _clock(text: str) -> str:
    value = time.fromisoformat(text)
    if value.tzinfo not in (None, UTC) or value.second or value.microsecond:
        raise ValueError(f"{text} is not a whole minute of UTC, and the pack has no such time")
    return f"{value:%H:%M}"


def _clauses(match: Data) -> tuple[set[str], list[dict[str, Any]]]:
    """The names that ``match`` equals, and its other clauses."""
    [(kind, value)] = match.items()
    if kind == "equals":
        return {value.lower()}, []
    if kind == "or":
        names: set[str] = set()
        others: list[dict[str, Any]] = []
        for part in value:
            part_names, part_others = _clauses(part)
            names |= part_names
            others += part_others
        return names, others
    if kind == "and":
        parts = [_clauses(part) for part in value]
        if any(names or len(others) != 1 for names, others in parts):
            raise ValueError(f"{match} nests more than the pack's format can say")
        return set(), [{"and": [others[0] for _, others in parts]}]
    if kind not in _LOOSE:
        raise ValueError(f"a clause of the kind {kind!r}")
    return set(), [{kind: value if kind == "regex" else value.lower()}]


_LOOSE: Final = frozenset({"starts_with", "ends_with", "contains", "regex"})


def _matches(match: Data, name: str) -> bool:
    """Whether ``match`` is of a name in lower case."""
    [(kind, value)] = match.items()
    if kind in ("or", "and"):
        parts = [_matches(part, name) for part in value]
        return any(parts) if kind == "or" else all(parts)
    if kind == "regex":
        return re.search(value, name) is not None
    text: str = value.lower()
    if kind == "starts_with":
        return name.startswith(text)
    if kind == "ends_with":
        return name.endswith(text)
    return text in name if kind == "contains" else name == text


def _single(condition: Mapping[str, str]) -> list[tuple[str, str]]:
    if len(condition) != 1:
        raise ValueError(f"a price variant of {condition}, and the pack has one axis for each")
    return list(condition.items())
