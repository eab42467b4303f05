"""Answers that Bedrock and Gemini really gave: every usage read, checked by arithmetic of its own.

The expectations are worked out here from the raw members, by the providers' documented sums.
"""

from __future__ import annotations

import base64
import json
import re
import struct
from collections.abc import Iterator
from typing import Any, NamedTuple
from urllib.parse import unquote

import pytest
import yaml

from farthing_processor.pricing import price
from farthing_processor.readers import READERS, bedrock_invoke
from farthing_processor.usage import Usage
from tests import needs

NOW = 1_795_176_000 * 10**9  # 2026-11-20T12:00:00Z
HEADER = "X-Amzn-Bedrock-{}-Token-Count"


class Answer(NamedTuple):
    """One answer with status 200: its bodies are the whole, or the events of its stream."""

    source: str
    url: str
    headers: dict[str, Any]
    bodies: list[Any]


@pytest.fixture(scope="session")
def answers() -> list[Answer]:
    folder = needs.recordings()
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return [
        Answer(
            path.name,
            unquote(interaction["request"]["uri"]),
            interaction["response"]["headers"],
            list(_bodies(interaction["response"]["body"]["string"])),
        )
        for name in ("botocore", "google_genai", "genai_langchain")
        for path in sorted((folder / name).glob("*.yaml"))
        for interaction in yaml.load(path.read_text(), loader)["interactions"]
        if interaction["response"]["status"]["code"] == 200
    ]


def _bodies(body: str | bytes) -> Iterator[Any]:
    if isinstance(body, bytes) and not body.lstrip().startswith(b"{"):
        yield from _event_stream(body)
        return
    text = body.decode() if isinstance(body, bytes) else body
    if text.lstrip().startswith("{"):
        yield json.loads(text)
    for line in text.splitlines():
        if line.startswith("data: {"):
            yield json.loads(line[6:])


def _event_stream(body: bytes) -> Iterator[Any]:
    """The payloads of Amazon's event stream encoding; those of InvokeModel are in base64."""
    while body:
        length, headers = struct.unpack(">II", body[:8])
        payload = json.loads(body[12 + headers : length - 4])
        inner = payload.get("bytes")
        yield json.loads(base64.b64decode(inner)) if inner else payload
        body = body[length:]


def _sum(usage: dict[str, Any], *names: str) -> int:
    return sum(usage.get(name) or 0 for name in names)


def test_every_converse(answers: list[Answer]) -> None:
    seen = 0
    for answer in answers:
        if "/converse" not in answer.url:
            continue
        found = [body for body in answer.bodies if "usage" in body]
        assert len(found) == 1, answer.source
        usage = found[0]["usage"]
        read = READERS["aws.bedrock", "converse"](found[0])
        assert read == Usage(
            usage["totalTokens"] - usage["outputTokens"],
            usage["outputTokens"],
            _sum(usage, "cacheReadInputTokens"),
            _sum(usage, "cacheWriteInputTokens"),
        ), answer.source
        assert READERS["aws.bedrock", "converse_stream"]({"metadata": found[0]}) == read
        silent = [body for body in answer.bodies if "usage" not in body]
        assert {READERS["aws.bedrock", "converse"](body) for body in silent} <= {None}
        seen += 1
    assert seen == 25


def test_the_cached_converse_is_priced_whole(answers: list[Answer]) -> None:
    [write, read] = [
        READERS["aws.bedrock", "converse"](answer.bodies[0])
        for answer in answers
        if answer.source == "test_converse_with_prompt_caching.yaml"
    ]
    assert (write, read) == (Usage(2705, 10, 0, 2701), Usage(2705, 10, 2701))
    costs = [
        price(usage, provider="aws.bedrock", model="us.amazon.nova-micro-v1:0", at_ns=NOW)
        for usage in (write, read)
    ]
    assert [cost.status for cost in costs] == ["priced", "priced"]
    # 4 and 2701 at $0.035/M and 10 at $0.14/M; then 2701 at $0.00875/M
    assert [cost.usd for cost in costs] == [9.6075e-05, 2.517375e-05]


def test_every_invoke(answers: list[Answer]) -> None:
    vendors: set[str] = set()
    for answer in answers:
        found = re.search(r"/model/(.+)/invoke$", answer.url)
        if found is None:
            continue
        # Nothing was cached in any, so that the headers are the whole.
        headers = answer.headers
        inp, out = (int(headers[HEADER.format(name)][0]) for name in ("Input", "Output"))
        [body] = answer.bodies
        assert bedrock_invoke(body, headers) == Usage(inp, out), answer.source
        vendor = found[1].removeprefix("us.").partition(".")[0]
        silent = vendor in ("cohere", "mistral")
        assert bedrock_invoke(body) == (None if silent else Usage(inp, out)), answer.source
        vendors.add(vendor)
    assert vendors == {"amazon", "anthropic", "cohere", "meta", "mistral"}


def test_every_stream_of_invoke(answers: list[Answer]) -> None:
    seen = 0
    for answer in answers:
        if not answer.url.endswith("/invoke-with-response-stream"):
            continue
        metrics = answer.bodies[-1].get("amazon-bedrock-invocationMetrics")
        if metrics is None:
            continue
        read = READERS["aws.bedrock", "invoke_model_with_response_stream"](answer.bodies[-1])
        assert read == Usage(
            _sum(
                metrics, "inputTokenCount", "cacheReadInputTokenCount", "cacheWriteInputTokenCount"
            ),
            metrics["outputTokenCount"],
            _sum(metrics, "cacheReadInputTokenCount"),
            _sum(metrics, "cacheWriteInputTokenCount"),
        ), answer.source
        seen += 1
    assert seen >= 15


def test_every_generate_content(answers: list[Answer]) -> None:
    seen = 0
    for answer in answers:
        if not answer.url.endswith(":generateContent"):
            continue
        [body] = answer.bodies
        usage = body["usageMetadata"]
        read = READERS["gcp.gemini", "generate_content"](body)
        thoughts = usage["thoughtsTokenCount"]
        assert read == Usage(
            usage["promptTokenCount"],
            usage["totalTokenCount"] - usage["promptTokenCount"],
            reasoning_tokens=thoughts,
        ), answer.source
        priced = price(read, provider="gcp.gemini", model=body["modelVersion"], at_ns=NOW)
        assert priced.status == "priced", answer.source
        # gemini-2.5-flash: $0.3/M in, $2.5/M out, thoughts too
        tokens = usage["candidatesTokenCount"] + thoughts
        assert priced.usd == (usage["promptTokenCount"] * 3 + tokens * 25) / 10**7
        seen += 1
    assert seen == 5


def test_every_interaction(answers: list[Answer]) -> None:
    seen = 0
    for answer in answers:
        if "/interactions" not in answer.url:
            continue
        for body in answer.bodies:
            usage = (body.get("interaction") or body).get("usage")
            read = READERS["gcp.gemini", "interactions"](body)
            assert (read is not None) == bool(usage), answer.source
            if not usage:
                continue
            assert read == Usage(
                usage["total_input_tokens"],
                usage["total_tokens"] - usage["total_input_tokens"],
                reasoning_tokens=usage["total_thought_tokens"],
            ), answer.source
            seen += 1
    assert seen >= 12


def test_every_embedding(answers: list[Answer]) -> None:
    found = [answer for answer in answers if answer.url.endswith("EmbedContents")]
    assert len(found) == 2
    for answer in found:
        [body] = answer.bodies
        read = READERS["gcp.gemini", "embed_content"](body)
        assert read == Usage(body["usageMetadata"]["promptTokenCount"])
