"""Moments, and real recorded responses where there are any."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import pytest


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
    folder = os.environ.get("FARTHING_RECORDINGS", "")
    if not folder or not Path(folder).is_dir():
        if os.environ.get("FARTHING_REQUIRE_ALL") == "1":
            pytest.fail("set FARTHING_RECORDINGS to the folder of recorded responses")
        pytest.skip("FARTHING_RECORDINGS names no folder of recorded responses")
    yaml = pytest.importorskip("yaml")
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    found = [
        Recording(f"{path.parent.name}/{path.name}", interaction["request"]["uri"], body)
        for path in sorted(Path(folder).glob("genai_*/*.yaml"))
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
