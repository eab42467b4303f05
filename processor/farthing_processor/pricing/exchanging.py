"""`farthing prices diff`, `export` and `update`: tables compared, written out and replaced."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, Final

from farthing_processor.pricing import comparing, refresh, tables
from farthing_processor.pricing.card import EVER
from farthing_processor.pricing.comparing import Change, compare, where
from farthing_processor.pricing.inspecting import columns, day, fail, iso
from farthing_processor.pricing.pack import Pack, shipped
from farthing_processor.pricing.tables import Unusable

_TABLE: Final = "current, shipped, installed (the genai-prices package), a file or an https URL"


def diff_arguments(parser: argparse.ArgumentParser) -> None:
    """What `diff` takes."""
    parser.add_argument("old", metavar="A", help=_TABLE)
    parser.add_argument("new", metavar="B", help="the same")
    parser.add_argument("--json", action="store_true", help="for programs: one object a line")


def diff(arguments: argparse.Namespace) -> int:
    """Print what differs between two tables, as ``diff`` does: 0 for nothing, 1 for something."""
    packs: list[Pack] = []
    for name in (arguments.old, arguments.new):
        try:
            packs.append(table(name))
        except Unusable as fault:
            return fail(f"{refresh.shown(name)}: {fault}.", 2)
    found = compare(*packs)
    if arguments.json:
        lines: list[dict[str, Any]] = [
            *({"model": model, "change": "added"} for model in found.added),
            *({"model": model, "change": "removed"} for model in found.removed),
            *(_object(change) for change in found.changes),
        ]
        sys.stdout.writelines(json.dumps(line) + "\n" for line in lines)
    elif any(found):
        sys.stdout.write(f"{packs[0].version} -> {packs[1].version}\n")
        sys.stdout.writelines(f"+ {model}\n" for model in found.added)
        sys.stdout.writelines(f"- {model}\n" for model in found.removed)
        if found.changes:
            sys.stdout.write(columns([_row(change) for change in found.changes]))
    return 1 if any(found) else 0


def export_arguments(parser: argparse.ArgumentParser) -> None:
    """What `export` takes."""
    parser.add_argument("--json", action="store_true", help="one JSON object instead of lines")


def export(arguments: argparse.Namespace) -> int:
    """Print the whole table in use: in its own format, which `update` reads, or as one object."""
    pack = tables.current()
    if not arguments.json:
        sys.stdout.write(refresh.sealed(pack.text))
        return 0
    models = [
        {"provider": name, **json.loads(line)}
        for name in pack.providers
        for line in pack.lines(name)
    ]
    released = datetime.fromtimestamp(pack.released_s, UTC).isoformat()
    json.dump({"version": pack.version, "released": released, "models": models}, sys.stdout)
    sys.stdout.write("\n")
    return 0


def update_arguments(parser: argparse.ArgumentParser) -> None:
    """What `update` takes."""
    parser.add_argument(
        "source",
        metavar="SOURCE",
        nargs="?",
        default="installed",
        help="a file or an https URL, of a table that farthing exported or of the JSON that"
        " genai-prices publishes; without it, the genai-prices package that is installed here",
    )
    parser.add_argument(
        "--accept",
        action="store_true",
        help="take a table that shrank and prices that moved more than fivefold, having seen them",
    )
    parser.add_argument("--json", action="store_true", help="for programs: one object")


def update(arguments: argparse.Namespace) -> int:
    """Keep a newer table for every process that starts later: 0 where there is one or nothing is
    new, 1 where it was refused, 2 where it is none."""
    source: str = arguments.source
    name = refresh.shown(source)
    place = tables.place()
    if place is None:
        return fail("FARTHING_PRICES_TABLE=shipped keeps no table; unset it to update.", 2)
    old = tables.current()
    try:
        done = refresh.judged(old, offer(source), arguments.accept)
    except Unusable as fault:
        return fail(f"{name}: {fault}.", 2)
    if done.text is not None:
        try:
            refresh.keep(done.text, place)
        except OSError as fault:
            return fail(f"{place} cannot be written ({fault.strerror}); set FARTHING_PRICES_TABLE.")
    if arguments.json:
        outcome = {
            "kept": str(place) if done.text is not None else None,
            "offered": done.version,
            "before": old.version,
            "refused": done.refused,
            "held_back": done.held,
        }
        sys.stdout.write(json.dumps(outcome) + "\n")
    else:
        sys.stdout.writelines(_said(done, old, source))
    for sentence in done.refused:
        fail(f"{name} is refused: {sentence}")
    return 1 if done.refused else 0


def table(name: str) -> Pack:
    """The table of that name, path or URL, checked. Raises `Unusable`."""
    if name == "current":
        return tables.current()
    return shipped() if name == "shipped" else refresh.checked(offer(name))


def offer(source: str) -> str:
    """The text of a table from ``installed``, a path or a URL. Raises `Unusable`."""
    if source == "installed":
        return refresh.installed()
    fetched = refresh.fetch(source)
    assert fetched is not None, "only with a mark can a source be as it was"
    return refresh.offered(fetched)


def _said(done: refresh.Update, old: Pack, source: str) -> Iterator[str]:
    if done.text is not None:
        difference = compare(old, Pack(done.text))
        yield f"{old.version} -> {Pack(done.text).version}: {len(difference.added)} models added, "
        yield f"{len(difference.removed)} removed, "
        yield f"{len({(each.provider, each.model) for each in difference.changes})} changed.\n"
        yield "Every process that starts from now on prices by it.\n"
    elif not done.refused:
        yield f"{old.version} is in use, and {done.version} says nothing new.\n"
    if done.held:
        yield f"Moved in price more than {comparing.FAR}-fold, so the old one stays: "
        yield f"{', '.join(done.held)}. Look at them with farthing prices diff current "
        yield f"{refresh.shown(source)}, then update with --accept.\n"


def _row(change: Change) -> tuple[str, ...]:
    old, new = ("none" if usd is None else f"{usd:f}" for usd in (change.old, change.new))
    since = "" if change.since == -EVER else f"from {day(change.since)}"
    far = "more than fivefold" if change.is_far else ""
    return f"  {change.provider}/{change.model}", where(change.place), f"{old} -> {new}", since, far


def _object(change: Change) -> dict[str, Any]:
    old, new = (None if usd is None else f"{usd:f}" for usd in (change.old, change.new))
    return {
        "model": f"{change.provider}/{change.model}",
        "change": "rate",
        "rate": where(change.place),
        "old": old,
        "new": new,
        "since": iso(change.since),
        "far": change.is_far,
    }
