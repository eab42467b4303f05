"""Events: what one call cost as a structured log record, for those who live in logs."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from opentelemetry._logs import Logger, LogRecord, SeverityNumber

from farthing_processor import semconv as names
from farthing_processor.assessment import AttributeValue
from farthing_processor.workflows import wasted

if TYPE_CHECKING:  # it emits what is here
    from farthing_processor.recording import Entry


def step_cost(logger: Logger, entry: Entry) -> None:
    """Emit one call as the event ``farthing.step_cost``, in the context of its span: who paid, what
    it used, its cost and its flags, under the names that spans have."""
    facts, who, assessment = entry[:3]
    usage = None if facts.usage is None else facts.usage.billed()
    said: dict[str, AttributeValue | None] = {
        names.OPERATION_NAME: facts.operation,
        names.PROVIDER_NAME: facts.provider,
        names.REQUEST_MODEL: facts.request_model,
        names.RESPONSE_MODEL: facts.response_model,
        names.RESPONSE_ID: facts.response_id,
        names.ERROR_TYPE: facts.error_type,
        names.RETRIES: facts.attempts - 1 or None,
        names.USAGE_INPUT_TOKENS: usage and usage.input_tokens,
        names.USAGE_OUTPUT_TOKENS: usage and usage.output_tokens,
        names.USAGE_CACHE_READ: usage and (usage.cache_read_tokens or None),
        names.USAGE_CACHE_WRITE: usage and (usage.cache_write_tokens or None),
        names.WASTE_REASON: wasted(facts, assessment),
        **assessment.attributes,
        **who.attributes(),
    }
    logger.emit(
        LogRecord(
            timestamp=time.time_ns(),
            context=entry.context,
            severity_number=SeverityNumber.INFO,
            event_name=names.EVENT_STEP_COST,
            attributes={name: value for name, value in said.items() if value is not None},
        )
    )
