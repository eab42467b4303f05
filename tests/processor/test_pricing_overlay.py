"""The overlay: sourced, dated, over the pack, and gone once the pack says the same."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from farthing_processor.pricing import Priced, price
from farthing_processor.pricing.card import PRICE_KEYS, Card, Setting, compile_card
from farthing_processor.pricing.moments import DAY_NS, edges, holds
from farthing_processor.pricing.names import EXACT, Match
from farthing_processor.pricing.overlay import added, check, rows_for
from farthing_processor.pricing.overlay_rows import ROWS, Row
from farthing_processor.pricing.pack import Model, shipped
from farthing_processor.usage import Usage
from tests.processor.conftest import ns

NOW = ns("2026-11-20T12:00:00")
IDS = [f"{number}:{row.provider}:{row.models.split()[0]}" for number, row in enumerate(ROWS)]


def cost(usage: Usage, provider: str, model: str, moment: str = "2026-11-20T12:00:00") -> Priced:
    return price(usage, provider=provider, model=model, at_ns=ns(moment))


def usd(priced: Priced) -> tuple[str, str]:
    return priced.status, f"{priced.exact():f}"


def models_of(row: Row) -> dict[str, Model]:
    """The pack's models at the row's provider, those it resells included, by id."""
    provider = shipped().provider(row.provider)
    assert provider is not None
    sellers = (provider, *(shipped().provider(name) for name in provider.fallback))
    return {
        model.id: model
        for seller in reversed(sellers)
        if seller
        for model in (*seller.by_name.values(), *seller.by_clause)
    }


@pytest.mark.parametrize("row", ROWS, ids=IDS)
def test_every_row_has_a_source_and_is_of_models_that_there_are(row: Row) -> None:
    check([row])
    assert date.fromisoformat(row.read) <= date(2026, 11, 22)
    assert not set(row.models.split()) - set(models_of(row)), "the pack has no such model"
    assert set(row.rates) <= set(PRICE_KEYS.values())
    assert row.of[0] in ("", "geo", "processing", "service_tier", "speed")


@pytest.mark.parametrize(
    "change",
    [
        {"source": "https://docs.litellm.ai/docs/providers/openai"},
        {"source": "https://developers.openai.com.evil.example/api/docs/pricing"},
        {"source": "http://developers.openai.com/api/docs/pricing"},
        {"source": "OpenAI's pricing page"},
        {"source": "https://api-docs.deepseek.com/quick_start/pricing"},
        {"source": ""},
        {"says": ""},
        {"models": " "},
        {"times": "", "rates": {}},
        {"read": "last week"},
    ],
)
def test_a_row_without_the_vendors_own_page_is_refused(change: dict[str, Any]) -> None:
    row = next(row for row in ROWS if row.provider == "openai")
    with pytest.raises(ValueError, match=r"source|lacks|isoformat"):
        check([row, row._replace(**change)])


def compiled(row: Row, model: Model, at_ns: int, without: bool) -> Card:
    """The card of a model in the setting that a row is for, with the overlay or without the row."""
    axis, values = row.of
    value = values.partition(" ")[0].replace("*", "us-east5")
    setting = {
        "": Setting(),
        "geo": Setting(geo=value),
        "processing": Setting(batch=True),
        "service_tier": Setting(tier=value),
        "speed": Setting(speed=value),
    }[axis]
    rows = rows_for(row.provider, model.provider, model.id)
    assert row in rows
    if without:
        rows = tuple(each for each in rows if each is not row)
    return compile_card(Match(model, EXACT), setting, row.provider, at_ns, rows)


def around(row: Row) -> list[int]:
    """Moments by night and by day of the week around now, and around the row's first and last."""
    if row.when is None:
        return [NOW]
    midnights = {at - at % DAY_NS for at in (NOW, *edges(row.when, NOW))}
    return [
        midnight + day * DAY_NS + hour * 3600 * 10**9
        for midnight in sorted(midnights)
        for day in range(-8, 9)
        for hour in (2, 12, 20)
    ]


def costs(card: Card) -> tuple[object, ...]:
    """All that a card says of money."""
    per_usd = card.per_usd
    brackets = [
        (above, [None if rate is None else Decimal(rate) / per_usd for rate in rates])
        for above, rates in card.brackets
    ]
    return brackets, card.problem, card.free, card.unpriced


@pytest.mark.parametrize("row", ROWS, ids=IDS)
def test_the_pack_has_not_caught_up(row: Row) -> None:
    """For some moment of the row's, the card differs without it: else the row is to be removed."""
    moments = [at for at in around(row) if holds(row.when, at)]
    assert moments, "it never holds"
    for name in row.models.split():
        model = models_of(row)[name]
        assert any(
            costs(compiled(row, model, at, False)) != costs(compiled(row, model, at, True))
            for at in moments
        ), f"the pack prices {name} as the row does: remove it from the row"
    if row.new:
        pack_alone = {
            model.id for model in models_of(row).values() if model.prices != ((None, {}),)
        }
        assert row.models not in pack_alone, "the pack has the model: remove the row"
        assert row.models in added(row.provider)


def test_a_card_says_that_a_row_is_in_it() -> None:
    assert cost(Usage(1, 1), "openai", "gpt-4o").prices == "genai-prices 0.2.3"
    said = cost(Usage(1, 1), "openai", "gpt-4o-audio-preview").prices
    assert said == "genai-prices 0.2.3 and overlay 2026-11-22"


@pytest.mark.parametrize(
    ("usage", "model", "expected"),
    [
        (Usage(1000, 600, input_audio_tokens=800, output_audio_tokens=500),
         "gpt-4o-audio-preview-2024-12-17", ("priced", "0.0735")),
        (Usage(1000, 600, input_audio_tokens=800, output_audio_tokens=500),
         "gpt-4o-mini-audio-preview", ("priced", "0.01809")),
        # 5,000 at $2, 20,000 read at $0.1, 5,000 written for 30 min at $2.5, 20,000 for 12 h at $5.
        (Usage(50_000, 2000, 20_000, 25_000, 0, 20_000), "gpt-6.1-sol", ("priced", "0.1445")),
        (Usage(1_000_000, 0, 0, 10_000, 0, 10_000), "gpt-6.1-terra", ("priced", "2.03")),
        (Usage(1000, 0, 0, 500, 0, 500, tier="flex"), "gpt-6.1-sol", ("partial", "0.0005")),
        (Usage(1000, 500, preview_searches=1), "gpt-4.1", ("priced", "0.031")),
        (Usage(1000, 0, preview_searches=2, web_searches=1), "gpt-5", ("priced", "0.03125")),
        (Usage(1000, 0, preview_searches=1), "gpt-4", ("partial", "0.03")),
        (Usage(1000, 0, preview_searches=1, tier="flex"), "gpt-5", ("priced", "0.010625")),
        (Usage(1_000_000, None, batch=True), "text-embedding-3-small", ("priced", "0.01")),
        (Usage(1_000_000, None, batch=True), "text-embedding-3-large", ("priced", "0.065")),
        (Usage(1_000_000, None, batch=True), "text-embedding-ada-002", ("priced", "0.05")),
        (Usage(1000, 100), "gpt-6.2-sol", ("priced", "0.003")),
        (Usage(1000, 100, tier="fast"), "gpt-6.2-sol", ("priced", "0.006")),
        (Usage(1000, 100, tier="ultrafast"), "gpt-6.2-sol", ("priced", "0.009")),
        (Usage(1000, 100, batch=True), "gpt-6.2-sol", ("priced", "0.0015")),
        (Usage(1000, 100, tier="flex"), "gpt-6.2-sol", ("partial", "0.003")),
        (Usage(1000, 100, geo="eu", tier="fast"), "gpt-6.2-sol", ("priced", "0.0066")),
        (Usage(1000, 0, 0, 800, 0, 300, geo="eu"), "gpt-6.1-sol", ("priced", "0.003465")),
        # On top of every other setting, and of each tier's own rates.
        (Usage(10_000, 1000, geo="eu"), "gpt-5.5", ("priced", "0.088")),
        (Usage(10_000, 1000, geo="eu", tier="flex"), "gpt-5.5", ("priced", "0.044")),
        (Usage(10_000, 1000, geo="eu", batch=True), "gpt-5.5", ("priced", "0.044")),
        (Usage(10_000, 1000, tier="flex", batch=True), "gpt-5.5", ("partial", "0.04")),
    ],
)  # fmt: skip
def test_openai(usage: Usage, model: str, expected: tuple[str, str]) -> None:
    assert usd(cost(usage, "openai", model)) == expected


def test_a_fee_is_not_multiplied() -> None:
    searched = cost(Usage(1000, 100, web_searches=1, geo="eu"), "openai", "gpt-5.4")
    assert searched.exact_classes()["tools"] == Decimal("0.01")


@pytest.mark.parametrize(
    ("model", "moment", "amount"),
    [
        # One price at all hours, then peaks every day, then on weekdays that are no holidays.
        ("deepseek-v4-pro", "2026-08-16T15:59:59", "0.435"),
        ("deepseek-v4-pro", "2026-08-10T02:00:00", "0.435"),
        ("deepseek-v4-pro", "2026-08-16T16:00:00", "0.66"),
        ("deepseek-v4-pro", "2026-08-22T02:00:00", "1.32"),
        ("deepseek-v4-pro", "2026-08-23T02:00:00", "0.66"),
        ("deepseek-v4-pro", "2026-08-24T01:00:00", "1.32"),
        ("deepseek-v4-pro", "2026-08-24T04:00:00", "0.66"),
        ("deepseek-v4-pro", "2026-08-24T09:59:59", "1.32"),
        ("deepseek-v4-pro", "2026-10-01T02:00:00", "0.66"),
        ("deepseek-v4-pro", "2026-11-20T02:00:00", "1.32"),
        ("deepseek-v4-pro", "2026-11-21T02:00:00", "0.66"),
        ("deepseek-v4-flash", "2026-07-01T02:00:00", "0.14"),
        ("deepseek-v4-flash", "2026-08-20T02:00:00", "0.44"),
        ("deepseek-v4-flash", "2026-09-09T12:00:00", "0.22"),
        ("deepseek-v4-flash", "2026-09-10T02:00:00", "0.3"),
        ("deepseek-flash", "2026-11-20T02:00:00", "0.3"),
        ("deepseek-flash", "2026-11-22T02:00:00", "0.15"),
        ("deepseek-chat", "2025-09-10T20:00:00", "0.56"),
        ("deepseek-chat", "2025-09-01T20:00:00", "0.135"),
    ],
)
def test_deepseek_by_the_hour_and_the_day(model: str, moment: str, amount: str) -> None:
    assert usd(cost(Usage(1_000_000, 0), "deepseek", model, moment)) == ("priced", amount)


def test_a_card_that_is_kept_does_not_outlive_its_hours() -> None:
    """Through three weeks by the hour, forwards and then at random: as if nothing were kept."""
    hours = range(ns("2026-08-14T00:00:00"), ns("2026-09-06T00:00:00"), 3600 * 10**9)
    usage = Usage(1_000_000, 0)
    forwards = [
        price(usage, provider="deepseek", model="deepseek-v4-pro", at_ns=at) for at in hours
    ]
    for step in (7, 31, -5):
        for at, expected in list(zip(hours, forwards, strict=True))[::step]:
            priced = price(usage, provider="deepseek", model="deepseek-v4-pro", at_ns=at)
            assert priced == expected
    assert {priced.usd for priced in forwards} == {0.435, 0.66, 1.32}


@pytest.mark.parametrize(
    ("provider", "model", "moment", "expected"),
    [
        ("gcp.vertex_ai", "gemini-3.5-flash", "2026-06-30T23:00:00", "partial"),
        ("gcp.vertex_ai", "gemini-3.5-flash", "2026-07-01T00:00:00", "priced"),
        ("gcp.vertex_ai", "claude-opus-4-6", "2026-07-01T00:00:00", "priced"),
        ("gcp.vertex_ai", "gemini-3-pro-preview", "2026-11-20T00:00:00", "partial"),
    ],
)
def test_places_on_vertex(provider: str, model: str, moment: str, expected: str) -> None:
    there = cost(Usage(1000, 100, geo="us-east5"), provider, model, moment)
    anywhere = cost(Usage(1000, 100), provider, model, moment)
    exact, base = there.exact(), anywhere.exact()
    assert there.status == expected
    assert exact is not None
    assert base is not None
    assert exact == base * (Decimal("1.1") if expected == "priced" else 1)


@pytest.mark.parametrize(
    ("when", "moment", "expected"),
    [
        (None, "2026-01-01T00:00:00", True),
        ({"from": "2026-01-01"}, "2025-12-31T23:59:59", False),
        ({"from": "2026-01-01"}, "2026-01-01T00:00:00", True),
        ({"until": "2026-01-01T16:00"}, "2026-01-01T15:59:59", True),
        ({"until": "2026-01-01T16:00"}, "2026-01-01T16:00:00", False),
        ({"daily": [["22:00", "02:00"]]}, "2026-01-01T23:00:00", True),
        ({"daily": [["22:00", "02:00"]]}, "2026-01-01T01:59:59", True),
        ({"daily": [["22:00", "02:00"]]}, "2026-01-01T02:00:00", False),
        ({"days": [4]}, "1970-01-01T12:00:00", True),
        ({"days": [5]}, "2026-11-20T12:00:00", True),
        ({"days": [6, 7]}, "2026-11-20T12:00:00", False),
        ({"except": ["2026-11-20"]}, "2026-11-20T12:00:00", False),
        ({"except": ["2026-11-20"]}, "2026-11-21T00:00:00", True),
    ],
)
def test_conditions(when: Any, moment: str, expected: bool) -> None:
    assert holds(when, ns(moment)) is expected
