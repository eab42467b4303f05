"""Moments, and real recorded responses where there are any."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, NamedTuple

import pytest
import yaml

from tests import needs


def ns(moment: str) -> int:
    """Nanoseconds since the epoch of an ISO 8601 moment."""
    return int(datetime.fromisoformat(moment).replace(tzinfo=UTC).timestamp()) * 10**9


@pytest.fixture(name="ns")
def _ns() -> Any:
    return ns


class Recording(NamedTuple):
    """One body that a provider really sent: a response, or one event of a stream."""

    source: str
    uri: str
    body: Any


@pytest.fixture(scope="session")
def recordings() -> list[Recording]:
    """Every JSON body under the folder that FARTHING_RECORDINGS names (vcr cassettes)."""
    folder = needs.recordings()
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    found = [
        Recording(f"{path.parent.name}/{path.name}", interaction["request"]["uri"], body)
        for path in sorted(folder.glob("genai_*/*.yaml"))
        for interaction in yaml.load(path.read_text(), loader)["interactions"]
        for body in _bodies(interaction["response"]["body"]["string"])
    ]
    assert found, f"{folder} holds no recording"
    return found


def _bodies(text: str | bytes) -> Iterator[Any]:
    text = text.decode() if isinstance(text, bytes) else text
    if text.lstrip().startswith("{"):
        yield json.loads(text)
    for line in text.splitlines():
        if line.startswith("data: {"):
            event = json.loads(line[6:])
            yield event.get("response") or event.get("message") or event
