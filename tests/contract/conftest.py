"""The server that all cases share."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest

from tests.contract.server import Server


@pytest.fixture(scope="package")
def server() -> Iterator[Server]:
    made = Server()
    yield made
    gc.unfreeze()  # the cases freeze what was there before them
    made.close()
