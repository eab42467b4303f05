"""The guards on usage."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farthing_processor.usage import COUNTS, Usage, checked

COUNT = st.integers(0, 50)
USAGES = st.builds(Usage, st.none() | COUNT, st.none() | COUNT, **dict.fromkeys(COUNTS[2:], COUNT))


def test_what_adds_up_is_left_alone() -> None:
    usage = Usage(100, 10, 60, 30, 20, 10, input_audio_tokens=5, cache_read_audio_tokens=5)
    assert checked(usage) is usage


@given(USAGES)
def test_parts_fit_their_whole_afterwards(usage: Usage) -> None:
    fitted = checked(usage)
    whole_in, whole_out = fitted.input_tokens or 0, fitted.output_tokens or 0
    assert fitted.cache_read_tokens + fitted.cache_write_tokens <= whole_in
    assert fitted.cache_write_1h_tokens + fitted.cache_write_12h_tokens <= fitted.cache_write_tokens
    modal = fitted.input_audio_tokens + fitted.input_image_tokens + fitted.input_video_tokens
    assert modal <= whole_in
    assert fitted.cache_read_audio_tokens <= fitted.input_audio_tokens
    assert fitted.cache_read_image_tokens <= fitted.input_image_tokens
    assert (
        fitted.cache_read_audio_tokens + fitted.cache_read_image_tokens <= fitted.cache_read_tokens
    )
    modal = fitted.output_audio_tokens + fitted.output_image_tokens + fitted.output_video_tokens
    assert modal <= whole_out
    assert bool(fitted.problem) == (fitted is not usage)
    assert checked(fitted) is fitted
    if usage.input_tokens is not None:
        assert fitted.input_tokens == usage.input_tokens
    if usage.output_tokens is not None:
        assert fitted.output_tokens == usage.output_tokens


@pytest.mark.parametrize(
    "usage",
    [
        Usage(10, 10, 8, 3),
        Usage(10, 10, 0, 5, 4, 2),
        Usage(10, 10, input_audio_tokens=6, input_image_tokens=5),
        Usage(10, 10, 8, input_audio_tokens=3, cache_read_audio_tokens=4),
        Usage(10, 10, 8, input_image_tokens=3, cache_read_image_tokens=4),
        Usage(
            10,
            10,
            4,
            input_audio_tokens=3,
            input_image_tokens=3,
            cache_read_audio_tokens=3,
            cache_read_image_tokens=3,
        ),
        Usage(10, 10, output_audio_tokens=6, output_image_tokens=5),
        Usage(10, 10, input_image_tokens=6, input_video_tokens=5),
        Usage(10, 10, output_image_tokens=6, output_video_tokens=5),
    ],
)
def test_each_part_that_does_not_fit_is_seen(usage: Usage) -> None:
    assert checked(usage).problem == "parts exceed their whole"


def test_parts_without_their_whole_are_the_whole() -> None:
    fitted = checked(Usage(None, None, 60, 30, output_audio_tokens=7))
    assert (fitted.input_tokens, fitted.output_tokens) == (90, 7)
    assert fitted.problem == "parts of the output without the output"


@pytest.mark.parametrize("name", COUNTS)
@pytest.mark.parametrize("count", [-1, True, "7", 7.0, float("nan"), 10**400, [7]])
def test_what_is_no_count_is_not_reported(name: str, count: object) -> None:
    fitted = checked(Usage(10, 10)._replace(**{name: count}))
    assert getattr(fitted, name) == getattr(Usage(), name)
    assert fitted.problem == f"invalid {name}"
    assert checked(fitted) is fitted
