"""A newer price table: what is believed of it, where it is kept, and when it is used."""

from __future__ import annotations

import json
import logging
import os
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from farthing_processor.pricing import (
    background,
    price,
    prices_version,
    published,
    refresh,
    rules,
    tables,
)
from farthing_processor.pricing.pack import Pack, shipped
from farthing_processor.pricing.refresh import Fetched, Update, judged, offered
from farthing_processor.pricing.tables import Unusable
from farthing_processor.usage import Usage

NOW = datetime(2026, 11, 22, tzinfo=UTC)
Edit = Callable[[dict[str, Any]], None]


def edited(
    changes: dict[str, Edit | None], version: str = "0.3.0", released: str = "2026-11-21T00:00:00Z"
) -> str:
    """The shipped table as another release, with some models (``provider/id``) changed or gone."""
    pack = shipped()
    index: dict[str, Any] = {}
    lines: list[str] = []
    header = json.loads(pack.text.partition("\n")[0])
    for name, entry in header["providers"].items():
        own = []
        for line in pack.lines(name):
            model = json.loads(line)
            change = changes.get(f"{name}/{model['id']}", _same)
            if change is not None:
                change(model)
                own.append(json.dumps(model))
        index[name] = {**entry, "first": len(lines) + 1, "count": len(own)}
        lines += own
    header |= {"version": version, "released": released, "providers": index}
    return refresh.sealed("\n".join((json.dumps(header), *lines, "")))


def _same(_: dict[str, Any]) -> None:
    pass


def input_of(rate: str) -> Edit:
    def change(model: dict[str, Any]) -> None:
        model["prices"][0][1]["input_mtok"] = rate

    return change


def cost(model: str = "gpt-4o", provider: str = "openai") -> float | None:
    at_ns = 1_795_305_600 * 10**9
    return price(Usage(1_000_000, 0), provider=provider, model=model, at_ns=at_ns).usd


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    yield
    background.start(None)
    tables.keep_at("elsewhere")
    tables.keep_at(None)


def test_a_cheaper_price_is_taken() -> None:
    update = judged(shipped(), edited({"openai/gpt-4o": input_of("2")}))
    assert (update.refused, update.held, update.version) == ((), (), "genai-prices 0.3.0")
    assert update.text is not None
    assert cost() == 2.5
    tables.use(Pack(update.text))
    assert cost() == 2.0
    assert prices_version() == "genai-prices 0.3.0"


def test_what_is_in_use_is_no_news() -> None:
    assert judged(shipped(), edited({})).text is None


def test_a_price_that_moves_more_than_fivefold_stays_and_the_rest_is_taken() -> None:
    moved = {"openai/gpt-4o": input_of("12.6"), "openai/gpt-4o-mini": input_of("0.1")}
    update = judged(shipped(), edited(moved))
    assert update.held == ("openai/gpt-4o",)
    assert update.text is not None
    new = Pack(update.text)
    assert new.version == "genai-prices 0.3.0 (1 held back)"
    tables.use(new)
    assert (cost(), cost("gpt-4o-mini")) == (2.5, 0.1)
    # The next look says the same and changes nothing.
    again = judged(new, edited(moved))
    assert (again.text, again.held) == (None, ("openai/gpt-4o",))


@pytest.mark.parametrize("rate", ["12.51", "0.49", "0"])
def test_far_is_up_down_or_to_nothing(rate: str) -> None:
    assert judged(shipped(), edited({"openai/gpt-4o": input_of(rate)})).held == ("openai/gpt-4o",)


@pytest.mark.parametrize("rate", ["12.5", "0.5"])
def test_fivefold_is_not_far(rate: str) -> None:
    assert judged(shipped(), edited({"openai/gpt-4o": input_of(rate)})).held == ()


def test_a_coming_price_is_looked_at_too() -> None:
    def change(model: dict[str, Any]) -> None:
        model["prices"].append([{"from": "2027-06-01"}, {"input_mtok": "250"}])

    assert judged(shipped(), edited({"openai/gpt-4o": change})).held == ("openai/gpt-4o",)


def test_what_somebody_looked_at_is_taken() -> None:
    update = judged(shipped(), edited({"openai/gpt-4o": input_of("25")}), accept=True)
    assert update.text is not None
    tables.use(Pack(update.text))
    assert cost() == 25.0


def test_a_table_that_shrank_is_refused() -> None:
    gone = list(shipped().provider("openai").models)[:40]  # type: ignore[union-attr]
    text = edited(dict.fromkeys((f"openai/{model}" for model in gone), None))
    (sentence,) = judged(shipped(), text).refused
    assert sentence.startswith("Provider openai shrank from 1")
    assert judged(shipped(), text).text is None
    assert judged(shipped(), text, accept=True).text is not None


def test_units_mixed_up_everywhere_are_refused_as_a_whole() -> None:
    def change(model: dict[str, Any]) -> None:
        model["prices"] = [[when, {"input_mtok": "0.000001"}] for when, _ in model["prices"]]

    every = {
        f"{name}/{model}": change
        for name in shipped().providers
        for model in shipped().provider(name).models  # type: ignore[union-attr]
    }
    (sentence,) = judged(shipped(), edited(every)).refused
    assert "moved in price more than 5-fold" in sentence


@pytest.mark.parametrize(
    ("version", "released", "says"),
    [
        ("0.2.2", "2026-11-21T00:00:00Z", "genai-prices 0.2.2"),
        ("2026-11-01+1a2b3c4d", "2026-11-01T00:00:00Z", "2026-11-01 00:00 UTC"),
    ],
)
def test_a_table_from_before_is_refused(version: str, released: str, says: str) -> None:
    text = edited({"openai/gpt-4o": input_of("2")}, version, released)
    (sentence,) = judged(shipped(), text, accept=True).refused
    assert says in sentence


def test_a_stale_copy_with_a_new_date_is_refused() -> None:
    def without(model: dict[str, Any]) -> None:
        model["prices"] = [
            row for row in model["prices"] if not row[0] or row[0].get("from", "") < "2026-06-01"
        ] or model["prices"][:1]
        for row in model["prices"]:
            row[0] = None if row[0] and row[0].get("from", "") >= "2026-06-01" else row[0]
        model.pop("variants", None)

    every = {
        f"{name}/{model}": without
        for name in shipped().providers
        for model in shipped().provider(name).models  # type: ignore[union-attr]
    }
    (sentence,) = judged(shipped(), edited(every)).refused
    assert "Its newest price is of" in sentence


@pytest.mark.parametrize(
    "rates",
    [
        {"input_mtok": "-1"},
        {"input_mtok": "1e3"},
        {"input_mtok": "NaN"},
        {"input_mtok": "10001"},
        {"input_mtok": 2.5},
        {"input_mtok": ["2.5", [[200000, "5"], [100000, "4"]]]},
    ],
)
def test_what_is_no_price_makes_no_table(rates: dict[str, Any]) -> None:
    def change(model: dict[str, Any]) -> None:
        model["prices"] = [[None, rates]]

    with pytest.raises(Unusable, match="openai/gpt-4o"):
        judged(shipped(), edited({"openai/gpt-4o": change}), accept=True)


@pytest.mark.parametrize(
    "text",
    ["", "hello", "{}", "[1]", '{"format":2}', '{"format":1}', '[{"id":"x"}]', "[" * 100_000],
)
def test_what_is_no_table_is_unusable(text: str) -> None:
    with pytest.raises(Unusable):
        judged(shipped(), offered(Fetched(text, NOW)))


def test_a_table_cut_short_is_unusable() -> None:
    text = edited({})
    with pytest.raises(Unusable):
        judged(shipped(), text[: len(text) // 2])


def test_published_json_and_the_package_say_the_same() -> None:
    """The JSON that genai-prices publishes, made here from its package."""
    data = published.from_package()
    text = json.dumps(data, default=lambda value: float(value))
    made = offered(Fetched(text, NOW))
    new = Pack(made)
    assert new.version.startswith("genai-prices 2026-11-22+")
    floats = {"huggingface_together/Qwen/Qwen3-VL-8B-Instruct"}
    different = [
        f"{name}/{json.loads(old)['id']}"
        for name in shipped().providers
        for old, line in zip(shipped().lines(name), new.lines(name), strict=True)
        if not same(json.loads(old), json.loads(line))
    ]
    assert set(different) <= floats
    assert judged(shipped(), refresh.installed()) == Update(None, version=shipped().version)


def same(one: Any, other: Any) -> bool:
    """Whether two lines are, ``2`` and ``2.0`` being the same rate."""
    if isinstance(one, str) and isinstance(other, str) and one != other:
        return one[:1].isdigit() and Decimal(one) == Decimal(other)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    return one == other


def test_a_kept_table_is_read_at_start(tmp_path: Path) -> None:
    place = tmp_path / "deep" / "prices.jsonl"
    refresh.keep(edited({"openai/gpt-4o": input_of("2")}), place)
    assert [each.name for each in place.parent.iterdir()] == ["prices.jsonl"]
    tables.keep_at(str(place))
    assert (cost(), prices_version()) == (2.0, "genai-prices 0.3.0")
    tables.keep_at("shipped")
    assert cost() == 2.5


def test_a_kept_table_older_than_the_shipped_one_is_not_used(tmp_path: Path) -> None:
    place = tmp_path / "prices.jsonl"
    refresh.keep(edited({"openai/gpt-4o": input_of("2")}, "0.2.2"), place)
    tables.keep_at(str(place))
    assert cost() == 2.5


@pytest.mark.parametrize("cut", [0, 10, 5_000, 200_000])
def test_a_broken_kept_table_is_said_once_and_the_shipped_one_used(
    cut: int, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    place = tmp_path / "prices.jsonl"
    place.write_text(edited({"openai/gpt-4o": input_of("2")})[:cut])
    tables.keep_at(str(place))
    with caplog.at_level(logging.WARNING, "farthing"):
        assert [cost(), cost("gpt-4o-mini")] == [2.5, 0.15]
    (record,) = caplog.records
    assert str(place) in record.getMessage()
    assert "farthing prices update" in record.getMessage()


def test_a_swap_reaches_every_card_and_the_users_rules_stay(tmp_path: Path) -> None:
    file = tmp_path / "own.toml"
    file.write_text('[[rule]]\nprovider = "openai"\nmodel = "gpt-4o-mini"\ndiscount = "50%"\n')
    assert rules.use_file(str(file)) == ()
    try:
        assert (cost(), cost("gpt-4o-mini")) == (2.5, 0.075)
        new = {"openai/gpt-4o": input_of("2"), "openai/gpt-4o-mini": input_of("0.1")}
        tables.use(Pack(edited(new)))
        assert (cost(), cost("gpt-4o-mini")) == (2.0, 0.05)
    finally:
        rules.use(None)


def test_threads_see_one_table_or_the_other() -> None:
    old, new = shipped(), Pack(edited({"openai/gpt-4o": input_of("2")}))
    seen: list[set[float | None]] = []
    done = threading.Event()

    def ask() -> None:
        mine: set[float | None] = set()
        while not done.is_set():
            mine.add(cost())
        seen.append(mine)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for n in range(200):
        tables.use(new if n % 2 == 0 else old)
        assert cost() == (2.0 if n % 2 == 0 else 2.5)
    done.set()
    for thread in threads:
        thread.join()
    assert set().union(*seen) <= {2.0, 2.5}


def test_the_background_thread_uses_a_newer_file_and_survives_a_broken_one(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "mirror.jsonl"
    file.write_text(edited({"openai/gpt-4o": input_of("2")}))
    looked = background.Refresher(str(file), lambda *_: 0)
    looked.look()
    assert cost() == 2.0
    with caplog.at_level(logging.WARNING, "farthing"):
        file.write_text("broken")
        looked.look()
        looked.look()
    assert len(caplog.records) == 1
    assert cost() == 2.0
    file.write_text(edited({"openai/gpt-4o": input_of("1.9")}, "0.3.1"))
    os.utime(file, (1, 1))
    looked.look()
    assert cost() == 1.9


def test_one_thread_where_it_is_asked_for_and_none_after(tmp_path: Path) -> None:
    file = tmp_path / "mirror.jsonl"
    file.write_text(edited({"openai/gpt-4o": input_of("2")}))

    def own() -> list[threading.Thread]:
        return [each for each in threading.enumerate() if each.name == "farthing-prices"]

    tables.refresh_from(None)
    assert own() == []
    swapped = threading.Event()
    delays = iter((0.0, 3600.0))

    def uniform(low: float, high: float) -> float:
        delay = next(delays)
        if delay:
            assert 3600 <= low < high <= 2 * 3600
            swapped.set()
        return delay

    background.start(str(file), uniform)
    background.start(str(file), uniform)
    (thread,) = own()
    assert thread.daemon
    assert swapped.wait(30)
    assert cost() == 2.0
    background.start(None)
    thread.join(30)
    assert own() == []


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_fork_has_its_own_thread(tmp_path: Path) -> None:
    background.start(str(tmp_path / "mirror.jsonl"))
    child = os.fork()
    if child == 0:
        names = [each.name for each in threading.enumerate() if each.is_alive()]
        os._exit(names.count("farthing-prices"))
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 1
