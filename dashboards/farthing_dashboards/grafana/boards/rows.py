"""What tables have rows for, and where each row leads: the traces that it sums up."""

from __future__ import annotations

from typing import Final

from farthing_dashboards.grafana import names
from farthing_dashboards.grafana.boards.panels import Rows
from farthing_dashboards.grafana.boards.traceql import spans
from farthing_dashboards.view import words
from farthing_processor import semconv

STEP: Final = Rows("Step", semconv.STEP_NAME, spans(semconv.STEP_NAME))
WORKFLOW: Final = Rows("Workflow", semconv.WORKFLOW_NAME, spans(semconv.WORKFLOW_NAME))
OUTCOME: Final = Rows("Outcome", semconv.WORKFLOW_OUTCOME, spans(semconv.WORKFLOW_OUTCOME))
MODEL: Final = Rows("Model", semconv.RESPONSE_MODEL, spans(semconv.RESPONSE_MODEL))
REQUESTED: Final = Rows("Requested model", semconv.REQUEST_MODEL, spans(semconv.REQUEST_MODEL))
PROVIDER: Final = Rows("Provider", semconv.PROVIDER_NAME)
ERROR: Final = Rows("Error", semconv.ERROR_TYPE, spans(semconv.ERROR_TYPE))
WASTE_REASON: Final = Rows("Reason", semconv.WASTE_REASON, spans(semconv.WASTE_REASON), words.WASTE)
OUTLIER_REASON: Final = Rows(
    "Reason", semconv.OUTLIER_REASON, spans(semconv.OUTLIER_REASONS), words.FLAGS
)
UNPRICED_REASON: Final = Rows("Reason", semconv.UNPRICED_REASON)
ASSUMPTION: Final = Rows("Assumption", semconv.ASSUMPTION, spans(semconv.COST_ASSUMED))
SOURCE: Final = Rows("Source", semconv.COST_SOURCE, spans(semconv.COST_SOURCE))
PRICES: Final = Rows("Price table", semconv.COST_PRICES, spans(semconv.COST_PRICES))
SERVICE: Final = Rows("Service", names.SERVICE)
