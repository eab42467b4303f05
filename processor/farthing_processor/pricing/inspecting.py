"""`farthing prices show` and `search`: what the table in use says of a model, and who says so."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from difflib import get_close_matches
from typing import Any, Final

from farthing_processor.pricing import names, tables
from farthing_processor.pricing.card import EVER, Key, tiers
from farthing_processor.pricing.comparing import models_of, rates_at, where
from farthing_processor.pricing.origins import Origins, origins, said
from farthing_processor.pricing.overlay_rows import Row
from farthing_processor.pricing.pack import Model, Pack, Prices

_SHOWN: Final = 5
"""Providers of one model that are shown without asking for one."""
_FOUND: Final = 50
"""Models that a search shows."""
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def show_arguments(parser: argparse.ArgumentParser) -> None:
    """What `show` takes."""
    parser.add_argument("model", metavar="MODEL", help="a model as calls name it: gpt-4o")
    parser.add_argument("--provider", help="openai, azure.ai.openai … (gen_ai.provider.name)")
    parser.add_argument("--at", help="a moment (ISO 8601, UTC) instead of now")
    parser.add_argument("--json", action="store_true", help="for programs: one object a line")


def show(arguments: argparse.Namespace) -> int:
    """Print the rates of a model at a moment, their history, and the source of each."""
    pack = tables.current()
    try:
        at_ns = moment(arguments.at)
    except ValueError:
        return fail(
            f"--at {arguments.at!r} is not ISO 8601; write it like 2026-11-20T12:00:00Z.", 2
        )
    named: str = arguments.model
    found = [
        origin
        for provider in _providers(pack, arguments.provider)
        if (origin := origins(pack, _key(provider, named), at_ns, by_id=True))
        and (arguments.provider or origin.match.model.provider == provider)
    ]
    found.sort(key=lambda each: (each.card.unpriced is not None, each.match.how != names.EXACT))
    maker, _, own = named.partition("/")
    if (
        own
        and not arguments.provider
        and (origin := origins(pack, _key(maker, own), at_ns, by_id=True))
    ):
        found.insert(0, origin)
    if not found:
        return fail(_unknown(pack, named, arguments.provider))
    if arguments.json:
        sys.stdout.writelines(json.dumps(_object(each, at_ns)) + "\n" for each in found)
        return 0
    shown = [_text(each, at_ns) for each in found[:_SHOWN]]
    if more := [each.called for each in found[_SHOWN:]]:
        shown.append(f"Also of {', '.join(more)}: give --provider.\n")
    sys.stdout.write("\n".join(shown))
    return 0


def search_arguments(parser: argparse.ArgumentParser) -> None:
    """What `search` takes."""
    parser.add_argument("text", metavar="TEXT", help="a part of the model's or provider's name")
    parser.add_argument("--json", action="store_true", help="for programs: one object a line")


def search(arguments: argparse.Namespace) -> int:
    """Print the models whose name has a text in it, with their present rates."""
    pack = tables.current()
    text: str = arguments.text.lower()
    at_ns = time.time_ns()
    found = [
        model
        for provider in pack.providers
        for model in models_of(pack.provider(provider)).values()
        if text in f"{provider}/{model.id}".lower() or any(text in name for name in model.names)
    ]
    if not found:
        return fail(_unknown(pack, arguments.text, None))
    if arguments.json:
        for model in found:
            rates = {where(place): f"{usd:f}" for place, usd in rates_at(model, at_ns).items()}
            line = {"provider": model.provider, "model": model.id, "rates": rates}
            sys.stdout.write(json.dumps(line) + "\n")
        return 0
    rows = [_row(model, at_ns) for model in found[:_FOUND]]
    sys.stdout.write(columns([("model", "input", "cache read", "output"), *rows], right=True))
    if len(found) > _FOUND:
        sys.stdout.write(f"and {len(found) - _FOUND} more: search for more of the name.\n")
    return 0


def moment(text: str | None) -> int:
    """Nanoseconds since the epoch; now without a text. Raises `ValueError`."""
    if text is None:
        return time.time_ns()
    at = datetime.fromisoformat(text)
    at = at.replace(tzinfo=UTC) if at.tzinfo is None else at
    return (at - _EPOCH) // timedelta(microseconds=1) * 1000


def day(at_ns: int) -> str:
    """A moment for people, in UTC: the date, and the time unless it is midnight."""
    at = _EPOCH + timedelta(microseconds=at_ns // 1000)
    return f"{at:%Y-%m-%d}" if at_ns % (86_400 * 10**9) == 0 else f"{at:%Y-%m-%d %H:%M}"


def fail(sentence: str, code: int = 1) -> int:
    """Say what is wrong; the exit code."""
    sys.stderr.write(f"farthing prices: {sentence}\n")
    return code


def columns(rows: Sequence[tuple[str, ...]], indent: str = "", right: bool = False) -> str:
    """A table for people; all columns but the first are right-aligned if ``right``."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "".join(
        indent
        + "  ".join(
            cell.rjust(width) if right and at else cell.ljust(width)
            for at, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        + "\n"
        for row in rows
    )


def _providers(pack: Pack, named: str | None) -> tuple[str, ...]:
    return (named,) if named else pack.providers


def _key(provider: str, model: str) -> Key:
    return (provider, model, "", False, "", "")


def _unknown(pack: Pack, named: str, provider: str | None) -> str:
    if provider and pack.provider(names.PROVIDERS.get(provider, provider)) is None:
        near = get_close_matches(provider, (*pack.providers, *names.PROVIDERS), 3)
        return f"The table has no provider {provider!r}. {_nearest(near)}"
    providers = [names.PROVIDERS.get(provider, provider)] if provider else pack.providers
    known = {
        name: f"{name} ({model.provider})"
        for each in providers
        for model in models_of(pack.provider(each)).values()
        for name in (model.id.lower(), *model.names)
    }
    near = [known[name] for name in get_close_matches(named.lower(), known, 5, 0.5)]
    of = f" of {provider}" if provider else ""
    return f"The table {pack.version} has no model {named!r}{of}. {_nearest(near)}"


def _nearest(near: list[str]) -> str:
    return f"Nearest: {', '.join(near)}." if near else "Try farthing prices search TEXT."


def _text(found: Origins, at_ns: int) -> str:
    """All of one model, for people."""
    model, card = found.match.model, found.card
    served = "" if found.called == model.provider else f", served by {found.called}"
    lines = [f"{model.provider}/{model.id}{served}; matched: {found.match.how}; {found.table}\n"]
    if found.match.problem:
        lines.append(f"  {found.match.problem}\n")
    if card.unpriced:
        lines.append(f"  no price {_hold(found, at_ns)}\n")
    for above, rates in found.brackets:
        head = "" if above < 0 else f", above {above:,} input tokens, for the whole request"
        lines.append(f"  rates {_hold(found, at_ns)}{head}\n")
        rows = [(each.what, f"${each.usd:f}{each.unit}", each.source) for each in rates]
        lines.append(columns(rows, "    "))
    for title, listed in (("listed", _history(model)), ("by setting", _settings(model))):
        if listed:
            lines.append(f"  {title}\n{columns(listed, '    ')}")
    if found.rows:
        lines.append("  overlay\n")
        lines += [f"    {_row_said(row)}\n" for row in found.rows]
    return "".join(lines)


def _hold(found: Origins, at_ns: int) -> str:
    card = found.card
    since = "" if card.since == -EVER else f" from {day(card.since)}"
    until = "" if card.until == EVER else f" until {day(card.until)}"
    return f"of {day(at_ns)}, holding{since}{until} UTC" if since or until else f"of {day(at_ns)}"


def _history(model: Model) -> list[tuple[str, str]]:
    """What the table lists, by when; nothing where it always listed the same."""
    rows = [(said(when).removeprefix(", ") or "at first", prices) for when, prices in model.prices]
    return [(when, _prices(prices)) for when, prices in rows] if len(rows) > 1 else []


def _settings(model: Model) -> list[tuple[str, str]]:
    return [
        (f"{axis} {value}{said(when)}", _prices(prices))
        for axis, value, when, prices in model.variants
        if prices
    ]


def _row_said(row: Row) -> str:
    changes = ", ".join(
        part for part in (_prices(row.rates), f"x {row.times}" if row.times else "") if part
    )
    of = f" for {' '.join(row.of)}" if row.of[0] else ""
    via = f", after {row.via}" if row.via else ""
    return f"{changes}{of}{said(row.when)}: {row.says} {row.source} (read {row.read}{via})"


def _prices(prices: Prices) -> str:
    return ", ".join(
        f"{key} {decimal}" + (f" above {above:,}" if above >= 0 else "")
        for key, rate in prices.items()
        for above, decimal in tiers(rate)
    )


def _row(model: Model, at_ns: int) -> tuple[str, ...]:
    rates = rates_at(model, at_ns)
    found = (rates.get(("", f"{key}_mtok", -1)) for key in ("input", "cache_read", "output"))
    return f"{model.provider}/{model.id}", *("-" if usd is None else f"${usd:f}/M" for usd in found)


def _object(found: Origins, at_ns: int) -> Mapping[str, Any]:
    """All of one model, for programs."""
    model, card = found.match.model, found.card
    return {
        "provider": model.provider,
        "model": model.id,
        "served_by": found.called,
        "match": found.match.how,
        "prices": found.table,
        "at": iso(at_ns),
        "since": iso(card.since),
        "until": iso(card.until),
        "unpriced": card.unpriced,
        "rates": [
            {
                "what": rate.what,
                "usd": f"{rate.usd:f}",
                "per": rate.unit.removeprefix("/"),
                "above_input_tokens": None if above < 0 else above,
                "source": rate.source,
            }
            for above, rates in found.brackets
            for rate in rates
        ],
        "listed": [{"when": when, "prices": prices} for when, prices in model.prices],
        "settings": [
            {"axis": axis, "value": value, "when": when, "prices": prices}
            for axis, value, when, prices in model.variants
        ],
        "overlay": [row._asdict() for row in found.rows],
    }


def iso(at_ns: int) -> str | None:
    """A moment for programs; None for the beginning and the end of time."""
    if abs(at_ns) >= EVER:
        return None
    return (_EPOCH + timedelta(microseconds=at_ns // 1000)).isoformat()
