"""The ways in which it went wrong for others, each with the tests that show it cannot here."""

from __future__ import annotations

from typing import Final, NamedTuple


class Lesson(NamedTuple):
    """One way to fail: the tests that prove we survive it, or why there is none. Immutable."""

    title: str
    tests: tuple[str, ...] = ()
    """Names of test functions anywhere under ``tests``; ``ending: …`` is a row of the contract."""
    elsewhere: str = ""
    """One sentence: why it cannot occur, or which other part has to survive it."""


_LATER: Final = "A client library that is not instrumented yet: its own table file will show it."
_LANGCHAIN: Final = "Framework callbacks belong to another part; the client underneath is one span."
_GATEWAY: Final = "It belongs to the gateway, which is another part."
_SPANS: Final = "Spans of other emitters belong to the span processor, which is another part."

FIELD: Final[dict[int, Lesson]] = {
    1: Lesson(
        "A client that traces itself makes a second span and doubles the cost",
        ("test_contract", "test_one_call_one_span_and_nothing_added_to_a_request"),
    ),
    2: Lesson(
        "Cumulative output counts are added up", ("test_streamed_message", "ending: exhaust")
    ),
    3: Lesson("A delta without cache fields erases the counts", ("test_streamed_message",)),
    4: Lesson(
        "The same cached call differs between the vendor's client and a cloud's",
        ("test_contract",),
        "The cloud's own package (boto) is another client library and comes later.",
    ),
    5: Lesson(
        "Cached tokens are counted twice, or never",
        ("test_cost_is_exact", "test_parts_fit_their_whole_afterwards", "test_contract"),
    ),
    6: Lesson(
        "One-hour cache writes are priced as five-minute ones", ("test_messages", "ending: use")
    ),
    7: Lesson("Thinking tokens are left out of the output", ("test_the_total_is_a_checksum",)),
    8: Lesson("Parent spans repeat the usage of their children", elsewhere=_SPANS),
    9: Lesson("Framework and client are both instrumented", elsewhere=_LANGCHAIN),
    10: Lesson(
        "The key that suppresses leaks and hides unrelated calls",
        ("test_the_context_is_the_callers_again", "test_contract", "ending: call elsewhere"),
    ),
    11: Lesson(
        "A stream closed early never ends its span",
        (
            "ending: break within",
            "ending: break only",
            "ending: close",
            "ending: close unread",
            "ending: drop unread",
            "ending: close the generator",
        ),
    ),
    12: Lesson(
        "Cancellation passes by `except Exception`",
        (
            "ending: cancelled",
            "ending: cancelled before an answer",
            "ending: interrupted",
            "ending: close the generator",
        ),
    ),
    13: Lesson(
        "A stream that failed is recorded as a success",
        ("ending: cut in the middle", "ending: error event", "ending: broken event"),
    ),
    14: Lesson(
        "A context token is detached in another context",
        ("test_a_coroutine_closed_from_elsewhere", "ending: read elsewhere"),
    ),
    15: Lesson(
        "An awaiting wrapper around a plain function breaks `async with`",
        ("test_public_methods", "test_every_function_that_we_wrap", "ending: exhaust within"),
    ),
    16: Lesson("A beta stream manager is not recognised", ("ending: exhaust within",)),
    17: Lesson(
        "A wrapper changes the type of what the application gets",
        ("test_the_stream_is_the_clients_own", "test_contract"),
    ),
    18: Lesson(
        "A helper of a stream passes by the instrumentation",
        ("ending: final get_final_text", "ending: final text_stream"),
    ),
    19: Lesson(
        "A raw response breaks the application after a billed call",
        ("ending: raw parse", "ending: raw http_response", "ending: raw headers"),
    ),
    20: Lesson(
        "An error of telemetry replaces or loses the answer",
        ("test_a_bug_is_not_the_callers", "test_a_bug_of_ours_is_not_the_callers"),
    ),
    21: Lesson(
        "A chunk without choices raises in the application's loop",
        ("test_chunks_that_make_no_sense", "test_broken_stream"),
    ),
    22: Lesson(
        "A stream has no usage unless it is asked for, and asking breaks users",
        ("test_streamed_chat", "test_contract"),
    ),
    23: Lesson(
        "State of each call is kept for ever",
        ("test_contract", "test_memory_is_flat_and_every_span_ends"),
    ),
    24: Lesson("A framework's handler keeps spans for ever", elsewhere=_LANGCHAIN),
    25: Lesson("Data of a request becomes a metric label", ("test_labels_are_bounded",)),
    26: Lesson("An unknown model costs nothing", ("test_unknown_model_has_no_cost",)),
    27: Lesson(
        "A deployment's name is taken for the model's", ("test_azure_client", "test_contract")
    ),
    28: Lesson("The service tier is ignored", ("test_chat_served_tier", "test_setting")),
    29: Lesson(
        "Long-context prices are chosen wrongly",
        ("test_long_context_is_of_the_whole_request_and_strictly_above", "test_two_thresholds"),
    ),
    30: Lesson(
        "Prices are fetched at start-up",
        ("test_the_pack_is_whole",),
        "Prices are in the package, and nothing here opens a connection.",
    ),
    31: Lesson("A result or a stream cannot be copied or pickled any more", ("ending: copies",)),
    32: Lesson(
        "A fork loses telemetry or reports it twice",
        (
            "test_a_forked_child_does_not_record_its_parents_calls",
            "test_an_open_stream_is_its_own_process_to_report",
        ),
    ),
    33: Lesson(
        "Secrets in telemetry",
        ("test_no_content_unless_asked_for", "test_an_error_reaches_the_caller_as_it_was"),
    ),
    34: Lesson(
        "A model name of a megabyte is exported everywhere",
        ("test_a_provider_answering_nonsense", "test_labels_are_bounded"),
    ),
    35: Lesson(
        "A library sets the global provider",
        ("test_a_provider_that_comes_after_instrument_is_used",),
        "Nothing in farthing sets a global provider.",
    ),
    36: Lesson(
        "Fetching or polling a response pays for it again",
        ("test_polling_from_many_threads_pays_once", "test_contract"),
    ),
    37: Lesson("A gateway strips or keeps headers", elsewhere=_GATEWAY),
    38: Lesson(
        "A thread pool loses the attribution", ("ending: call elsewhere", "ending: read elsewhere")
    ),
    39: Lesson(
        "The duration of a stream differs between metric and span",
        ("test_chat_is_one_set_of_metrics", "test_contract"),
    ),
    40: Lesson("A hard spending limit", elsewhere="Budgets are another part, and opt-in."),
}
"""By number of the list of bugs of this field."""

EDGES: Final[dict[str, Lesson]] = {
    "OpenAI stream, break and close": Lesson(
        "No span, or no usage", ("ending: break within", "ending: close")
    ),
    "stream object dropped unread": Lesson("No span, or an error", ("ending: drop unread",)),
    "task cancelled in `async for`": Lesson("Status OK, or no span", ("ending: cancelled",)),
    "isinstance(stream, openai.Stream)": Lesson("False", ("test_the_stream_is_the_clients_own",)),
    "reasoning tokens, streamed chat": Lesson("Lost", ("ending: exhaust",)),
    "Anthropic stream output": Lesson("55 for 50", ("ending: exhaust",)),
    "Anthropic stream cache split": Lesson("Lost", ("ending: exhaust", "ending: paced")),
    "Anthropic create cost": Lesson("All writes at the five-minute rate", ("ending: use",)),
    "messages.stream and get_final_text()": Lesson("Span lost", ("ending: final get_final_text",)),
    "messages.stream and break": Lesson("A placeholder for the output", ("ending: break within",)),
    "beta.messages.stream": Lesson("Nothing counted", ("ending: exhaust within",)),
    "events per streamed call": Lesson("One for each chunk", ("test_contract",)),
    "extra spans": Lesson("A second span of HTTP or of the stream", ("test_contract",)),
    "usage missing": Lesson("Nobody says so", ("ending: break only", "ending: streaming headers")),
}
"""What really happens at the edges, by case."""

OFFICIAL: Final[dict[int, Lesson]] = {
    1: Lesson("A generator of messages is consumed", ("test_the_callers_arguments_are_untouched",)),
    2: Lesson("An async streaming response is parsed unawaited", ("ending: streaming parse",)),
    3: Lesson(
        "A streaming response is read before the caller reads it",
        ("ending: streaming headers", "ending: streaming iter_bytes", "ending: paced"),
    ),
    4: Lesson("Missing usage is not marked", ("ending: break only", "test_streamed_chat")),
    5: Lesson(
        "The provider is always the client's own",
        ("test_provider_comes_from_the_host", "test_provider_of", "test_azure_client"),
    ),
    6: Lesson(
        "Reported cost, tier, cache split and searches are dropped",
        ("test_a_reported_cost_is_what_json_said", "test_messages", "test_setting"),
    ),
    7: Lesson("A break is an error", ("ending: break within", "ending: break only")),
    8: Lesson("Cached input is not part of the input", elsewhere=_LATER),
    9: Lesson("The span stays current in the caller's code", ("test_contract",)),
    10: Lesson("A class of input is dropped", ("test_every_count",)),
    11: Lesson("One span over several calls, usage of the last", elsewhere=_LATER),
    12: Lesson("The caller's configuration is changed", ("test_contract",)),
    13: Lesson(
        "Instrumenting changes the environment",
        elsewhere="Nothing in farthing writes to the environment of its process.",
    ),
    14: Lesson("Nested calls overwrite the usage", elsewhere=_LATER),
    15: Lesson("Usage is invented from characters", ("ending: drop unread", "ending: break only")),
}
"""Defects of the official instrumentations, by number."""
