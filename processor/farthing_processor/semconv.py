"""Names: every attribute, metric and scope name that farthing emits, and nothing else.

Names follow the GenAI semantic conventions (open-telemetry/semantic-conventions-genai, main of
2026-10-09); cost follows the open proposal there (pull request 443). What neither defines lives
under ``farthing.``. No name here is also the namespace of another, because backends that nest dots
reject such documents. A name that is only read lives with its reader.
"""

from __future__ import annotations

from typing import Final

SCHEMA_URL: Final = "https://opentelemetry.io/schemas/gen-ai-dev/1.42.0-dev"
SCOPE: Final = "farthing"
"""The instrumentation scope of our spans and metrics."""

# Who was called, and for what.
OPERATION_NAME: Final = "gen_ai.operation.name"
PROVIDER_NAME: Final = "gen_ai.provider.name"
SERVER_ADDRESS: Final = "server.address"
SERVER_PORT: Final = "server.port"
ERROR_TYPE: Final = "error.type"

# The request.
REQUEST_MODEL: Final = "gen_ai.request.model"
REQUEST_STREAM: Final = "gen_ai.request.stream"
REQUEST_MAX_TOKENS: Final = "gen_ai.request.max_tokens"
REQUEST_TEMPERATURE: Final = "gen_ai.request.temperature"
REQUEST_TOP_P: Final = "gen_ai.request.top_p"
REQUEST_TOP_K: Final = "gen_ai.request.top_k"
REQUEST_SEED: Final = "gen_ai.request.seed"
REQUEST_CHOICE_COUNT: Final = "gen_ai.request.choice.count"
REQUEST_FREQUENCY_PENALTY: Final = "gen_ai.request.frequency_penalty"
REQUEST_PRESENCE_PENALTY: Final = "gen_ai.request.presence_penalty"
REQUEST_STOP_SEQUENCES: Final = "gen_ai.request.stop_sequences"
REQUEST_REASONING_LEVEL: Final = "gen_ai.request.reasoning.level"
REQUEST_PREVIOUS_RESPONSE_ID: Final = "gen_ai.request.previous_response.id"
REQUEST_ENCODING_FORMATS: Final = "gen_ai.request.encoding_formats"
OUTPUT_TYPE: Final = "gen_ai.output.type"
EMBEDDINGS_DIMENSION_COUNT: Final = "gen_ai.embeddings.dimension.count"
OPENAI_API_TYPE: Final = "openai.api.type"
OPENAI_REQUEST_SERVICE_TIER: Final = "openai.request.service_tier"

# The response.
RESPONSE_ID: Final = "gen_ai.response.id"
RESPONSE_MODEL: Final = "gen_ai.response.model"
RESPONSE_STATUS: Final = "gen_ai.response.status"
RESPONSE_FINISH_REASONS: Final = "gen_ai.response.finish_reasons"
RESPONSE_TIME_TO_FIRST_CHUNK: Final = "gen_ai.response.time_to_first_chunk"
CONVERSATION_ID: Final = "gen_ai.conversation.id"
OPENAI_RESPONSE_SERVICE_TIER: Final = "openai.response.service_tier"
OPENAI_RESPONSE_SYSTEM_FINGERPRINT: Final = "openai.response.system_fingerprint"

# Usage. Details are parts of the two totals, never on top of them.
USAGE_INPUT_TOKENS: Final = "gen_ai.usage.input_tokens"
USAGE_OUTPUT_TOKENS: Final = "gen_ai.usage.output_tokens"
USAGE_CACHE_READ: Final = "gen_ai.usage.cache_read.input_tokens"
USAGE_CACHE_WRITE: Final = "gen_ai.usage.cache_write.input_tokens"
USAGE_REASONING: Final = "gen_ai.usage.reasoning.output_tokens"
USAGE_AUDIO_INPUT: Final = "gen_ai.usage.audio.input_tokens"
USAGE_AUDIO_OUTPUT: Final = "gen_ai.usage.audio.output_tokens"
USAGE_AUDIO_CACHE_READ: Final = "gen_ai.usage.audio.cache_read.input_tokens"
USAGE_IMAGE_INPUT: Final = "gen_ai.usage.image.input_tokens"
USAGE_IMAGE_OUTPUT: Final = "gen_ai.usage.image.output_tokens"
USAGE_IMAGE_CACHE_READ: Final = "gen_ai.usage.image.cache_read.input_tokens"

# Content, opt-in.
SYSTEM_INSTRUCTIONS: Final = "gen_ai.system_instructions"
INPUT_MESSAGES: Final = "gen_ai.input.messages"
OUTPUT_MESSAGES: Final = "gen_ai.output.messages"
TOOL_DEFINITIONS: Final = "gen_ai.tool.definitions"
EVENT_OPERATION_DETAILS: Final = "gen_ai.client.inference.operation.details"

# Cost, as proposed.
COST_AMOUNT: Final = "gen_ai.usage.cost.amount"
COST_CURRENCY: Final = "gen_ai.usage.cost.currency"
COST_SOURCE: Final = "gen_ai.usage.cost.source"

# Cost, what the proposal lacks.
COST_CLASS_PREFIX: Final = "farthing.cost."
COST_CLASSES: Final = ("input", "cache_read", "cache_write", "output", "tools")
"""The classes of a cost; each is emitted as ``farthing.cost.<class>``, in USD."""
COST_STATUS: Final = "farthing.cost.status"
COST_MATCH: Final = "farthing.cost.match"
COST_PRICES: Final = "farthing.cost.prices"
COST_CACHE_SAVINGS: Final = "farthing.cost.cache_savings"
"""USD that the same usage would have cost more without the prompt cache; below 0 where the cache
cost more than it saved."""
COST_OURS: Final = "farthing.cost.amount"
"""USD by our prices, where the amount is the provider's and they differ."""
COST_REPORTED: Final = "farthing.cost.reported"
"""USD as the provider reported it, where the amount is by the user's rule and they differ."""

# Who pays.
WORKFLOW_NAME: Final = "gen_ai.workflow.name"
AGENT_NAME: Final = "gen_ai.agent.name"
USER_ID: Final = "user.id"
SESSION_ID: Final = "session.id"
STEP_NAME: Final = "farthing.step.name"
STEP_PATH: Final = "farthing.step.path"
WORKFLOW_ID: Final = "farthing.workflow.id"
FEATURE: Final = "farthing.feature"
TASK_ID: Final = "farthing.task.id"
TASK_TYPE: Final = "farthing.task.type"
TAG_PREFIX: Final = "farthing.tag."

RETRIES: Final = "farthing.retries"
BATCH: Final = "farthing.batch"
"""True for a result of a batch: its span begins and ends when it is recorded."""
ESTIMATED_INPUT: Final = "farthing.estimated.input_tokens"
ESTIMATED_OUTPUT: Final = "farthing.estimated.output_tokens"

# Labels that only metrics carry.
TOKEN_TYPE: Final = "gen_ai.token.type"
TOKEN_MODALITY: Final = "gen_ai.token.modality"
UNPRICED_REASON: Final = "farthing.unpriced.reason"

# Values.
INFERENCE: Final = frozenset({"chat", "generate_content", "text_completion"})
"""The values of ``gen_ai.operation.name`` that the conventions call inference."""
FETCH_RESPONSE: Final = "fetch_response"
"""The operation of fetching a response that was made before."""
CURRENCY_USD: Final = "USD"
SOURCE_LOCAL: Final = "local"
SOURCE_PROVIDER: Final = "provider"
PROVIDER_OTHER: Final = "_OTHER"
"""The provider of a host that we do not know."""
