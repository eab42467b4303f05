"""Names: which provider and model of the pack a name means, and how sure that is.

Nothing is priced as a mere prefix of something else. A name is a model's if the pack lists it
(``exact``), if a named rule derives it (``rule``: an anchored pattern, a dated snapshot, a
fine-tune of a base, what a cloud puts around a name), or if one of the pack's loose clauses matches
and what is left over is a namespace before or a snapshot or release stage after (``loose``, always
reported as such). So is an alias that moves (``…-latest``), which the pack prices as what it was
when the pack was made. Everything else has no price: ``gemini-3.8-flash-ultra`` is not
``gemini-3.8-flash``, and ``claude-opus-4-10`` is not ``claude-opus-4-1``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import cache
from typing import Final, NamedTuple

from farthing_processor.pricing.pack import Clause, Model, Pack, Provider

EXACT: Final = "exact"
RULE: Final = "rule"
LOOSE: Final = "loose"

MAX_NAME = 256
"""Model names come from callers: a longer one is no model, and no pattern sees it."""

PROVIDERS: Mapping[str, str] = {
    "azure.ai.openai": "azure",
    "azure.ai.inference": "azure",
    "aws.bedrock": "aws",
    "gcp.gemini": "google",
    "gcp.vertex_ai": "google",
    "gcp.gen_ai": "google",
    "mistral_ai": "mistral",
    "x_ai": "x-ai",
    "moonshot_ai": "moonshotai",
}
"""``gen_ai.provider.name`` to the pack's id, where they differ. A name that is neither here nor in
the pack (``_OTHER``, ``ibm.watsonx.ai``, a gateway's) has no prices: providers are never guessed,
for the same model costs differently elsewhere."""

ALIASES: Mapping[tuple[str, str], str] = {
    # https://platform.openai.com/docs/guides/moderation: both are free, and the pack's clause for
    # them is a bare "moderation".
    ("openai", "omni-moderation"): "moderation",
    ("openai", "text-moderation"): "moderation",
    # The pack's own description of claude-2: "This includes Claude 2.0 and Claude 2.1."
    ("anthropic", "claude-2.0"): "claude-2",
    ("anthropic", "claude-2.1"): "claude-2",
}
"""(the pack's provider, name without snapshot or stage) to the name to price it by."""

# A date, a dated or numbered build, Bedrock's version and context size: the same model.
_SNAPSHOT = (
    r"[-@]\d{4}-\d{2}-\d{2}|[-@]\d{8}|[-@]\d{2}-\d{2}|[-@]\d{3,4}|-v\d{1,2}(?::\d{1,2})?|:\d+k"
)
# A stage of release: usually the same price, not always.
_STAGE = r"[-@:](?:latest|default|preview|experimental|exp|eap|beta)"
_SNAPSHOTS = rf"(?:{_SNAPSHOT}){{0,3}}"
_SUFFIXES = rf"(?:{_SNAPSHOT}|{_STAGE}){{0,4}}"
_TAIL = rf"(?:{_SNAPSHOT}|{_STAGE}){{1,4}}$"
_MOVING = "-latest"
# Only a whole date is a snapshot of any model: `-2512` is a version of its own at Mistral.
_DATE = r"[-@](?:\d{4}-\d{2}-\d{2}|20\d{6})$"
_COMPACT_DATE = r"-(20\d{2})(\d{2})(\d{2})(?=-|:|$)"
# `models/`, `publishers/anthropic/models/`, an ARN, `us.`
_NAMESPACE = r"[a-z0-9:._@/-]*[/.]"


class Wrapping(NamedTuple):
    """What a provider puts around the name of a model."""

    provider: str
    """The pack's id."""
    pattern: str
    """What a whole name must match; its group is the name that is inside."""
    how: str
    """How sure that name is."""
    problem: str = ""
    """What is not known of its price; empty when it is that of the name inside."""
    free: bool = False
    """Whether it costs nothing, whatever the name inside does."""


WRAPPINGS: Final = (
    # ft:base:organisation:suffix:id has a price of its own, by its base.
    Wrapping("openai", r"(ft:[^:]+):.+", RULE),
    # Of Bedrock's ARNs, those of models and of profiles that AWS defines end in the model's id;
    # those of profiles and throughput that a customer defines, and of routers, do not.
    Wrapping(
        "aws",
        r"arn:aws[a-z-]*:bedrock:[a-z0-9-]*:\d*:(?:foundation-model|inference-profile)/(.+)",
        RULE,
    ),
    # A profile that stays in a region costs what the model in one region does; `global.` does not.
    Wrapping("aws", r"(?:us|us-gov|eu|apac|jp|au|in|ca)\.(.+)", RULE),
    # https://docs.cloud.google.com/vertex-ai/generative-ai/docs: the paths of publishers' models.
    Wrapping(
        "google",
        r"(?:projects/[^/]+/locations/[^/]+/)?publishers/[^/]+/models/([^/]+)",
        RULE,
    ),
    Wrapping("google", r"models/([^/]+)", RULE),
    # What follows is a version: a date, a number, `default`.
    Wrapping("google", r"([^/@]+)@(?:\d{3,8}|default)", RULE),
    # https://openrouter.ai/docs/faq, "model variants": the first ones choose among the hosts of a
    # model, whose prices differ; the next adds a search to what the model costs.
    Wrapping("openrouter", r"(.+):(?:nitro|floor|exacto)", LOOSE),
    Wrapping("openrouter", r"(.+):online", LOOSE, "no rate for the searches of :online"),
    Wrapping("openrouter", r"(.+):free", RULE, free=True),
)


class Match(NamedTuple):
    """A model and how its name was recognised: `EXACT`, `RULE` or `LOOSE`."""

    model: Model
    how: str
    problem: str = ""
    """What its price does not cover; empty when it covers all."""


def resolve(pack: Pack, provider: Provider, name: str) -> Match | None:
    """The model that ``name`` means at ``provider``; None when no rule says.

    The provider's own models come first, then those of the providers it resells.
    """
    if len(name) > MAX_NAME:
        return None
    return _unwrapped(pack, provider, name.lower(), WRAPPINGS)


def _unwrapped(
    pack: Pack, provider: Provider, name: str, wrappings: tuple[Wrapping, ...]
) -> Match | None:
    """The surest of what ``name`` means as it is and without each of ``wrappings``, in order."""
    match = _listed(pack, provider, name)
    if match and match.how != LOOSE:
        return match
    for position, wrapping in enumerate(wrappings):
        if wrapping.provider not in (provider.id, *provider.fallback):
            continue
        found = _compiled(wrapping.pattern).fullmatch(name)
        inner = found and _unwrapped(pack, provider, found[1], wrappings[position + 1 :])
        if inner:
            how = LOOSE if LOOSE in (inner.how, wrapping.how) else wrapping.how
            if match is None or how != LOOSE:
                model = inner.model
                if wrapping.free:
                    model = model._replace(prices=((None, {}),), variants=(), free=True)
                return Match(model, how, inner.problem or wrapping.problem)
    return match


def _listed(pack: Pack, provider: Provider, name: str) -> Match | None:
    for candidate in (provider, *map(pack.provider, provider.fallback)):
        match = candidate and _resolve(candidate, name)
        if match:
            return match
    return None


def undated(name: str) -> str:
    """``name`` without the date of a snapshot: ``gpt-4o`` for ``gpt-4o-2024-08-06``."""
    return _compiled(_DATE).sub("", name)


def _resolve(provider: Provider, name: str) -> Match | None:
    known = provider.by_name
    if model := known.get(name):
        moves = name.endswith(_MOVING) and name != model.id.lower()
        return Match(model, LOOSE if moves else EXACT)
    dashed = _compiled(_COMPACT_DATE).sub(r"-\1-\2-\3", name)
    if dashed != name and (model := known.get(dashed)):
        return Match(model, RULE)
    loose: Match | None = None
    for model in provider.by_clause:
        if how := _recognise(model.clauses, name):
            if how != LOOSE:
                return Match(model, how)
            loose = loose or Match(model, how)
    if loose:
        return loose
    if model := known.get(undated(name)):
        return Match(model, RULE)
    alias = ALIASES.get((provider.id, _compiled(_TAIL).sub("", name)))
    model = alias and known.get(alias)
    return Match(model, RULE) if model else None


def _recognise(clauses: tuple[Clause, ...], name: str) -> str:
    """The surest way in which any of ``clauses`` recognises ``name``; empty when none does."""
    ways = {_clause(clause, name) for clause in clauses}
    return next((how for how in (EXACT, RULE, LOOSE) if how in ways), "")


def _clause(clause: Clause, name: str) -> str:
    [(kind, text)] = clause.items()
    if kind == "and":
        if not all(_span(part, name) for part in text):
            return ""
        return _recognise(tuple(text), name)
    span = _span(clause, name)
    return _certainty(name, *span, kind == "regex") if span else ""


def _certainty(name: str, start: int, end: int, is_pattern: bool) -> str:
    """How sure a clause is that matched ``name[start:end]``, by what it leaves over."""
    if start == 0 and end == len(name):
        return RULE if is_pattern else EXACT
    # A clause may end on a separator or inside a number: judge from where that token begins.
    if name[end:][:1].isdigit():
        while end > start and name[end - 1].isdigit():
            end -= 1
    if end > start and name[end - 1] in "-@:" and end < len(name):
        end -= 1
    before, after = name[:start], name[end:]
    if not before and _compiled(_SNAPSHOTS).fullmatch(after):
        return RULE
    if before and not _compiled(_NAMESPACE).fullmatch(before):
        return ""
    return LOOSE if _compiled(_SUFFIXES).fullmatch(after) else ""


def _span(clause: Clause, name: str) -> tuple[int, int] | None:
    """Where ``clause`` matches ``name``."""
    [(kind, text)] = clause.items()
    return _SPANS[kind](text, name)


def _starts(text: str, name: str) -> tuple[int, int] | None:
    return (0, len(text)) if name.startswith(text) else None


def _ends(text: str, name: str) -> tuple[int, int] | None:
    return (len(name) - len(text), len(name)) if name.endswith(text) else None


def _contains(text: str, name: str) -> tuple[int, int] | None:
    start = name.find(text)
    return (start, start + len(text)) if start >= 0 else None


def _searches(text: str, name: str) -> tuple[int, int] | None:
    # Compiling a pattern costs a hundred times what looking at its beginning does.
    if not name.startswith(_beginning(text)):
        return None
    found = _compiled(text).search(name)
    return found.span() if found else None


_ANCHORED = r"\^((?:[\w/-]|\\\.)*)(?![*?+{])"


@cache
def _beginning(pattern: str) -> str:
    """What every name begins with that ``pattern`` finds; empty where that is not plain."""
    anchored = None if "|" in pattern else _compiled(_ANCHORED).match(pattern)
    return anchored[1].replace("\\.", ".") if anchored else ""


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    # When first needed: compiling those above takes a tenth of what importing all of this may.
    return re.compile(pattern)


_SPANS: Mapping[str, Callable[[str, str], tuple[int, int] | None]] = {
    "starts_with": _starts,
    "ends_with": _ends,
    "contains": _contains,
    "regex": _searches,
}
