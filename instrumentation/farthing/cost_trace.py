"""Cost traces: calls to a model that farthing cannot see, reported by whoever makes them."""

from __future__ import annotations

import operator
from decimal import Decimal, InvalidOperation
from typing import Any, Final, NamedTuple

from opentelemetry import context, trace
from opentelemetry.context import Context

from farthing import telemetry
from farthing.call import Call
from farthing.endpoint import Endpoint, Request
from farthing.scopes import complain
from farthing.telemetry import log
from farthing_processor import attribution, by_hand
from farthing_processor import semconv as names
from farthing_processor.by_hand import ByHand
from farthing_processor.usage import COUNTS, Usage, checked

_AMOUNTS: Final = ("input_audio_seconds", "reported_cost")
_WORDS: Final = ("tier", "speed", "geo")
_FLAGS: Final = ("batch", "complete")
FIELDS: Final = (*COUNTS, *_AMOUNTS, *_WORDS, *_FLAGS)
"""What can be said of a call: the fields of `Usage` that one request has."""


class CallUsage:
    """What a call used, to be filled in: `FIELDS` as attributes, each as `Usage` describes it.

    ``input_tokens`` and ``output_tokens`` are all input and all output; every other count of tokens
    is a part of one of the two. What is not a field, or no value for it, is said once, in one
    sentence, and raises nothing.
    """

    __slots__ = ("_said",)
    _said: dict[str, Any]

    def __init__(self) -> None:
        object.__setattr__(self, "_said", {})

    def __getattr__(self, name: str) -> Any:
        if name in FIELDS:
            return self._said.get(name, Usage._field_defaults[name])
        raise AttributeError(f"{type(self).__name__} has no field {name!r}; {_HAS}")

    def __setattr__(self, name: str, value: object) -> None:
        if name not in FIELDS:
            complain(f"usage {name}", "farthing.cost_trace() ignores the field %r; %s", name, _HAS)
        elif value is None:
            self._said.pop(name, None)
        elif (said := _parsed(name, value)) is not None:
            self._said[name] = said
        else:
            wanted = next(what for fields, what in _WANTED if name in fields)
            sentence = "farthing.cost_trace() cannot use %r as %s: give %s."
            complain(f"usage {name} value", sentence, type(value).__name__, name, wanted)
            if name in COUNTS:
                self._said[name] = value  # so that the cost says it is inconsistent

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *FIELDS]

    def __repr__(self) -> str:
        filled = ", ".join(f"{name}={value!r}" for name, value in self._said.items())
        return f"{type(self).__name__}({filled})"


_HAS: Final = f"it has: {', '.join(FIELDS)}."
_WANTED: Final = (
    (COUNTS, "a whole number that is not negative"),
    (_AMOUNTS, "a number that is not negative"),
    (_WORDS, "a text"),
    (_FLAGS, "True or False"),
)


def _parsed(name: str, value: Any) -> object:
    """``value`` as the field ``name`` has it; None where it is no value for it."""
    if name in _WORDS:
        return value if isinstance(value, str) else None
    if name in _FLAGS:
        return value if isinstance(value, bool) else None
    if isinstance(value, bool):
        return None
    try:
        if name in _AMOUNTS:
            amount = Decimal(str(value))
            return amount if amount.is_finite() and amount >= 0 else None
        # Counts of other libraries are integers of their own, or floats that are whole.
        if isinstance(value, float):
            count = int(value) if value.is_integer() else -1
        else:
            count = operator.index(value)
        return count if count >= 0 else None
    except (TypeError, ValueError, InvalidOperation):
        return None


def _usage(filled: CallUsage) -> Usage | None:
    said: dict[str, Any] = filled._said  # pyright: ignore[reportPrivateUsage]
    return checked(Usage(**said)) if said else None


class _Block(NamedTuple):
    """One running block. Immutable."""

    call: Call
    hand: ByHand
    usage: CallUsage
    outside: Context


class CostTrace:
    """What calls reported by hand have in common: each block that it is entered for is one."""

    __slots__ = ("_asked", "_open", "_step")

    def __init__(self, step: str | None, operation: str, request: Request) -> None:
        self._step = step
        self._asked = Endpoint(operation, usage=_usage), request
        self._open: list[_Block] = []
        """The blocks that have not ended."""

    def __enter__(self) -> CallUsage:
        usage = CallUsage()
        try:
            self._begin(usage)
        except Exception:
            log.debug("A call was not recorded", exc_info=True)
        return usage

    def _begin(self, usage: CallUsage) -> None:
        reporting = telemetry.in_use()
        if not reporting.heard():
            return
        outside = context.get_current()
        who = attribution.current(outside)
        if self._step is not None:
            who = who.in_step(self._step)
        within = attribution.set_in_context(who, outside)
        context.attach(within)
        try:
            call = Call(reporting, *self._asked, {})
        finally:
            context.attach(outside)
        hand = call.by_hand = ByHand(call.by_hand)
        call.inside = False
        if (span := call.span.get_span_context()).is_valid:
            by_hand.begin(span.span_id, hand)
        self._open.append(_Block(call, hand, usage, outside))
        # No provider may learn from us who our users are, whoever calls it.
        within = trace.set_span_in_context(call.span, attribution.without_baggage(within))
        context.attach(by_hand.set_in_context(hand, within))

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        hand = by_hand.around(context.get_current())
        block = next((one for one in self._open if one.hand is hand), None)
        if block is not None:
            # Set, without a token, as a call does: a token means nothing in another context.
            context.attach(block.outside)
        elif self._open:
            block = self._open[-1]  # begun in another context, and rarely one of several
        else:
            return
        self._open.remove(block)
        if error is None or isinstance(error, GeneratorExit):
            block.call.finish(block.usage)
        else:
            block.call.fail(error, block.usage)
        by_hand.end(block.call.span.get_span_context().span_id)


def cost_trace(
    *,
    provider: str,
    model: str | None,
    step: str | None = None,
    operation: str = "chat",
) -> CostTrace:
    """Report a call to a model that farthing cannot see, and fill in what it used.

    ``with farthing.cost_trace(step="plan", provider="openai", model="gpt-4o") as usage:`` around
    the call, then ``usage.input_tokens = …`` and so on (`CallUsage`) before the block ends; in
    async code it is the same ``with``. It becomes a span, metrics and flags like those of any call,
    and a log record ``farthing.step_cost``. An exception fails it; not filled in, its cost status
    is ``usage_missing``. ``provider`` and ``operation`` are a ``gen_ai.provider.name`` and a
    ``gen_ai.operation.name``; without a ``step`` the current one pays.

    Around a call that farthing sees after all, that one pays, once it has a cost, and this one says
    ``farthing.cost.duplicate_of``. Our baggage is kept from whoever is called inside. Reports where
    `farthing.instrument` said, or to the global providers if it was not called.

    Raises nothing: input that cannot be used is said once, in one sentence, and left out.
    """
    said = {
        which: _text(which, value)
        for which, value in (
            ("step", step),
            ("provider", provider),
            ("model", model),
            ("operation", operation),
        )
    }
    request = Request(
        said["provider"] or names.PROVIDER_OTHER, said["model"], None, None, False, {}
    )
    return CostTrace(said["step"], said["operation"] or "chat", request)


def _text(which: str, value: object) -> str | None:
    said = None if value is None else attribution.text(value)
    if said is None and value is not None:
        sentence = "farthing.cost_trace() ignores its %s (%s): give a text that is not empty."
        complain(f"cost_trace {which}", sentence, which, type(value).__name__)
    return said
