"""Results of batches in the shapes that the providers send, priced by hand."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx2

from tests.instrumentation import shapes
from tests.instrumentation.conftest import Provider

GOLDEN = {
    case["name"]: case
    for case in json.loads((Path(__file__).parents[1] / "processor" / "golden.json").read_text())
}
OPENAI = GOLDEN["openai_batch_halved"]
ANTHROPIC = GOLDEN["anthropic_batch_flagged_in_usage"]
MADE_S = int(datetime.fromisoformat(OPENAI["timestamp"]).timestamp())


def chat(number: int = 1, **more: Any) -> dict[str, Any]:
    usage, model = OPENAI["usage"], OPENAI["model"]
    return shapes.chat(usage, id=f"chatcmpl-{number}", model=model, created=MADE_S) | more


def line(body: dict[str, Any] | None, number: int = 1, **more: Any) -> dict[str, Any]:
    """One line of OpenAI's output file."""
    response = {"status_code": 200, "request_id": f"req_{number}", "body": body}
    return {
        "id": f"batch_req_{number}",
        "custom_id": f"request-{number}",
        "response": response if body is not None else None,
        "error": None,
    } | more


def message(number: int = 1, **more: Any) -> dict[str, Any]:
    usage, model = ANTHROPIC["usage"], ANTHROPIC["model"]
    return shapes.message(id=f"msg_{number}", usage=usage, model=model) | more


def result(body: dict[str, Any], number: int = 1) -> dict[str, Any]:
    """One line of Anthropic's results."""
    return {"custom_id": f"r-{number}", "result": {"type": "succeeded", "message": body}}


def unbilled(kind: str) -> dict[str, Any]:
    outcome: dict[str, Any] = {"type": kind}
    if kind == "errored":
        outcome["error"] = {
            "type": "error",
            "error": {"type": "invalid_request_error", "message": "no"},
        }
    return {"custom_id": kind, "result": outcome}


def jsonl(*lines: Any) -> str:
    return "".join(
        (item if isinstance(item, str) else json.dumps(item, ensure_ascii=False)) + "\n"
        for item in lines
    )


def file(text: str) -> httpx2.Response:
    headers = {"content-type": "application/octet-stream"}
    return httpx2.Response(200, headers=headers, content=text.encode())


def anthropic_results(provider: Provider, text: str) -> Any:
    """What the client returns, which first asks for the batch and where its results are."""
    batch = {
        "id": "msgbatch_1",
        "type": "message_batch",
        "processing_status": "ended",
        "results_url": "https://api.anthropic.com/v1/messages/batches/msgbatch_1/results",
    }
    provider.answers(shapes.ok(batch), file(text))
    return provider.anthropic().messages.batches.results("msgbatch_1")
