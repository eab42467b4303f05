"""Usage: the billable counts of one call, in one shape for every provider, and the guards on it."""

from __future__ import annotations

from decimal import Decimal
from typing import NamedTuple, TypeGuard


class Usage(NamedTuple):
    """What one call consumed, as the provider billed it. Immutable.

    Counts are tokens unless said otherwise. ``input_tokens`` and ``output_tokens`` are inclusive,
    as the GenAI conventions ask: every other token count is a part of one of the two, never on top.
    ``None`` means that the provider did not say, which is not zero.
    """

    input_tokens: int | None = None
    """All input: uncached, cache reads, cache writes, every modality."""
    output_tokens: int | None = None
    """All output: visible text, reasoning, every modality."""

    cache_read_tokens: int = 0
    """Input served from the prompt cache, every modality."""
    cache_write_tokens: int = 0
    """Input written to the prompt cache, whatever its time to live."""
    cache_write_1h_tokens: int = 0
    """The part of ``cache_write_tokens`` kept for one hour (Anthropic)."""
    cache_write_12h_tokens: int = 0
    """The part of ``cache_write_tokens`` kept for twelve hours (OpenAI)."""
    reasoning_tokens: int | None = None
    """The part of ``output_tokens`` spent on reasoning. Information: it is billed as output."""

    input_audio_tokens: int = 0
    input_image_tokens: int = 0
    cache_read_audio_tokens: int = 0
    """The part of ``cache_read_tokens`` that is also audio."""
    cache_read_image_tokens: int = 0
    """The part of ``cache_read_tokens`` that is also image."""
    output_audio_tokens: int = 0
    output_image_tokens: int = 0

    web_searches: int = 0
    """Billable web searches (requests, not results)."""
    file_searches: int = 0
    """Billable searches of hosted files, or of documents to be ranked (Cohere's search units)."""
    input_characters: int = 0
    """Text to be spoken, by the character; billed by models whose price is by the character."""
    preview_searches: int = 0
    """Billable web searches by the preview of that tool, which has its own fee (OpenAI's
    ``web_search_preview``); none of them is in ``web_searches``."""
    input_video_tokens: int = 0
    output_video_tokens: int = 0

    input_audio_seconds: Decimal | None = None
    """Audio listened to, where the provider reports it by duration and not in tokens."""

    tier: str = ""
    """The service tier that served the call (``flex``, ``priority`` …); empty is the standard."""
    batch: bool = False
    """Whether the call was part of a batch, which has its own prices."""
    speed: str = ""
    """The speed mode that served the call (``fast``); empty is the standard one."""
    geo: str = ""
    """Where inference was asked to stay (``us``); empty or ``global`` is anywhere."""

    reported_cost: Decimal | None = None
    """USD, where the provider itself says what the call cost (OpenRouter)."""
    also: tuple[tuple[str, Usage], ...] = ()
    """Requests billed beside this one, as (model, usage): compaction, an advisor. An empty model
    is the call's own. Each is priced by itself, so that a long-context threshold is its own."""

    complete: bool = True
    """False when the final counts never came: a stream left early, or one that carries no usage."""
    problem: str = ""
    """Why the counts cannot be trusted, in a few words; empty when they add up."""

    def billed(self) -> Usage:
        """All that was billed as one usage, for reporting: this request and those beside it."""
        if not self.also:
            return self
        total = self._replace(also=())
        for _, usage in self.also:
            part = usage.billed()
            sums = {n: (getattr(total, n) or 0) + (getattr(part, n) or 0) for n in COUNTS}
            total = total._replace(**sums)
        return total


COUNTS = tuple(
    name for name in Usage._fields if name.endswith(("_tokens", "_searches", "_characters"))
)
"""The fields of `Usage` that are counts: its first ones."""

MAX_COUNT = 10**12
"""More tokens than any request has: a larger count is not a count."""


STANDARD_TIERS = frozenset({"", "default", "standard", "auto", "on_demand"})
"""Service tiers that are the standard one under another name: OpenAI serves as ``default`` and may
echo the requested ``auto``, Anthropic says ``standard``, Groq ``on_demand``."""


def reports(usage: Usage) -> bool:
    """Whether ``usage`` says anything at all of what was consumed, if only that it was nothing."""
    return not (
        usage.input_tokens is None
        and usage.output_tokens is None
        and usage.input_audio_seconds is None
        and not (usage.web_searches or usage.preview_searches or usage.file_searches)
        and not usage.input_characters
    )


def checked(usage: Usage) -> Usage:
    """``usage`` with counts that are counts, and `fitted`; the same object when it was so already.

    What is not an ``int`` from 0 to `MAX_COUNT` (a bool is none) is taken as not reported,
    ``problem`` says so, and the cost is marked as inconsistent. Raises nothing.
    """
    invalid = {
        name: _NOT_REPORTED[name]
        for name, count in zip(COUNTS, usage, strict=False)
        if not (type(count) is int and 0 <= count <= MAX_COUNT)
        and not (count is None and _NOT_REPORTED[name] is None)
    }
    if usage.input_audio_seconds is not None and not is_duration(usage.input_audio_seconds):
        invalid["input_audio_seconds"] = None
    if invalid:
        problem = joined(usage.problem, *(f"invalid {name}" for name in invalid))
        usage = usage._replace(**invalid, problem=problem)
    return fitted(usage)


def is_duration(value: object) -> TypeGuard[Decimal]:
    """Whether it can be a duration: a finite decimal that is not negative nor absurd."""
    if type(value) is not Decimal:
        return False
    _, digits, exponent = value.as_tuple()
    # The shape comes first: arithmetic on 1E-999999 would not end.
    return (
        isinstance(exponent, int)
        and -30 <= exponent <= 12
        and len(digits) <= 36
        and 0 <= value <= MAX_COUNT
    )


def fitted(usage: Usage) -> Usage:
    """``usage``, whose counts are counts, with no part larger than its whole.

    Parts that exceed their whole are cut, in the order of the record: the cost is then that of the
    whole, never more. ``problem`` says so, and the cost is marked as inconsistent.
    """
    inp, out, read, write, write_1h, write_12h, _ = usage[:7]
    audio, image, r_audio, r_image, o_audio, o_image = usage[7:13]
    video, o_video = usage.input_video_tokens, usage.output_video_tokens
    if (
        read + write <= (inp or 0)
        and write_1h + write_12h <= write
        and audio + image + video <= (inp or 0)
        and r_audio <= audio
        and r_image <= image
        and r_audio + r_image <= read
        and o_audio + o_image + o_video <= (out or 0)
    ):
        return usage

    problem = "parts exceed their whole"
    if inp is None and (read or write or audio or image or video):
        inp = max(read + write, audio + image + video)
        problem = "parts of the input without the input"
    if out is None and (o_audio or o_image or o_video):
        out = o_audio + o_image + o_video
        problem = "parts of the output without the output"
    read, write = _fit(inp or 0, read, write)
    write_1h, write_12h = _fit(write, write_1h, write_12h)
    audio, image, video = _fit(inp or 0, audio, image, video)
    r_audio, r_image = _fit(read, min(r_audio, audio), min(r_image, image))
    o_audio, o_image, o_video = _fit(out or 0, o_audio, o_image, o_video)
    return usage._replace(
        input_tokens=inp,
        output_tokens=out,
        cache_read_tokens=read,
        cache_write_tokens=write,
        cache_write_1h_tokens=write_1h,
        cache_write_12h_tokens=write_12h,
        input_audio_tokens=audio,
        input_image_tokens=image,
        cache_read_audio_tokens=r_audio,
        cache_read_image_tokens=r_image,
        output_audio_tokens=o_audio,
        output_image_tokens=o_image,
        input_video_tokens=video,
        output_video_tokens=o_video,
        problem=joined(usage.problem, problem),
    )


_NOT_REPORTED = {name: Usage._field_defaults[name] for name in COUNTS}


def joined(*problems: str) -> str:
    """The problems that there are, in one line, none of them twice."""
    return "; ".join(dict.fromkeys(problem for problem in problems if problem))


def _fit(whole: int, *parts: int) -> tuple[int, ...]:
    """``parts`` in order, each cut to what the earlier ones left of ``whole``."""
    fitted: list[int] = []
    for part in parts:
        part = min(part, whole)
        whole -= part
        fitted.append(part)
    return tuple(fitted)
