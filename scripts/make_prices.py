"""Generate the price pack from the pinned genai-prices release.

    python scripts/make_prices.py            # rewrite prices.jsonl
    python scripts/make_prices.py --check    # exit 1 when the committed file is out of date

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

``when`` is null, ``{"from": "2026-10-14"}`` (UTC date) or ``{"daily": ["01:00", "04:00"]}`` (UTC,
the end excluded). A rate is a decimal string in USD per the unit of its key, or
``["2.5", [[272000, "5"]]]``: the base, then the rates of requests with more input tokens than that.
"""

from __future__ import annotations

import argparse
import json
import sys
import tomllib
from datetime import UTC, time
from decimal import Decimal
from importlib.metadata import version
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
PACK = ROOT / "processor/farthing_processor/pricing/data/prices.jsonl"
FORMAT = 1
SOURCE = "genai-prices"

# genai-prices lists 179 models with no price at all. An empty price is not a price of zero: some
# are retired, included in a subscription, or simply unknown. Free are the `:free` ids, whose name
# says so, and OpenAI's moderation (https://platform.openai.com/docs/guides/moderation).
FREE = {("openai", "moderation")}

# Groq bills at least ten seconds of a request (`ModelInfo.calc_price` of genai-prices), which the
# format cannot say: without a price these are unpriced, and never too cheap.
UNSAYABLE = {("groq", "whisper-large-v3"), ("groq", "whisper-large-v3-turbo")}


def rate(value: Any) -> Any:
    if isinstance(value, Decimal):
        return format(value, "f")
    return [rate(value.base), [[tier.start, rate(tier.price)] for tier in value.tiers]]


def rates(price: Any) -> dict[str, Any]:
    prices = {key: rate(value) for key, value in sorted(vars(price).items()) if value is not None}
    # genai-prices asks for both where audio goes in only; alone it is of whole conversations.
    if prices.get("audio_hours") == prices.get("input_audio_hours"):
        prices.pop("audio_hours", None)
    return prices


def when(constraint: Any) -> dict[str, Any] | None:
    if constraint is None:
        return None
    if hasattr(constraint, "start_date"):
        return {"from": constraint.start_date.isoformat()}
    return {"daily": [clock(constraint.start_time), clock(constraint.end_time)]}


def clock(value: time) -> str:
    if value.tzinfo not in (None, UTC) or value.second or value.microsecond:
        raise ValueError(
            f"{value} is not a whole minute of UTC; the pack's format has no such time"
        )
    return f"{value:%H:%M}"


def clauses(match: Any) -> tuple[set[str], list[dict[str, Any]]]:
    """The names that ``match`` equals, and its other clauses."""
    [(kind, value)] = vars(match).items()
    if kind == "equals":
        return {value.lower()}, []
    if kind == "or_":
        names: set[str] = set()
        others: list[dict[str, Any]] = []
        for part in value:
            part_names, part_others = clauses(part)
            names |= part_names
            others += part_others
        return names, others
    if kind == "and_":
        parts = [clauses(part) for part in value]
        if any(names or len(others) != 1 for names, others in parts):
            raise ValueError(f"{match} nests more than the pack's format can say")
        return set(), [{"and": [others[0] for _, others in parts]}]
    return set(), [{kind: value if kind == "regex" else value.lower()}]


def model_line(provider_id: str, model: Any) -> dict[str, Any]:
    names, others = clauses(model.match)
    if model.is_match(model.id):
        names.add(model.id.lower())
    prices = model.prices
    if not isinstance(prices, list):
        prices = [argparse.Namespace(constraint=None, prices=prices)]
    line: dict[str, Any] = {"id": model.id}
    if names != {model.id.lower()}:
        line["names"] = sorted(names)
    if others:
        line["match"] = others
    if (provider_id, model.id) in UNSAYABLE:
        line["prices"] = [[None, {}]]
        return line
    line["prices"] = [[when(price.constraint), rates(price.prices)] for price in prices]
    if model.price_variants:
        line["variants"] = [
            [axis, value, when(variant.constraint), rates(variant.prices)]
            for variant in model.price_variants
            for axis, value in single(variant.when)
        ]
    if not any(price for _, price in line["prices"]) and (
        model.id.endswith(":free") or (provider_id, model.id) in FREE
    ):
        line["free"] = True
    return line


def single(condition: dict[str, str]) -> list[tuple[str, str]]:
    if len(condition) != 1:
        raise ValueError(f"a price variant of {condition}: the pack's format has one axis for each")
    return list(condition.items())


def released(package_version: str) -> str:
    """When the release of the source was published, as uv.lock records it."""
    lock = tomllib.loads((ROOT / "uv.lock").read_text())
    for package in lock["package"]:
        if package["name"] == SOURCE:
            if package["version"] != package_version:
                raise SystemExit(
                    f"{SOURCE} {package_version} is installed and uv.lock pins"
                    f" {package['version']}: run `uv sync`."
                )
            return package["sdist"]["upload-time"]
    raise SystemExit(f"uv.lock does not name {SOURCE}: run `uv lock`.")


def generate() -> str:
    """The whole pack, as text."""
    from genai_prices.data import providers

    index: dict[str, Any] = {}
    models: list[dict[str, Any]] = []
    for provider in sorted(providers, key=lambda provider: provider.id):
        entry: dict[str, Any] = {"first": len(models) + 1, "count": len(provider.models)}
        if provider.fallback_model_providers:
            entry["fallback"] = provider.fallback_model_providers
        index[provider.id] = entry
        # The order of a provider's models is the order in which their clauses are tried.
        models += [model_line(provider.id, model) for model in provider.models]
    package_version = version(SOURCE)
    header = {
        "format": FORMAT,
        "source": SOURCE,
        "version": package_version,
        "released": released(package_version),
        "licence": "MIT, see NOTICE",
        "providers": index,
    }
    return "".join(
        json.dumps(line, separators=(",", ":"), ensure_ascii=False) + "\n"
        for line in (header, *models)
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument(
        "--check", action="store_true", help="write nothing; exit 1 on a difference"
    )
    pack = generate()
    if parser.parse_args().check:
        if PACK.read_text() == pack:
            return 0
        print(f"{PACK.relative_to(ROOT)} is out of date: run `python scripts/make_prices.py`.")
        return 1
    PACK.write_text(pack)
    print(f"{PACK.relative_to(ROOT)}: {pack.count(chr(10)) - 1} models, {len(pack) / 1000:.0f} kB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
