"""A Phoenix server of our own on loopback: spans in over OTLP/HTTP, its own cost of them out."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import time
from collections.abc import Collection, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from http.client import HTTPException
from pathlib import Path
from typing import Any, NamedTuple
from urllib.request import Request, urlopen

from tests import needs

PACKAGE = "arize-phoenix==20.26.1"

STARTS_WITHIN_S = 120
STORES_WITHIN_S = 60

SPANS = """
query ($after: String) {
  projects { edges { node {
    spans(first: 500, after: $after) {
      pageInfo { hasNextPage endCursor }
      edges { node { spanId attributes costSummary { total { cost } } } }
    }
  } } }
}
"""


class Stored(NamedTuple):
    """A span as Phoenix keeps it."""

    attributes: Mapping[str, Any]
    """Nested: Phoenix makes an object of every prefix that names have in common."""
    cost: float | None
    """USD that Phoenix itself says; None where it knows no price, or thinks it is no call."""

    def attribute(self, name: str) -> Any:
        """What a span said under ``name``; None where nothing of it is kept."""
        found: Any = self.attributes
        for part in name.split("."):
            found = found.get(part) if isinstance(found, dict) else None
        return found


class Phoenix:
    """A server that runs, with an empty database when it begins."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.traces = f"{url}/v1/traces"

    def stored(self, span_ids: Collection[str]) -> dict[str, Stored]:
        """The spans of these ids, once all of them are there.

        It accepts spans before it stores them, and stores each together with its cost.
        """
        deadline = time.monotonic() + STORES_WITHIN_S
        found: dict[str, Stored] = {}
        while missing := set(span_ids) - found.keys():
            assert time.monotonic() < deadline, f"Phoenix has not stored {len(missing)} spans."
            time.sleep(0.2)
            found = dict(self._spans())
        return {span_id: found[span_id] for span_id in span_ids}

    def _spans(self) -> Iterator[tuple[str, Stored]]:
        after = None
        while True:
            projects = self._ask(SPANS, after=after)["projects"]["edges"]
            if not projects:
                return
            (project,) = projects
            spans = project["node"]["spans"]
            for edge in spans["edges"]:
                span = edge["node"]
                total = (span["costSummary"] or {"total": {"cost": None}})["total"]
                yield span["spanId"], Stored(json.loads(span["attributes"]), total["cost"])
            if not spans["pageInfo"]["hasNextPage"]:
                return
            after = spans["pageInfo"]["endCursor"]

    def _ask(self, query: str, **variables: Any) -> dict[str, Any]:
        asked = json.dumps({"query": query, "variables": variables}).encode()
        request = Request(f"{self.url}/graphql", asked, {"Content-Type": "application/json"})
        with urlopen(request, timeout=30) as response:
            answer = json.load(response)
        assert "errors" not in answer, answer["errors"]
        return answer["data"]


@contextmanager
def running(folder: Path) -> Iterator[Phoenix]:
    """A server that keeps everything in ``folder`` and leaves when the block does."""
    command = needs.installed("phoenix", PACKAGE) / "phoenix"
    port, grpc_port = _free_ports(2)
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("OTEL_", "FARTHING_", "PHOENIX_", "PYTHON"))
    } | {
        "PHOENIX_WORKING_DIR": str(folder),
        "PHOENIX_HOST": "127.0.0.1",
        "PHOENIX_PORT": str(port),
        "PHOENIX_GRPC_PORT": str(grpc_port),
        # It says nothing to anybody, and fetches nothing.
        "PHOENIX_TELEMETRY_ENABLED": "false",
        "PHOENIX_ALLOW_EXTERNAL_RESOURCES": "false",
        "PHOENIX_DISABLE_AGENT_ASSISTANT": "true",
        "PHOENIX_ENABLE_MCP_SERVER": "false",
    }
    log = folder / "server.log"
    with log.open("w") as output, ExitStack() as cleaning:
        server = subprocess.Popen(
            [command, "serve"], stdout=output, stderr=output, cwd=folder, env=environment
        )
        cleaning.callback(_end, server)
        phoenix = Phoenix(f"http://127.0.0.1:{port}")
        deadline = time.monotonic() + STARTS_WITHIN_S
        while not _ready(phoenix.url):
            if server.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(f"Phoenix did not come up:\n{log.read_text()[-4000:]}")
            time.sleep(0.1)
        yield phoenix


def _ready(url: str) -> bool:
    try:
        with urlopen(f"{url}/readyz", timeout=5) as response:
            return response.status == 200
    except (OSError, HTTPException):
        return False


def _end(server: subprocess.Popen[bytes]) -> None:
    server.terminate()
    try:
        server.wait(timeout=20)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()


def _free_ports(count: int) -> list[int]:
    with ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]
