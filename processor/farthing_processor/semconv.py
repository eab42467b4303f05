"""Names: every attribute, metric and scope name that farthing emits, and nothing else.

Names follow the GenAI semantic conventions (open-telemetry/semantic-conventions-genai, main of
2026-10-09); cost follows the open proposal there (pull request 443). What neither defines lives
under ``farthing.``. No name on a span is also the namespace of another there, because backends that
nest dots reject such documents. A name that is only read lives with its reader.
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
"""USD that the call cost, where another tracer's span says an amount of its own, which stays, or an
alias takes the proposal's place: metrics, pages and flags go by this."""
COST_LISTED: Final = "farthing.cost.listed"
"""USD by the price table, where the amount is the provider's and they differ."""
COST_REPORTED: Final = "farthing.cost.reported"
"""USD as the provider or another tracer reported it, where the amount is ours and they differ."""
COST_DUPLICATE_OF: Final = "farthing.cost.duplicate_of"
"""The id of the span that has paid this call. A span that says so has no cost."""
COST_DIALECT: Final = "farthing.cost.dialect"
"""Whose attribute names a span of another tracer was read by."""
COST_ASSUMED: Final = "farthing.cost.assumed"
"""What was assumed of the counts of another tracer's span, because nothing in it confirms it."""

# Cost, under the names of backends that are named in ``FARTHING_COST_ALIASES``.
ALIAS_USAGE_COST: Final = "gen_ai.usage.cost"
"""The namespace of what is proposed: beside it the amount is `COST_OURS`, and that is left out."""
ALIAS_OPERATION_COST: Final = "operation.cost"
ALIAS_LLM_COST_TOTAL: Final = "llm.cost.total"
ALIAS_LLM_COST_PROMPT: Final = "llm.cost.prompt"
ALIAS_LLM_COST_COMPLETION: Final = "llm.cost.completion"
ALIAS_LLM_COST_CACHE_READ: Final = "llm.cost.prompt_details.cache_read"
ALIAS_LLM_COST_CACHE_WRITE: Final = "llm.cost.prompt_details.cache_write"

# Who pays.
WORKFLOW_NAME: Final = "gen_ai.workflow.name"
AGENT_NAME: Final = "gen_ai.agent.name"
USER_ID: Final = "user.id"
SESSION_ID: Final = "session.id"
STEP_NAME: Final = "farthing.step.name"
STEP_PATH: Final = "farthing.step.path"
WORKFLOW_ID: Final = "farthing.workflow.id"
WORKFLOW_OUTCOME: Final = "farthing.workflow.outcome"
WORKFLOW_REASON: Final = "farthing.workflow.reason"
# What its calls came to in the process of its root span, which says it.
WORKFLOW_COST: Final = "farthing.workflow.cost"
"""USD, as far as it is known: less than the whole where there are `WORKFLOW_UNPRICED`."""
WORKFLOW_CALLS: Final = "farthing.workflow.calls"
WORKFLOW_UNPRICED: Final = "farthing.workflow.unpriced_calls"
"""Of the calls, those that may have cost money and have no amount."""
WORKFLOW_FAILURES: Final = "farthing.workflow.failures"
"""Of the calls, those that failed."""
WORKFLOW_RETRIES: Final = "farthing.workflow.retries"
WORKFLOW_INPUT_TOKENS: Final = "farthing.workflow.input_tokens"
WORKFLOW_OUTPUT_TOKENS: Final = "farthing.workflow.output_tokens"
WORKFLOW_WASTE: Final = "farthing.workflow.waste"
"""USD of its cost that bought nothing; all of it where the workflow failed."""
FEATURE: Final = "farthing.feature"
TASK_ID: Final = "farthing.task.id"
TASK_TYPE: Final = "farthing.task.type"
TAG_PREFIX: Final = "farthing.tag."

# A tool that was executed.
TOOL_NAME: Final = "gen_ai.tool.name"
TOOL_TYPE: Final = "gen_ai.tool.type"
TOOL_DESCRIPTION: Final = "gen_ai.tool.description"
TOOL_CALL_ID: Final = "gen_ai.tool.call.id"

# Whether it is normal.
OUTLIER_DETECTED: Final = "farthing.outlier.detected"
"""True, or not there; not there where ``cold_threshold`` is the only reason."""
OUTLIER_REASONS: Final = "farthing.outlier.reasons"
OUTLIER_RATIO: Final = "farthing.outlier.ratio"
"""The cost over the step's median."""
OUTLIER_COST_LIMIT: Final = "farthing.outlier.cost_limit"
"""USD that a call with ``cost_outlier`` or ``cold_threshold`` is above; the other limits alike."""
OUTLIER_INPUT_LIMIT: Final = "farthing.outlier.input_limit"
OUTLIER_FIRST_INPUT: Final = "farthing.outlier.first_input_tokens"
OUTLIER_OUTPUT_LIMIT: Final = "farthing.outlier.output_limit"
OUTLIER_YIELD_LIMIT: Final = "farthing.outlier.yield_limit"
"""How many times the output the input may be."""
OUTLIER_FAILURES: Final = "farthing.outlier.failures"
"""Failed attempts of the step in the last minute, no more than 100."""
OUTLIER_FAILURES_LIMIT: Final = "farthing.outlier.failures_limit"
OUTLIER_REPEATS: Final = "farthing.outlier.repeats"
"""How often the workflow had an answer to the same prompt before."""
OUTLIER_PREFIX_LIMIT: Final = "farthing.outlier.prefix_limit"
OUTLIER_STABLE_TOKENS: Final = "farthing.outlier.stable_tokens"
"""Input tokens that a prompt cache could have had, at least."""
OUTLIER_AVOIDABLE_COST: Final = "farthing.outlier.avoidable_cost"
"""USD that reading them from the cache would have saved."""
BASELINE_P50: Final = "farthing.baseline.p50"
"""USD: the median cost of the step's calls before this one."""
BASELINE_COUNT: Final = "farthing.baseline.count"
BASELINE_SOURCE: Final = "farthing.baseline.source"
BASELINE_OUTPUT_P50: Final = "farthing.baseline.output_p50"
PROMPT_HASH: Final = "farthing.prompt.hash"
"""Only where ``FARTHING_PROMPT_HASH`` asks for it."""

RETRIES: Final = "farthing.retries"
BATCH: Final = "farthing.batch"
"""True for a result of a batch: its span begins and ends when it is recorded."""
ESTIMATED_INPUT: Final = "farthing.estimated.input_tokens"
ESTIMATED_OUTPUT: Final = "farthing.estimated.output_tokens"

WASTE_REASON: Final = "farthing.waste.reason"
"""Why a call bought nothing: one of `WASTE_FAILED`, `WASTE_ABANDONED`, `WASTE_REPEATED`."""

# Labels that only metrics carry.
TOKEN_TYPE: Final = "gen_ai.token.type"
TOKEN_MODALITY: Final = "gen_ai.token.modality"
UNPRICED_REASON: Final = "farthing.unpriced.reason"
ASSUMPTION: Final = "farthing.assumption"
"""One of those of ``farthing.cost.assumed``."""
OUTLIER_REASON: Final = "farthing.outlier.reason"
"""One of those of ``farthing.outlier.reasons``."""

# Events.
EVENT_STEP_COST: Final = "farthing.step_cost"
"""What one call cost, as a log record."""

# Values.
WASTE_FAILED: Final = "failed"
"""It ended by an error, and was billed."""
WASTE_ABANDONED: Final = "abandoned"
"""Its answer was not read to the end."""
WASTE_REPEATED: Final = "repeated"
"""The workflow had asked the same before."""
WASTE_WORKFLOW_FAILED: Final = "workflow_failed"
"""Its workflow failed; of metrics only."""
INFERENCE: Final = frozenset({"chat", "generate_content", "text_completion"})
"""The values of ``gen_ai.operation.name`` that the conventions call inference."""
INVOKE_WORKFLOW: Final = "invoke_workflow"
"""The operation of a workflow's root span."""
INVOKE_AGENT: Final = "invoke_agent"
EXECUTE_TOOL: Final = "execute_tool"
TOOL_FUNCTION: Final = "function"
"""The type of a tool that the application itself runs."""
INTERRUPTED: Final = "interrupted"
"""The outcome of a workflow that waits for a person, or to be resumed."""
COST_OUTLIER: Final = "cost_outlier"
"""Why a call is not normal: this and the next ones."""
COLD_THRESHOLD: Final = "cold_threshold"
CONTEXT_GROWTH: Final = "context_growth"
COMPLETION_SPIKE: Final = "completion_spike"
RETRY_STORM: Final = "retry_storm"
REPEATED_PROMPT: Final = "repeated_prompt"
LARGE_UNCACHED_PREFIX: Final = "large_uncached_prefix"
LOW_YIELD: Final = "low_yield"
FETCH_RESPONSE: Final = "fetch_response"
"""The operation of fetching a response that was made before."""
CURRENCY_USD: Final = "USD"
SOURCE_LOCAL: Final = "local"
SOURCE_PROVIDER: Final = "provider"
ERROR_OTHER: Final = "_OTHER"
"""The error of what failed without an exception."""
PROVIDER_OTHER: Final = "_OTHER"
"""The provider of a host that we do not know."""


def span_name(operation: str, model: str | None) -> str:
    """The name of a call's span."""
    return f"{operation} {model}" if model else operation
