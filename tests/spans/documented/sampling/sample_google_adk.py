"""Samples what the Agent Development Kit writes: ``python sample_google_adk.py > raw.json``.

Run in an environment with google-adk alone; the Gemini API is a local server that answers in its
words. Set ADK_TELEMETRY_SCHEMA_VERSION_OPT_IN=1 for the older spans of 2.x.
"""

from __future__ import annotations

import asyncio
import json
import os
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.metadata import version
from typing import Any

from spans import Recorder

USAGE = {
    "promptTokenCount": 5200,
    "cachedContentTokenCount": 4096,
    "candidatesTokenCount": 210,
    "thoughtsTokenCount": 640,
    "totalTokenCount": 6050,
    "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 5200}],
    "cacheTokensDetails": [{"modality": "TEXT", "tokenCount": 4096}],
}
MODEL = "gemini-2.5-flash"
BODY = {
    "candidates": [
        {"content": {"role": "model", "parts": [{"text": "Wool."}]}, "finishReason": "STOP"}
    ],
    "usageMetadata": USAGE,
    "modelVersion": MODEL,
}


class Gemini(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("content-length", 0)))
        body = json.dumps(BODY).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass


async def ask() -> None:
    from google.adk.agents import LlmAgent
    from google.adk.runners import InMemoryRunner
    from google.genai import types

    agent = LlmAgent(name="planner", model=MODEL, instruction="Plan.")
    runner = InMemoryRunner(agent=agent, app_name="app")
    session = await runner.session_service.create_session(app_name="app", user_id="u")
    message = types.Content(role="user", parts=[types.Part(text="What is next?")])
    async for _ in runner.run_async(user_id="u", session_id=session.id, new_message=message):
        pass


def main() -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Gemini)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    os.environ["GOOGLE_API_KEY"] = "key"
    os.environ["GOOGLE_GEMINI_BASE_URL"] = f"http://127.0.0.1:{server.server_address[1]}"
    recorder = Recorder()
    own = f"adk {version('google-adk')}"
    if schema := os.environ.get("ADK_TELEMETRY_SCHEMA_VERSION_OPT_IN"):
        own += f" schema {schema}"
    calls: list[dict[str, Any]] = []
    for name, captured in (("call", "true"), ("call without content", "false")):
        os.environ["ADK_CAPTURE_MESSAGE_CONTENT_IN_SPANS"] = captured
        asyncio.run(ask())
        entry = {"response_id": None, "provider": "gcp.gemini", "model": MODEL, "usage": USAGE}
        call = {"call": f"{own} {name}", "server": None, "ledger": [entry]}
        calls.append(call | {"spans": recorder.take()})
    packages = {name: version(name) for name in ("google-adk", "google-genai")}
    print(json.dumps({"packages": packages, "calls": calls}))


if __name__ == "__main__":
    main()
