"""Serving the provider APIs on loopback: draws usage, keeps the bill, throws faults on demand.

A fault comes from the script given at construction, or from the request itself: the header
``x-simulator-fault: KIND`` or the text ``[fault:KIND]`` in its prompt. ``KIND:N`` strikes only a
call's first N attempts, so that ``rate_limit:1`` fails once and the client's retry succeeds.
"""

from __future__ import annotations

import json
import math
import re
import threading
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from decimal import Decimal
from hashlib import sha256
from http import HTTPStatus
from typing import Any, Literal, cast, get_args

from farthing_dashboards.loopback import LoopbackHandler, LoopbackServer, Refused
from farthing_dashboards.simulator import profiles, rates
from farthing_dashboards.simulator.wire import APIS, Answer, Api, Json, text_of

FaultKind = Literal["rate_limit", "server_error", "stall", "cut"]
"""429; 500; an answer after ``stall_seconds``; an answer that breaks off half-way."""

_ERRORS: dict[
    FaultKind | None, tuple[int, str, str, str]
] = {  # fault: status, OpenAI's word, Anthropic's word, message
    "rate_limit": (429, "rate_limit_exceeded", "rate_limit_error", "Too many requests."),
    "server_error": (500, "server_error", "api_error", "Something went wrong."),
}
_RETRY_AFTER_MS = "5"
_MAX_BODY = 64 * 1024 * 1024
_MARKER = re.compile(r"\[fault:([a-z_]+(?::\d+)?)\]")


@dataclass(frozen=True, slots=True)
class Fault:
    """A scripted fault: ``at`` is the number of the step's request, from 0, retries counted."""

    kind: FaultKind
    step: str
    at: int


@dataclass(frozen=True, slots=True)
class LedgerEntry:
    """One request that reached an API, in the order of arrival.

    ``usage`` is what the provider counted, in its own shape; ``reported`` whether the client was
    told. ``cost`` is in USD, None for what is not billed (an error), not known (an answer that
    broke off) or has no rate here. ``index`` counts the answers of a step from 0. Credentials among
    the headers are masked.
    """

    seq: int
    api: str
    model: str
    step: str | None
    index: int | None
    response_id: str | None
    status: int
    fault: FaultKind | None
    streamed: bool
    usage: Json | None
    reported: bool
    cost: Decimal | None
    headers: dict[str, str]

    def as_json(self) -> Json:
        """The entry for JSON, its cost as an exact decimal string."""
        return {**asdict(self), "cost": None if self.cost is None else format(self.cost, "f")}


class Simulator(LoopbackServer):
    """OpenAI at ``url + "/v1"`` and Anthropic at ``url``; a context manager.

    The usage of a step's n-th answer depends on ``seed`` and n alone. Raises OSError when ``port``
    (0: any free one) is taken.
    """

    def __init__(
        self,
        *,
        seed: int = 0,
        port: int = 0,
        faults: Iterable[Fault] = (),
        stall_seconds: float = 30.0,
    ) -> None:
        self.seed = seed
        self.stall_seconds = stall_seconds
        self._faults: dict[tuple[str | None, int], FaultKind] = {
            (fault.step, fault.at): fault.kind for fault in faults
        }
        self._requests: Counter[str | None] = Counter()
        self._answers: Counter[str | None] = Counter()
        self._entries: list[LedgerEntry] = []
        self._booking = threading.Lock()
        super().__init__(_Handler, port)

    @property
    def ledger(self) -> Sequence[LedgerEntry]:
        """Every request so far; an entry is there before its client sees the answer."""
        with self._booking:
            return tuple(self._entries)

    def serve(
        self, api: Api, request: Json, headers: dict[str, str]
    ) -> tuple[LedgerEntry, Answer | None]:
        """Decide one request's fate and book it; no answer when that is an error."""
        profile = profiles.recognise(api.instructions(request))
        step = profile.step if profile else None
        prompt = text_of([request.get(part) for part in api.prompt])
        asked_for = _asked_for(headers, prompt)
        with self._booking:
            fault = asked_for or self._faults.get((step, self._requests[step]))
            self._requests[step] += 1
            index = answer = None
            if fault not in _ERRORS:
                index = self._answers[step]
                self._answers[step] += 1
                answer = self._answer(api, request, profile, prompt, index)
            entry = LedgerEntry(
                seq=len(self._entries),
                api=api.name,
                model=rates.served_model(request["model"]),
                step=step,
                index=index,
                response_id=answer.id if answer and api.id_prefix else None,
                status=_ERRORS[fault][0] if fault in _ERRORS else 200,
                fault=fault,
                streamed=bool(request.get("stream")) and api.events is not None,
                usage=answer.usage if answer else None,
                reported=answer is not None and fault != "cut" and api.reports_usage(request),
                cost=(
                    rates.bill(answer.model, answer.usage, answer.tier)
                    if answer and fault != "cut"
                    else None
                ),
                headers={name: _masked(name, value) for name, value in headers.items()},
            )
            self._entries.append(entry)
        return entry, answer

    def _answer(
        self, api: Api, request: Json, profile: profiles.Profile | None, prompt: str, index: int
    ) -> Answer:
        step = profile.step if profile else None
        model = rates.served_model(request["model"])
        text = f"This is the simulated answer number {index + 1} of {step or 'any step'}."
        if profile:
            tokens = profiles.draw(profile, self.seed, index)
        else:
            tokens = profiles.Draw(math.ceil(len(prompt) / 4), math.ceil(len(text) / 4))
        asked_tier = request.get("service_tier")
        return Answer(
            id=api.id_prefix + sha256(f"{self.seed}/{step}/{index}".encode()).hexdigest()[:24],
            model=model,
            text=text,
            usage=api.usage(tokens, model, request),
            tier=asked_tier if asked_tier in ("flex", "priority") else "default",
            request=request,
        )


def _masked(name: str, value: str) -> str:
    return "(masked)" if name in ("authorization", "x-api-key") else value


def _asked_for(headers: dict[str, str], prompt: str) -> FaultKind | None:
    marker = _MARKER.search(prompt)
    asked = headers.get("x-simulator-fault") or (marker[1] if marker else "")
    kind, _, attempts = asked.partition(":")
    if not kind:
        return None
    if kind not in get_args(FaultKind):
        kinds = ", ".join(get_args(FaultKind))
        raise Refused(HTTPStatus.BAD_REQUEST, f"There is no fault {kind!r}: use one of {kinds}.")
    attempt = headers.get("x-stainless-retry-count", "")
    if attempts.isdecimal() and attempt.isdecimal() and int(attempt) >= int(attempts):
        return None
    return cast(FaultKind, kind)


class _Handler(LoopbackHandler):
    server: Simulator  # pyright: ignore[reportIncompatibleVariableOverride]

    def do_GET(self) -> None:
        if self.path == "/ledger":
            entries = [entry.as_json() for entry in self.server.ledger]
            self.reply(HTTPStatus.OK, json.dumps(entries).encode(), "application/json")
        else:
            self.send_error(HTTPStatus.NOT_FOUND, f"GET /ledger or POST to {', '.join(APIS)}.")

    def do_POST(self) -> None:
        api = APIS.get(self.path.partition("?")[0])
        try:
            body = self.read_body(_MAX_BODY)
            if api is None:
                raise Refused(HTTPStatus.NOT_FOUND, f"POST to {', '.join(APIS)}, not {self.path}.")
            request = _parse(body, api)
            headers = {name.lower(): value for name, value in self.headers.items()}
            entry, answer = self.server.serve(api, request, headers)
        except Refused as refused:
            error = (api or APIS["/v1/responses"]).error("invalid_request_error", refused.sentence)
            self._send_json(refused.status, error)
            return
        identity = {(api.request_id): f"req_{self.server.seed}_{entry.seq}"}
        if answer is None:
            assert entry.fault is not None
            status, openai_word, anthropic_word, message = _ERRORS[entry.fault]
            error = api.error(anthropic_word if api.name == "messages" else openai_word, message)
            self._send_json(status, error, {**identity, "retry-after-ms": _RETRY_AFTER_MS})
            return
        if entry.fault == "stall":
            self.server.closing.wait(self.server.stall_seconds)
        cut = entry.fault == "cut"
        if entry.streamed and api.events:
            self._stream([_frame(*event) for event in api.events(answer)], identity, cut=cut)
        elif cut:
            self._send_half(api.body(answer), identity)
        else:
            self._send_json(HTTPStatus.OK, api.body(answer), identity)

    def _send_json(self, status: int, body: Json, headers: dict[str, str] | None = None) -> None:
        self.reply(status, json.dumps(body).encode(), "application/json", headers)

    def _send_half(self, body: Json, headers: dict[str, str]) -> None:
        text = json.dumps(body).encode()
        self._begin(
            {"Content-Type": "application/json", "Content-Length": str(len(text)), **headers}
        )
        self.wfile.write(text[: len(text) // 2])
        self.close_connection = True

    def _stream(self, frames: list[bytes], headers: dict[str, str], *, cut: bool) -> None:
        self._begin(
            {"Content-Type": "text/event-stream", "Transfer-Encoding": "chunked", **headers}
        )
        for frame in frames[: len(frames) // 2] if cut else frames:
            self.wfile.write(b"%x\r\n%s\r\n" % (len(frame), frame))
            self.wfile.flush()
        if cut:
            self.close_connection = True
        else:
            self.wfile.write(b"0\r\n\r\n")

    def _begin(self, headers: dict[str, str]) -> None:
        self.send_response(HTTPStatus.OK)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()


def _parse(body: bytes, api: Api) -> Json:
    try:
        parsed: Any = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise Refused(HTTPStatus.BAD_REQUEST, f"The body is not JSON: {error}.") from error
    request = cast(Json, parsed if isinstance(parsed, dict) else {})
    for name in api.required:
        if not request.get(name):
            raise Refused(HTTPStatus.BAD_REQUEST, f"Missing required parameter: {name!r}.")
    if not isinstance(request["model"], str):
        raise Refused(HTTPStatus.BAD_REQUEST, "Invalid type for 'model': send a string.")
    return request


def _frame(name: str | None, data: Json | str) -> bytes:
    head = f"event: {name}\n" if name else ""
    return f"{head}data: {data if isinstance(data, str) else json.dumps(data)}\n\n".encode()
