"""Names: which provider and model of the pack a name means, and how sure that is.

Nothing is priced as a mere prefix of something else. A name is a model's if the pack lists it
(``exact``), if a named rule derives it (``rule``: an anchored pattern, a dated snapshot, a
fine-tune of a base), or if one of the pack's loose clauses matches and what is left over is a
namespace before or a snapshot or release stage after (``loose``, always reported as such).
Everything else has no price: ``gemini-3.8-flash-ultra`` is not ``gemini-3.8-flash``, and
``claude-opus-4-10`` is not ``claude-opus-4-1``.
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
_SNAPSHOTS = re.compile(rf"(?:{_SNAPSHOT}){{0,3}}")
_SUFFIXES = re.compile(rf"(?:{_SNAPSHOT}|{_STAGE}){{0,4}}")
_TAIL = re.compile(rf"(?:{_SNAPSHOT}|{_STAGE}){{1,4}}$")
# Only a whole date is a snapshot of any model: `-2512` is a version of its own at Mistral.
_DATE = re.compile(r"[-@](?:\d{4}-\d{2}-\d{2}|20\d{6})$")
_COMPACT_DATE = re.compile(r"-(20\d{2})(\d{2})(\d{2})(?=-|:|$)")
# `models/`, `publishers/anthropic/models/`, an ARN, `us.`
_NAMESPACE = re.compile(r"[a-z0-9:._@/-]*[/.]")

# Of Bedrock's ARNs, those of models and of profiles that AWS defines end in the model's id; those
# of profiles and throughput that a customer defines, and of routers, do not.
_ARN = re.compile(
    r"arn:aws[a-z-]*:bedrock:[a-z0-9-]*:\d*:(?:foundation-model|inference-profile)/(.+)"
)


class Match(NamedTuple):
    """A model and how its name was recognised: `EXACT`, `RULE` or `LOOSE`."""

    model: Model
    how: str


def resolve(pack: Pack, provider: Provider, name: str) -> Match | None:
    """The model that ``name`` means at ``provider``; None when no rule says.

    The provider's own models come first, then those of the providers it resells.
    """
    if len(name) > MAX_NAME:
        return None
    name = name.lower()
    how = EXACT
    if arn := _ARN.fullmatch(name):
        how = RULE
        name = arn[1]
    if name.startswith("ft:"):
        # ft:base:organisation:suffix:id has a price of its own, by its base.
        base = ":".join(name.split(":")[:2])
        how = how if base == name else RULE
        name = base
    for candidate in (provider, *map(pack.provider, provider.fallback)):
        match = candidate and _resolve(candidate, name)
        if match:
            return match if match.how != EXACT else Match(match.model, how)
    return None


def _resolve(provider: Provider, name: str) -> Match | None:
    known = provider.by_name
    if model := known.get(name):
        return Match(model, EXACT)
    dashed = _COMPACT_DATE.sub(r"-\1-\2-\3", name)
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
    if model := known.get(_DATE.sub("", name)):
        return Match(model, RULE)
    alias = ALIASES.get((provider.id, _TAIL.sub("", name)))
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
    if not before and _SNAPSHOTS.fullmatch(after):
        return RULE
    if (not before or _NAMESPACE.fullmatch(before)) and _SUFFIXES.fullmatch(after):
        return LOOSE
    return ""


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
    found = _compiled(text).search(name)
    return found.span() if found else None


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern)


_SPANS: Mapping[str, Callable[[str, str], tuple[int, int] | None]] = {
    "starts_with": _starts,
    "ends_with": _ends,
    "contains": _contains,
    "regex": _searches,
}
