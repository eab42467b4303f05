"""The rows of the overlay: what the price pack lacks or has wrong, dated, each with its source.

A row is refused whose source is not a page of the vendor's (`overlay.check`).
``tests/processor/test_pricing_overlay.py`` fails when the pack says the same without a row, which
is then removed.

What was looked for and is in no row, because no page of the vendor's could be read that says it.
The pack's prices stand:

- the rates of cached input of fine-tuned models (``ft:gpt-4o…``): the pack bills it as input. The
  prices of fine-tuned gpt-4.1 and o4-mini: they have none.
- what 12 hours of cache cost with gpt-5.6, gpt-6-astra, gpt-6-luna and gpt-6-sol, and with any
  model by flex or priority: that share of a call has no rate, and it is marked as partial
- ``mistral-large-latest``: the pack has the rates of Large 2; when it moved to Large 3 and 4 no
  page says. It is reported as a loose match.
- ``deepseek-chat`` and ``deepseek-reasoner`` from 2025-09-29 (V3.2) to their end on 2026-07-24
- cached input of o3 before 2025-06-10, where the pack may have the later rate
- gpt-4o-audio-preview-2024-10-01, whose audio cost more than that of the later snapshots
- gpt-6.2-astra, and what background completion windows take off
- Azure's data zones and regions: nothing in a response says which a deployment is of, so that only
  a user's own rule can
- OpenAI's containers ($0.03 for 20 minutes of 1 GB, developers.openai.com/api/docs/pricing): a
  container outlives the response that opened it, and no response says how long
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from farthing_processor.pricing.moments import When


class Row(NamedTuple):
    """What one page says of some models."""

    provider: str
    """The pack's id of the provider that is called."""
    models: str
    """The pack's ids of the models, separated by spaces."""
    says: str
    """What the page says, in its own words where they are short."""
    source: str
    """The vendor's page or document."""
    read: str
    """The date of the reading."""
    rates: Mapping[str, Any] = {}
    """The pack's price keys to what replaces their rates, in the pack's form."""
    times: str = ""
    """What every rate but a fee's is multiplied by."""
    when: When = None
    """When it holds."""
    of: tuple[str, str] = ("", "")
    """The axis of a setting, and those of its values, separated by spaces, that it is for; ``*`` is
    any. Without an axis it is for the standard setting, and for one that has no rates."""
    on_top: bool = False
    """Whether it applies on top of any other setting."""
    new: bool = False
    """Whether the pack has no such model."""
    via: str = ""
    """Who quotes the page, where it could not be read itself."""


_OPENAI_MODELS: Final = "https://developers.openai.com/api/docs/models/"
_OPENAI_PRICING: Final = "https://developers.openai.com/api/docs/pricing"
_DEEPSEEK_PRICING: Final = "https://api-docs.deepseek.com/quick_start/pricing"
_OPENAI_MIRROR: Final = "a copy of the page of 2026-06-27"
# The State Council's calendar of 2026; the next is to be added when it is published.
_CHINESE_HOLIDAYS: Final = [
    "2026-09-25", "2026-10-01", "2026-10-02", "2026-10-05", "2026-10-06", "2026-10-07",
]  # fmt: skip
_PEAK: Final = [["01:00", "04:00"], ["06:00", "10:00"]]

ROWS: Final = (
    # OpenAI: data residency. The day is that of gpt-5.4; a model of neither row is of a day that
    # we do not know.
    Row(
        provider="openai",
        models="gpt-5.4 gpt-5.4-mini gpt-5.4-nano gpt-5.4-pro gpt-5.5 gpt-5.5-pro gpt-5.6-luna"
        " gpt-5.6-sol gpt-5.6-terra gpt-6-astra gpt-6-luna gpt-6-rosalind gpt-6-sol gpt-6.1-sol"
        " gpt-6.1-terra gpt-6.2-sol",
        of=("geo", "us eu au in jp"),
        times="1.1",
        on_top=True,
        says="Requests to data residency and regional processing endpoints are charged an"
        " additional 10% on top of all other applicable pricing, for models released on or after"
        " March 5, 2026.",
        source="https://developers.openai.com/api/docs/guides/data-residency",
        read="2026-11-22",
        via="for what it is on top of: a copy of the pricing page of March 2026",
    ),
    Row(
        provider="openai",
        models="gpt-3.5-0301 gpt-3.5-turbo gpt-3.5-turbo-0613 gpt-3.5-turbo-1106 gpt-3.5-turbo-16k"
        " gpt-3.5-turbo-instruct gpt-4 gpt-4-32k gpt-4-turbo gpt-4-vision-preview gpt-4.1"
        " gpt-4.1-mini gpt-4.1-nano gpt-4o gpt-4o-2024-05-13 gpt-4o-audio-preview gpt-4o-mini"
        " gpt-4o-mini-audio-preview gpt-4o-mini-realtime-preview gpt-4o-mini-transcribe"
        " gpt-4o-mini-tts gpt-4o-realtime-preview gpt-4o-search-preview gpt-4o-transcribe gpt-5"
        " gpt-5-image gpt-5-image-mini gpt-5-mini gpt-5-nano gpt-5-pro gpt-5-search-api gpt-5.1"
        " gpt-5.1-codex-mini gpt-5.2 gpt-5.2-pro gpt-5.3 gpt-5.3-codex o1 o1-mini o1-preview o1-pro"
        " o3 o3-deep-research o3-mini o3-pro o4-mini o4-mini-deep-research text-embedding-3-large"
        " text-embedding-3-small",
        of=("geo", "us eu au in jp"),
        times="1",
        on_top=True,
        says="A 10% uplift for models released on or after March 5, 2026: these are earlier.",
        source="https://developers.openai.com/api/docs/guides/data-residency",
        read="2026-11-22",
    ),
    # OpenAI: audio of the preview models, which the pack has text rates for alone.
    Row(
        provider="openai",
        models="gpt-4o-audio-preview",
        rates={"input_audio_mtok": "40", "output_audio_mtok": "80"},
        says="Audio tokens: input $40, output $80 per 1M tokens.",
        source=f"{_OPENAI_MODELS}gpt-4o-audio-preview.md",
        read="2026-11-22",
    ),
    Row(
        provider="openai",
        models="gpt-4o-mini-audio-preview",
        rates={"input_audio_mtok": "10", "output_audio_mtok": "20"},
        says="Audio tokens: input $10, output $20 per 1M tokens.",
        source=f"{_OPENAI_MODELS}gpt-4o-mini-audio-preview.md",
        read="2026-11-22",
    ),
    # OpenAI: cache writes kept for 12 hours.
    Row(
        provider="openai",
        models="gpt-6.1-sol",
        rates={"cache_write_12h_mtok": ["5", [[272000, "10"]]]},
        says="12-hour retention: 2.5 times the input rate, $5 per 1M tokens; above 272K input"
        " tokens input and cache rates double.",
        source=_OPENAI_PRICING,
        read="2026-11-21",
        via="litellm 1.109.1, which cites it; gpt-6.2-sol's own page says the same of that model",
    ),
    Row(
        provider="openai",
        models="gpt-6.1-terra",
        rates={"cache_write_12h_mtok": ["2.5", [[272000, "5"]]]},
        says="The 12-hour retention rate is $2.50; above 272K input tokens input and cache rates"
        " double.",
        source=_OPENAI_PRICING,
        read="2026-10-26",
        via="genai-prices 0.2.3, in its note on the model",
    ),
    # OpenAI: a model of 2026-11-17, newer than the pack.
    Row(
        provider="openai",
        models="gpt-6.2-sol",
        new=True,
        rates={
            "input_mtok": ["2", [[272000, "4"]]],
            "cache_read_mtok": ["0.1", [[272000, "0.2"]]],
            "cache_write_mtok": ["2.5", [[272000, "5"]]],
            "cache_write_12h_mtok": ["5", [[272000, "10"]]],
            "output_mtok": ["10", [[272000, "15"]]],
        },
        says="Input $2.00, cached input $0.10, cache writes $2.50, output $10.00. A 12-hour cache"
        " write costs $5. For requests with more than 272K input tokens, input and cache rates"
        " double and output costs 1.5 times the short-context rate for the full request.",
        source=f"{_OPENAI_MODELS}gpt-6.2-sol",
        read="2026-11-22",
    ),
    Row(
        provider="openai",
        models="gpt-6.2-sol",
        of=("processing", "batch"),
        times="0.5",
        says="Batch costs 50% of Standard rates.",
        source=f"{_OPENAI_MODELS}gpt-6.2-sol",
        read="2026-11-22",
    ),
    Row(
        provider="openai",
        models="gpt-6.2-sol",
        of=("service_tier", "fast priority"),
        times="2",
        says="Fast mode costs twice the Standard rate for the same context length.",
        source=f"{_OPENAI_MODELS}gpt-6.2-sol",
        read="2026-11-22",
    ),
    Row(
        provider="openai",
        models="gpt-6.2-sol",
        of=("service_tier", "ultrafast"),
        times="3",
        when={"until": "2027-03-01"},
        says="Ultrafast costs 3 times the Standard rate through February 28, 2027.",
        source=f"{_OPENAI_MODELS}gpt-6.2-sol",
        read="2026-11-22",
    ),
    Row(
        provider="openai",
        models="gpt-6.2-sol",
        of=("service_tier", "ultrafast"),
        times="6",
        when={"from": "2027-03-01"},
        says="and 6 times the Standard rate starting March 1, 2027.",
        source=f"{_OPENAI_MODELS}gpt-6.2-sol",
        read="2026-11-22",
    ),
    # OpenAI: the preview of the search tool is sold by itself.
    Row(
        provider="openai",
        models="gpt-4o gpt-4o-mini gpt-4.1 gpt-4.1-mini",
        rates={"preview_searches_kcount": "25"},
        when={"from": "2026-03-05"},
        says="Web search preview (non-reasoning models): $25.00 / 1k calls, search content tokens"
        " are free.",
        source=_OPENAI_PRICING,
        read="2026-11-22",
        via=_OPENAI_MIRROR,
    ),
    Row(
        provider="openai",
        models="gpt-5 gpt-5-mini gpt-5-pro gpt-5.1 gpt-5.2 gpt-5.2-pro gpt-5.4 gpt-5.4-mini"
        " gpt-5.4-pro gpt-5.5 gpt-5.5-pro o1 o3 o3-deep-research o3-mini o3-pro o4-mini"
        " o4-mini-deep-research",
        rates={"preview_searches_kcount": "10"},
        when={"from": "2026-03-05"},
        says="Web search preview (reasoning models, including gpt-5, o-series): $10.00 / 1k calls,"
        " search content tokens billed at model rates.",
        source=_OPENAI_PRICING,
        read="2026-11-22",
        via=_OPENAI_MIRROR,
    ),
    # OpenAI: embeddings in batches.
    Row(
        provider="openai",
        models="text-embedding-3-large text-embedding-3-small text-embedding-ada-002",
        of=("processing", "batch"),
        times="0.5",
        says="50% cost discount compared to synchronous APIs; /v1/embeddings is supported.",
        source="https://developers.openai.com/api/docs/guides/batch",
        read="2026-11-22",
        via="copies of the page",
    ),
    # Anthropic: inference in the US, from Opus 4.6 on; earlier models cannot be asked for it.
    Row(
        provider="anthropic",
        models="claude-fable-5 claude-fable-5-1 claude-fable-5-2 claude-haiku-5-5 claude-mythos-5-2"
        " claude-opus-4-6 claude-opus-4-7 claude-opus-4-8 claude-opus-5 claude-opus-5-5"
        " claude-sonnet-4-6 claude-sonnet-5 claude-sonnet-5-5",
        of=("geo", "us"),
        times="1.1",
        on_top=True,
        says="US-only inference is priced at 1.1 times on all token categories, from Opus 4.6 on;"
        " data residency multipliers apply on top of fast mode pricing.",
        source="https://platform.claude.com/docs/en/about-claude/pricing",
        read="2026-11-22",
        via="copies of the page; docs.aws.amazon.com/claude-platform says 1.1 times too",
    ),
    # Google: Claude anywhere but at the global endpoint.
    Row(
        provider="google",
        models="claude-2 claude-3-5-haiku claude-3-5-haiku-latest claude-3-5-sonnet"
        " claude-3-7-sonnet claude-3-7-sonnet-latest claude-3-haiku claude-3-opus"
        " claude-3-opus-latest claude-3-sonnet claude-4-opus claude-4-sonnet claude-opus-4-0"
        " claude-opus-4-1 claude-sonnet-4-0 claude-v1",
        of=("geo", "*"),
        times="1",
        says="Global and regional endpoints from Claude Sonnet 4.5 on; older models maintain their"
        " existing pricing.",
        source="https://platform.claude.com/docs/en/build-with-claude/claude-on-vertex-ai",
        read="2026-11-22",
    ),
    Row(
        provider="google",
        models="claude-fable-5 claude-fable-5-1 claude-fable-5-2 claude-haiku-4-5 claude-haiku-5-5"
        " claude-mythos-5-2 claude-opus-4-5 claude-opus-4-6 claude-opus-4-7 claude-opus-4-8"
        " claude-opus-5 claude-opus-5-5 claude-sonnet-4-5 claude-sonnet-4-6 claude-sonnet-5"
        " claude-sonnet-5-5",
        of=("geo", "*"),
        times="1.1",
        says="Regional and multi-region endpoints carry a 10% premium over the global one.",
        source="https://platform.claude.com/docs/en/build-with-claude/claude-on-vertex-ai",
        read="2026-11-21",
    ),
    # Google: Gemini likewise, from Gemini 3 on.
    Row(
        provider="google",
        models="gemini-1.0-pro-vision-001 gemini-1.5-flash gemini-1.5-pro gemini-2.0-flash"
        " gemini-2.0-flash-lite gemini-2.5-flash gemini-2.5-flash-image gemini-2.5-flash-lite"
        " gemini-2.5-flash-lite-preview-tts gemini-2.5-flash-preview gemini-2.5-flash-tts"
        " gemini-2.5-pro gemini-2.5-pro-tts gemini-embedding-001",
        of=("geo", "*"),
        times="1",
        says="Prices of non-global endpoints are of Gemini 3 and later: 2.5 has one price.",
        source="https://cloud.google.com/vertex-ai/generative-ai/pricing",
        read="2026-11-22",
        via="readers of the page of 2026-07-26 and 2026-08-04; it renders in a browser alone",
    ),
    Row(
        provider="google",
        models="gemini-3.1-flash-lite gemini-3.5-flash gemini-3.5-flash-lite gemini-3.6-flash"
        " gemini-3.7-flash gemini-3.8-flash gemini-4-argon",
        of=("geo", "*"),
        times="1.1",
        when={"from": "2026-07-01"},
        says="For non-global endpoints, pricing will go into effect for the generally available"
        " Gemini 3 and later families of models on July 1, 2026: 10% over the global endpoint.",
        source="https://cloud.google.com/vertex-ai/generative-ai/pricing",
        read="2026-11-22",
        via="readers of the page of 2026-07-26 and 2026-08-04; it renders in a browser alone",
    ),
    # DeepSeek: peak hours, which the pack has for every day of all time.
    Row(
        provider="deepseek",
        models="deepseek-v4-pro",
        rates={"cache_read_mtok": "0.003625", "input_mtok": "0.435", "output_mtok": "0.87"},
        when={"until": "2026-08-16T16:00"},
        says="One price at all hours until 16:00 UTC of August 16, 2026.",
        source=_DEEPSEEK_PRICING,
        read="2026-11-22",
        via="those who read it before that day",
    ),
    Row(
        provider="deepseek",
        models="deepseek-v4-flash",
        rates={"cache_read_mtok": "0.0028", "input_mtok": "0.14", "output_mtok": "0.28"},
        when={"until": "2026-08-16T16:00"},
        says="One price at all hours until 16:00 UTC of August 16, 2026.",
        source=_DEEPSEEK_PRICING,
        read="2026-11-22",
        via="those who read it before that day",
    ),
    Row(
        provider="deepseek",
        models="deepseek-v4-pro",
        rates={"cache_read_mtok": "0.022", "input_mtok": "0.66", "output_mtok": "1.98"},
        when={"from": "2026-08-16T16:00"},
        says="Off-peak: cache hit $0.022, cache miss $0.66, output $1.98.",
        source=_DEEPSEEK_PRICING,
        read="2026-11-22",
    ),
    Row(
        provider="deepseek",
        models="deepseek-v4-flash",
        rates={"cache_read_mtok": "0.007", "input_mtok": "0.22", "output_mtok": "0.66"},
        when={"from": "2026-08-16T16:00", "until": "2026-09-10"},
        says="Peak: cache hit $0.014, cache miss $0.44, output $1.32; off-peak is half of it.",
        source=_DEEPSEEK_PRICING,
        read="2026-11-22",
        via="those who read it before 2026-09-10",
    ),
    Row(
        provider="deepseek",
        models="deepseek-v4-flash deepseek-flash",
        rates={"cache_read_mtok": "0.003", "input_mtok": "0.15", "output_mtok": "0.6"},
        when={"from": "2026-09-10"},
        says="Off-peak: cache hit $0.003, cache miss $0.15, output $0.6; deepseek-v4-flash is"
        " billed at the Flash price.",
        source=_DEEPSEEK_PRICING,
        read="2026-11-22",
    ),
    Row(
        provider="deepseek",
        models="deepseek-v4-flash deepseek-v4-pro",
        times="2",
        when={"from": "2026-08-16T16:00", "until": "2026-08-23", "daily": _PEAK},
        says="Off-peak rates are half of the peak rates. Peak hours are 01:00 - 04:00 and 06:00 -"
        " 10:00 UTC.",
        source=_DEEPSEEK_PRICING,
        read="2026-11-22",
        via="those who read it before 2026-08-23",
    ),
    Row(
        provider="deepseek",
        models="deepseek-v4-flash deepseek-v4-pro deepseek-flash",
        times="2",
        when={
            "from": "2026-08-23",
            "daily": _PEAK,
            "days": [1, 2, 3, 4, 5],
            "except": _CHINESE_HOLIDAYS,
        },
        says="Peak hours are 01:00 - 04:00 and 06:00 - 10:00 UTC, Monday through Friday, excluding"
        " Chinese public holidays.",
        source=_DEEPSEEK_PRICING,
        read="2026-11-22",
        via="copies of the page of 2026-09-27 and later",
    ),
    # DeepSeek: what its older names cost when the discount of the night ended.
    Row(
        provider="deepseek",
        models="deepseek-chat deepseek-reasoner",
        rates={"cache_read_mtok": "0.07", "input_mtok": "0.56", "output_mtok": "1.68"},
        when={"from": "2025-09-05T16:00", "until": "2025-09-29"},
        says="Starting from 16:00 UTC Time on Sept 5th, 2025, we will apply the following price"
        " list and cancel the nighttime discount.",
        source=_DEEPSEEK_PRICING,
        read="2026-11-22",
        via="a copy of the page of that week",
    ),
)
