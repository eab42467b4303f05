"""Refresh: a newer price table from a file, an https URL or the installed genai-prices, checked.

Nothing here runs unless it is asked for: by `farthing prices update`, which keeps the table for
every process that starts later (`tables`), or by ``FARTHING_PRICES_REFRESH``, which has one thread
of this process look at its source every hour (`background`). What is fetched is believed only so
far: a table that shrank or went back in time is refused, and a model whose price moved more than
fivefold keeps its old one until somebody looked at it. The user's own rules are not of the table,
and outlive it.
"""

from __future__ import annotations

import json
import os
import re
import tempfile
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from email.utils import parsedate_to_datetime
from hashlib import sha256
from importlib import metadata
from pathlib import Path
from typing import Final, NamedTuple
from urllib.parse import urlsplit

from farthing_processor.pricing import comparing, published, tables
from farthing_processor.pricing.card import tiers
from farthing_processor.pricing.moments import edges, holds
from farthing_processor.pricing.pack import Clause, Model, Pack
from farthing_processor.pricing.tables import MAX_BYTES, Unusable

TIMEOUT_S: Final = 10
"""For all of a fetch."""
MAX_RATE: Final = Decimal(10_000)
"""USD for a million tokens, a thousand searches or an hour: above it a unit was mistaken."""
_RATE: Final = re.compile(r"\d{1,5}(?:\.\d{1,20})?")


class Fetched(NamedTuple):
    """What a source holds."""

    text: str
    at: datetime
    """When it was published, as far as the source says; else now."""
    mark: str = ""
    """Given back with the next fetch, it says whether anything changed since."""


class Update(NamedTuple):
    """What became of a table that was offered."""

    text: str | None
    """The table to use, in the pack's format; None where it is none, or nothing new."""
    refused: tuple[str, ...] = ()
    """Why it may not replace the one in use; a sentence each."""
    held: tuple[str, ...] = ()
    """The models that keep their old prices, as ``provider/id``."""
    version: str = ""
    """Of the table that was offered."""


def offered(fetched: Fetched) -> str:
    """What was fetched, in the pack's format. Raises `Unusable`.

    It may be that format, or the JSON that genai-prices publishes. That has no version: its date
    and its digest make one.
    """
    text = fetched.text
    if text.lstrip()[:1] == "{":
        tables.header_of(text)
        try:
            rows = [published.line(json.loads(row)) for row in text.split("\n") if row]
        except (ValueError, RecursionError) as fault:
            raise Unusable(f"one of its lines is no JSON ({fault})") from None
        return sealed("\n".join((*rows, "")))
    day, digest = f"{fetched.at:%Y-%m-%d}", sha256(text.encode()).hexdigest()[:8]
    header = {"version": f"{day}+{digest}", "released": fetched.at.isoformat(timespec="seconds")}
    text = published.pack(published.from_json(text), header)
    return sealed(text)


def installed() -> str:
    """The table of the installed genai-prices, in the pack's format. Raises `Unusable`.

    A package does not say when it was published; it counts as of when it was installed.
    """
    try:
        version = metadata.version(published.SOURCE)
        providers = published.from_package()
    except (ImportError, AttributeError) as fault:
        raise Unusable(
            f"{published.SOURCE} is not installed here: pip install -U {published.SOURCE}, or give"
            " a file or an https URL"
        ) from fault
    found = metadata.distribution(published.SOURCE).locate_file("genai_prices/data.py")
    at = datetime.fromtimestamp(os.stat(str(found)).st_mtime, UTC)
    text = published.pack(
        providers, {"version": version, "released": at.isoformat(timespec="seconds")}
    )
    return sealed(text)


def judged(old: Pack, text: str, accept: bool = False) -> Update:
    """What may become of a table ``text`` where ``old`` is in use. Raises `Unusable`.

    ``accept`` takes what somebody looked at: a table that shrank, and prices that moved far.
    """
    new = checked(text)
    if _says(new) == _says(old):
        return Update(None, version=new.version)
    if back := comparing.went_back(old, new):
        return Update(None, (back,), version=new.version)
    if accept:
        return Update(text, version=new.version)
    difference = comparing.compare(old, new)
    if refused := comparing.objections(old, new, difference):
        return Update(None, refused, version=new.version)
    held = comparing.held_back(difference)
    if held:
        text = _with_old(text, old, new, held)
    is_news = _says(Pack(text)) != _says(old)
    return Update(text if is_news else None, held=held, version=new.version)


def checked(text: str) -> Pack:
    """The pack of ``text``, every line of it read. Raises `Unusable`."""
    what = "its header"
    try:
        pack = Pack(text)
        for name, entry in tables.header_of(text)["providers"].items():
            what = name
            provider = pack.provider(name)
            if provider is None or len(pack.lines(name)) != entry["count"]:
                raise ValueError("lines are missing")
            for model in provider.models.values():
                what = f"{name}/{model.id}"
                _check(model)
    except (ValueError, KeyError, TypeError, IndexError, AttributeError, re.error) as fault:
        raise Unusable(f"it is no price table ({what}: {fault})") from fault
    return pack


def keep(text: str, path: Path) -> None:
    """Have every process that starts from now on use a table. Replaces the file whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=path.name)
    try:
        with open(handle, "w", encoding="utf-8", newline="") as file:
            file.write(text)
        os.chmod(name, 0o644)
        os.replace(name, path)
    except BaseException:
        os.unlink(name)
        raise


def fetch(source: str, mark: str = "") -> Fetched | None:
    """What ``source`` holds, a path, a ``file:`` or an ``https:`` URL; None while it is as when it
    gave ``mark``. Raises `Unusable`."""
    scheme = urlsplit(source).scheme.lower()
    if scheme == "https":
        return _from_https(source, mark)
    if "://" in source and scheme != "file":
        raise Unusable(f"{scheme} is not read; give an https URL or a file")
    path = _path(source) if scheme == "file" else Path(source).expanduser()
    try:
        with path.open("rb") as file:
            stat = os.fstat(file.fileno())
            now = f"{stat.st_mtime_ns} {stat.st_size}"
            if now == mark:
                return None
            data = file.read(MAX_BYTES + 1)
    except OSError as fault:
        raise Unusable(f"it cannot be read ({fault.strerror})") from None
    return Fetched(_decoded(data), datetime.fromtimestamp(stat.st_mtime, UTC), now)


def shown(source: str) -> str:
    """A source for people and logs, without what may be a secret in it."""
    parts = urlsplit(source)
    return f"{parts.scheme}://{parts.hostname}{parts.path}" if parts.hostname else source


def _path(url: str) -> Path:
    from urllib.request import url2pathname

    return Path(url2pathname(urlsplit(url).path))


def _from_https(url: str, mark: str) -> Fetched | None:
    # Only a program that fetches pays for these.
    from http.client import HTTPException
    from urllib import request
    from urllib.error import HTTPError, URLError

    from opentelemetry.instrumentation.utils import suppress_instrumentation

    opener = request.OpenerDirector()
    # Without a handler for http, nothing leads there: no redirect, no proxy's answer.
    for handler in (
        request.ProxyHandler(),
        request.HTTPSHandler(),
        request.HTTPRedirectHandler(),
        request.HTTPDefaultErrorHandler(),
        request.HTTPErrorProcessor(),
        request.UnknownHandler(),
    ):
        opener.add_handler(handler)
    opener.addheaders = [("User-Agent", "farthing")]
    asked = request.Request(url, headers={"If-None-Match": mark} if mark else {})
    until = time.monotonic() + TIMEOUT_S
    try:
        with suppress_instrumentation(), opener.open(asked, timeout=TIMEOUT_S) as answer:
            data = b""
            while len(data) <= MAX_BYTES and (more := answer.read1(65_536)):
                data += more
                if time.monotonic() > until:
                    raise TimeoutError(f"it took longer than {TIMEOUT_S} seconds")
            modified: str | None = answer.headers.get("Last-Modified")
            etag: str = answer.headers.get("ETag") or ""
    except HTTPError as fault:
        if fault.code == 304:
            return None
        raise Unusable(f"it answers {fault.code}") from None
    except (OSError, HTTPException, ValueError) as fault:
        why = fault.reason if isinstance(fault, URLError) else fault
        raise Unusable(f"it cannot be fetched ({why})") from None
    try:
        at = parsedate_to_datetime(modified).astimezone(UTC) if modified else datetime.now(UTC)
    except ValueError:
        at = datetime.now(UTC)
    return Fetched(_decoded(data), at, etag)


def _decoded(data: bytes) -> str:
    if len(data) > MAX_BYTES:
        raise Unusable(f"it is larger than {MAX_BYTES:,} bytes")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise Unusable("it is not UTF-8") from None


def sealed(text: str, **more: object) -> str:
    """``text`` with its digest, and ``more``, in its header. Raises `Unusable`."""
    whole = {**tables.header_of(text), **more, "digest": tables.digest_of(text)}
    return f"{published.line(whole)}\n{text.partition(chr(10))[2]}"


def _with_old(text: str, old: Pack, new: Pack, held: tuple[str, ...]) -> str:
    """``text`` with the lines that ``old`` has for the models that are held back."""
    header, *lines = text.split("\n")
    for name in new.providers:
        if not any(model.startswith(f"{name}/") for model in held):
            continue
        kept = {json.loads(line)["id"]: line for line in old.lines(name)}
        first = tables.header_of(header)["providers"][name]["first"] - 1
        for at, line in enumerate(new.lines(name), first):
            model = json.loads(line)["id"]
            if f"{name}/{model}" in held:
                lines[at] = kept[model]
    whole = "\n".join((header, *lines))
    version = tables.header_of(header)["version"]
    return sealed(whole, version=f"{version} ({len(held)} held back)")


def _says(pack: Pack) -> dict[str, Mapping[str, Model]]:
    return {name: comparing.models_of(pack.provider(name)) for name in pack.providers}


def _check(model: Model) -> None:
    """Raise for what of a model cannot be priced by."""
    whens = [when for when, _ in model.prices] + [when for _, _, when, _ in model.variants]
    for when in whens:
        edges(when, 0)
        holds(when, 0)
    rated = [rates for _, rates in model.prices] + [rates for _, _, _, rates in model.variants]
    for rates in rated:
        for key, rate in rates.items():
            brackets = tiers(rate)
            if brackets != sorted(brackets, key=lambda bracket: bracket[0]):
                raise ValueError(f"the thresholds of {key} do not ascend")
            for above, decimal in brackets:
                if not _RATE.fullmatch(decimal) or Decimal(decimal) > MAX_RATE:
                    raise ValueError(f"{key} of {decimal[:20]!r}")
                if type(above) is not int:
                    raise ValueError(f"{key} above {above!r:.20}")
    if not model.prices:
        raise ValueError("no prices")
    if not all(map(str.isprintable, (model.provider, model.id, *model.names))):
        raise ValueError("a name that cannot be printed")
    for clause in model.clauses:
        _check_clause(clause)


def _check_clause(clause: Clause) -> None:
    [(kind, value)] = clause.items()
    if kind == "and":
        for part in value:
            _check_clause(part)
    elif kind == "regex":
        re.compile(value)
    elif kind not in ("starts_with", "ends_with", "contains") or not isinstance(value, str):
        raise ValueError(f"a clause of the kind {kind!r}")
