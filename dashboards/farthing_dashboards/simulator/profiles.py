"""What the steps of a real agent send and get back in a month, and reproducible draws from it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from random import Random

OUTLIER_BLOCK = 40
"""Of each so many calls of a step one is an outlier, among the last ten."""

_COLD_EVERY = 20
_SPREAD = 0.25
_OUTLIER_SPREAD = (1.0, 1.2)


@dataclass(frozen=True, slots=True)
class Profile:
    """One step: how its requests are recognised, and its mean token counts.

    The means are those of all calls, outliers among them. ``cached`` is the share of the prompt
    that a warm prompt cache serves. An outlier has ``outlier`` times the mean input (a history that
    was never trimmed) and output (a runaway answer) and misses the cache.
    """

    step: str
    phrase: str
    input_tokens: int
    output_tokens: int
    cached: float = 0.0
    outlier: tuple[float, float] = (8.0, 8.0)


PROFILES = (
    Profile("doc_synthesis", "synthesise the document", 42_800, 1_240, 0.15),
    Profile("planning", "plan the work", 8_400, 620, 0.6),
    Profile("research", "research the question", 11_200, 880, 0.3),
    Profile("summarise", "summarise the findings", 6_100, 480, 0.4),
    Profile("classify", "classify the ticket", 2_100, 60, outlier=(8.0, 10.0)),
    Profile("status_check", "check the status", 420, 80, outlier=(1.0, 20.0)),
    Profile("embed_query", "search for:", 64, 0, outlier=(12.0, 0.0)),
    Profile("title", "write a title", 350, 12, outlier=(10.0, 1.0)),
)


@dataclass(frozen=True, slots=True)
class Draw:
    """The tokens of one call: ``input`` counts ``cached`` and ``written`` ones too."""

    input: int
    output: int
    cached: int = 0
    written: int = 0


def recognise(instructions: str) -> Profile | None:
    """The step whose phrase is in the instructions of a request, if any."""
    text = instructions.lower()
    return next((profile for profile in PROFILES if profile.phrase in text), None)


def draw(profile: Profile, seed: int, index: int) -> Draw:
    """The tokens of a step's call number ``index`` (from 0): the same for the same arguments."""
    random = Random(f"{seed}/{profile.step}/{index}")
    more_input, more_output = profile.outlier
    if is_outlier(profile, seed, index):
        return Draw(
            input=round(profile.input_tokens * more_input * random.uniform(*_OUTLIER_SPREAD)),
            output=round(profile.output_tokens * more_output * random.uniform(*_OUTLIER_SPREAD)),
        )
    total = _around(profile.input_tokens * _usual(more_input), random)
    reusable = int(total * profile.cached)
    cold = index % _COLD_EVERY == 0
    return Draw(
        input=total,
        output=_around(profile.output_tokens * _usual(more_output), random),
        cached=0 if cold else reusable,
        written=reusable if cold else 0,
    )


def is_outlier(profile: Profile, seed: int, index: int) -> bool:
    """Whether that call is one of the few that cost more than six times what is usual."""
    block, position = divmod(index, OUTLIER_BLOCK)
    chosen = Random(f"{seed}/{profile.step}/block {block}").randrange(10)
    return position == OUTLIER_BLOCK - 10 + chosen


def _usual(more: float) -> float:
    """The share of the mean that leaves it the mean of a block, its outlier included."""
    outlier = more * sum(_OUTLIER_SPREAD) / 2
    return (OUTLIER_BLOCK - outlier) / (OUTLIER_BLOCK - 1)


def _around(mean: float, random: Random) -> int:
    # Log-normal with this mean: the logarithm's own mean lies half a variance below.
    if mean == 0:
        return 0
    return max(1, round(random.lognormvariate(math.log(mean) - _SPREAD**2 / 2, _SPREAD)))
