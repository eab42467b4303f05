"""Capture: what was asked and answered, on spans and in events. Only when asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from opentelemetry._logs import Logger, LogRecord, SeverityNumber
from opentelemetry.context import Context

from farthing import content
from farthing.content import Message, Prompt
from farthing.endpoint import Attributes
from farthing_processor import semconv as names
from farthing_processor.settings import Settings

Said = dict[str, Sequence[Mapping[str, Any]]]
"""Content by attribute name, in the structures of the conventions."""


class Capture:
    """How content is recorded, for one set of settings."""

    def __init__(self, logger: Logger, settings: Settings) -> None:
        self._logger = logger
        self._settings = settings

    def content(self, prompt: Prompt, output: list[Message]) -> Said:
        """What may be recorded of a call."""
        said = {
            names.SYSTEM_INSTRUCTIONS: prompt.system,
            names.INPUT_MESSAGES: prompt.messages,
            names.TOOL_DEFINITIONS: prompt.tools,
            names.OUTPUT_MESSAGES: output,
        }
        return {name: value for name, value in said.items() if value}

    def on_span(self, said: Said) -> Attributes:
        """As span attributes, which hold no structures: JSON."""
        return {name: content.dumps(value) for name, value in said.items()}

    def emit(self, said: Said, attributes: Attributes, context: Context) -> None:
        """As the event of the conventions, which holds structures."""
        self._logger.emit(
            LogRecord(
                context=context,
                severity_number=SeverityNumber.DEBUG,
                event_name=names.EVENT_OPERATION_DETAILS,
                attributes={**attributes, **said},
            )
        )
