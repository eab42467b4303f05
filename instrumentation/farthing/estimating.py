"""Estimating: what a stream may have cost whose usage never came. Only when asked for.

A model's own earlier calls say how many tokens a character of it comes to. An estimate is never
reported as usage, nor counted as tokens: it has attributes of its own, and a status of its own.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple, cast

from farthing.content import Message, Prompt
from farthing_processor.usage import Usage

MODELS: Final = 256
"""Models whose ratios are kept, the latest ones used."""

_DATA: Final = frozenset({"blob", "blob_left_out", "uri", "file"})
"""Parts whose tokens do not go by their characters."""


class Estimate(NamedTuple):
    """What a call may have come to. Immutable."""

    usage: Usage
    """To be priced; its counts are not complete."""
    input_tokens: int | None
    """Where the provider did not say either."""
    output_tokens: int


class Ratios:
    """Tokens and characters of the calls so far, by provider and model. Thread-safe."""

    def __init__(self, models: int = MODELS) -> None:
        self._models = models
        self._seen: OrderedDict[tuple[str, str, str], tuple[int, int]] = OrderedDict()
        self._lock = threading.Lock()

    def learn(self, provider: str, model: str, asked: int | None, said: int, usage: Usage) -> None:
        """A call has come to its end: ``asked`` and ``said`` are its characters."""
        for kind, characters, tokens in (
            ("input", asked, usage.input_tokens),
            ("output", said, usage.output_tokens),
        ):
            if not characters or not tokens:
                continue
            key = provider, model, kind
            with self._lock:
                before = self._seen.pop(key, (0, 0))
                self._seen[key] = before[0] + tokens, before[1] + characters
                if len(self._seen) > 2 * self._models:
                    self._seen.popitem(last=False)

    def estimate(
        self, provider: str, model: str, asked: int | None, said: int, usage: Usage | None
    ) -> Estimate | None:
        """What a call may have come to, as far as ``usage`` does not say.

        None where nothing has arrived, or no earlier call of this model says how to count.
        """
        output = self._tokens(provider, model, "output", said)
        if output is None:
            return None
        known = usage or Usage()
        guessed = None
        if known.input_tokens is None:
            guessed = self._tokens(provider, model, "input", asked)
        total = guessed if known.input_tokens is None else known.input_tokens
        due = known._replace(input_tokens=total, output_tokens=output, complete=False)
        return Estimate(due, guessed, output)

    def _tokens(self, provider: str, model: str, kind: str, characters: int | None) -> int | None:
        tokens, of = self._seen.get((provider, model, kind), (0, 0))
        return max(round(characters * tokens / of), 1) if characters and of else None


RATIOS: Final = Ratios()


def asked(prompt: Prompt | None) -> int | None:
    """Characters of a prompt; None where it has parts that characters do not measure."""
    if prompt is None:
        return None
    try:
        return _characters([prompt.system, prompt.messages, prompt.tools])
    except _NotText:
        return None


def said(output: list[Message]) -> int:
    """Characters of an answer: text, reasoning, and calls of tools."""
    try:
        return _characters([message["parts"] for message in output])
    except _NotText:
        return 0


class _NotText(Exception):
    pass


def _characters(value: object) -> int:
    if isinstance(value, str):
        return len(value)
    if isinstance(value, Mapping):
        fields = cast(Mapping[str, Any], value)
        if fields.get("type") in _DATA:
            raise _NotText
        return sum(
            _characters(v) for name, v in fields.items() if name not in ("type", "role", "id")
        )
    if isinstance(value, Sequence):
        return sum(map(_characters, cast(Sequence[Any], value)))
    return len(str(value)) if isinstance(value, int | float) else 0
