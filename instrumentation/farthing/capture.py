"""Capture: what was asked and answered, on spans and in events. Only when asked for."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any, Final, cast

from opentelemetry._logs import Logger, LogRecord, SeverityNumber
from opentelemetry.context import Context
from opentelemetry.trace import Span
from opentelemetry.version import __version__ as API_VERSION

from farthing.content import Message, Prompt, dumps
from farthing.endpoint import Attributes
from farthing.redaction import Redaction
from farthing.shortening import shortened
from farthing_processor import semconv as names
from farthing_processor.settings import Settings

log: Final = logging.getLogger("farthing")

Said = dict[str, Sequence[Mapping[str, Any]]]
"""Content by attribute name, in the structures of the conventions."""

_NOTHING: Final[Said] = {}


class Capture:
    """How content is recorded, for one set of settings."""

    def __init__(self, logger: Logger, settings: Settings) -> None:
        self._logger = logger
        self._limit = settings.content_limit
        self._redaction = Redaction(settings.redact)

    def asked(self, prompt: Prompt) -> Said:
        """What may be recorded of a prompt, as it is now: the application may change it later."""
        return self._recordable(
            {
                names.SYSTEM_INSTRUCTIONS: prompt.system,
                names.INPUT_MESSAGES: prompt.messages,
                names.TOOL_DEFINITIONS: prompt.tools,
            }
        )

    def answered(self, output: list[Message]) -> Said:
        """What may be recorded of an answer."""
        return self._recordable({names.OUTPUT_MESSAGES: output})

    def _recordable(self, said: Said) -> Said:
        try:
            if not self._redaction.ready():
                return _NOTHING
            return {
                name: shortened(self._redaction.items(items), self._limit)
                for name, items in said.items()
                if items
            }
        except Exception:
            log.debug("Content was not recorded", exc_info=True)
            return _NOTHING

    def on_span(self, said: Said, span: Span) -> None:
        """Set it on ``span``, whose attributes hold no structures: as JSON.

        No longer than the SDK lets a text be (``OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT``): it would cut
        one that is, and leave no JSON.
        """
        limit = getattr(getattr(span, "_limits", None), "max_span_attribute_length", None)
        written = {name: dumps(shortened(value, limit)) for name, value in said.items()}
        fitting = {n: text for n, text in written.items() if limit is None or len(text) <= limit}
        span.set_attributes(fitting)

    def emit(self, said: Said, attributes: Attributes, context: Context, at_ns: int) -> None:
        """Emit it as the event of the conventions, which holds structures.

        Whether or not the span is sampled: an event is a log record, which the conventions tie to
        no sampling of traces, and whose own SDK can drop it.
        """
        self._logger.emit(
            LogRecord(
                timestamp=at_ns,
                context=context,
                severity_number=SeverityNumber.DEBUG,
                event_name=names.EVENT_OPERATION_DETAILS,
                attributes={**attributes, **(said if _TAKES_MIXED else _unmixed(said))},
            )
        )


_TAKES_MIXED: Final = tuple(map(int, API_VERSION.split(".")[:2])) >= (1, 45)
"""Before, a list whose items were of several types became null, with a warning."""


def _unmixed(value: Any) -> Any:
    """``value`` where each such list has its items as texts."""
    if isinstance(value, dict):
        return {name: _unmixed(held) for name, held in cast(dict[str, Any], value).items()}
    if not isinstance(value, list):
        return value
    held: list[object] = [_unmixed(item) for item in cast(list[Any], value)]
    if len({type(item) for item in held if item is not None}) <= 1:
        return held
    return [item if isinstance(item, str) else dumps(item) for item in held]
