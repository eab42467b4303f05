"""Records as they came, packed: what a trace's page reads of spans, and nobody else.

A payload is zlib over a JSON list; a record is an object with the fields of its class in `otlp`,
bytes are base64.
"""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import fields, is_dataclass
from functools import lru_cache
from operator import attrgetter
from typing import Any, Final

from farthing_dashboards.otlp import Event, LogRecord, Record, Span

_LEVEL: Final = 1
"""Of zlib: the fastest, which saves nearly all there is among records that repeat each other."""


def encoded(records: Sequence[Record]) -> bytes:
    """Records of one signal as JSON: the same records, the same bytes."""
    return _encode(records).encode()


def compressed(text: bytes) -> bytes:
    """The payload of what is `encoded`."""
    return zlib.compress(text, _LEVEL)


def spans(payloads: Iterable[bytes]) -> list[Span]:
    """The spans of payloads, in order; one that came twice is there once."""
    found: dict[tuple[str, str], Span] = {}
    for record in _records(payloads):
        record["events"] = tuple(Event(**event) for event in record["events"])
        span = Span(**record)
        found.setdefault((span.trace_id, span.span_id), span)
    return list(found.values())


def logs(payloads: Iterable[bytes]) -> list[LogRecord]:
    """The log records of payloads, in order."""
    return [LogRecord(**record) for record in _records(payloads)]


def _records(payloads: Iterable[bytes]) -> Iterable[dict[str, Any]]:
    for payload in payloads:
        yield from json.loads(zlib.decompress(payload))


def _plain(value: object) -> object:
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if is_dataclass(value):
        names, values = _fields_of(type(value))
        return dict(zip(names, values(value), strict=True))
    raise TypeError(f"{type(value).__name__} is no part of a record")


@lru_cache
def _fields_of(kind: type[Any]) -> tuple[tuple[str, ...], attrgetter[tuple[Any, ...]]]:
    names = tuple(field.name for field in fields(kind))
    return names, attrgetter(*names)


_encode: Final = json.JSONEncoder(
    separators=(",", ":"), check_circular=False, default=_plain
).encode
