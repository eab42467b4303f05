"""Attribution: who spends, held in OpenTelemetry Context and carried onward in Baggage."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from opentelemetry import baggage, context
from opentelemetry.context import Context

from farthing_processor import semconv as names
from farthing_processor.runs import Run

BAGGAGE_PREFIX: Final = "farthing."
"""Every baggage key of ours begins with this, so that all of them can be kept from a provider."""

PRIVATE_BAGGAGE: Final = frozenset({names.USER_ID, names.SESSION_ID, "enduser.id"})
"""Baggage that says who the user is, whoever set it: no provider may learn that from us."""

UNKNOWN_STEP: Final = "unknown"

LENGTH: Final = 256
"""Characters of a value, at most, whoever gave it; of a step's path too."""
LEVELS: Final = 16
"""Steps that a path names, at most."""
TAGS: Final = 16
"""Own tags of a call, at most."""
TAG_KEY: Final = re.compile(r"[a-z0-9_.-]{1,64}")

_KEY: Final = context.create_key("farthing-attribution")
_NO_TAGS: Final[Mapping[str, str]] = MappingProxyType({})


class Attribution(NamedTuple):
    """Who spends: what the application said, each None where it said nothing. Immutable."""

    workflow: str | None = None
    workflow_id: str | None = None
    step: str | None = None
    step_path: str | None = None
    """The names of all enclosing steps, outermost first, joined by ``/``; the innermost pays."""
    agent: str | None = None
    feature: str | None = None
    user: str | None = None
    session: str | None = None
    task: str | None = None
    task_type: str | None = None
    tags: Mapping[str, str] = _NO_TAGS
    run: Run | None = None
    """The run of the workflow, in the process that opened it; None in every other."""

    def attributes(self) -> dict[str, str]:
        """The span attributes that say it, without those nobody named."""
        named: tuple[str | None, ...] = self[:-2]
        attributes = {
            name: value for name, value in zip(_ATTRIBUTES, named, strict=True) if value is not None
        }
        for key, value in self.tags.items():
            attributes[names.TAG_PREFIX + key] = value
        return attributes

    def in_step(self, name: str) -> Attribution:
        """The same, in the step ``name`` of the present one.

        A step within itself is not another level. Where the path would be longer than `LEVELS` or
        `LENGTH`, the last levels before the innermost are left out of it.
        """
        if name == self.step:
            return self
        outer = self.step_path or self.step
        path = name if outer is None else f"{outer}/{name}"
        if path.count("/") >= LEVELS or len(path) > LENGTH:
            path = _shortened(outer or "", name)
        return self._replace(step=name, step_path=path)

    def tagged(self, fields: Mapping[str, str], tags: Mapping[str, str]) -> Attribution:
        """The same with ``fields`` by their names here, and with ``tags``, the newest `TAGS`."""
        if tags:
            older = [(key, value) for key, value in self.tags.items() if key not in tags]
            newest = dict([*older, *tags.items()][-TAGS:])
            return self._replace(**fields, tags=MappingProxyType(newest))
        return self._replace(**fields)


def _shortened(outer: str, name: str) -> str:
    levels = outer.split("/")[: max(LEVELS - 1 - name.count("/"), 0)]
    while levels and sum(map(len, levels)) + len(levels) + len(name) > LENGTH:
        levels.pop()
    return "/".join([*levels, name])


_ATTRIBUTES: Final = (
    names.WORKFLOW_NAME,
    names.WORKFLOW_ID,
    names.STEP_NAME,
    names.STEP_PATH,
    names.AGENT_NAME,
    names.FEATURE,
    names.USER_ID,
    names.SESSION_ID,
    names.TASK_ID,
    names.TASK_TYPE,
)
NOBODY: Final = Attribution()


def set_in_context(
    who: Attribution, within: Context | None = None, propagate: Collection[str] | None = None
) -> Context:
    """A context in which ``who`` spends, made from ``within`` or the current one.

    With ``propagate``, the setting of that name, its baggage says so too, to whom it is sent;
    without, the baggage stays as it is.
    """
    within = context.get_current() if within is None else within
    if propagate is not None:
        within = _with_baggage(who, within, propagate)
    return context.set_value(_KEY, who, within)


def current(within: Context | None = None) -> Attribution:
    """Who spends in a context, the current one by default, as far as anyone said.

    Where nobody in this process did, what came in the baggage of whoever called it. That is text
    from outside and nothing else: capped, and never looked up, run or opened.
    """
    within = context.get_current() if within is None else within
    who = within.get(_KEY)
    if isinstance(who, Attribution):
        return who
    carried = baggage.get_all(within)
    return _told(carried) if carried else NOBODY


def text(value: object) -> str | None:
    """``value`` as the text of a name or tag: one line of up to `LENGTH` characters.

    What has no words of its own (a container, an object that shows only its address, bytes), what
    is empty and what fails to say itself is None.
    """
    if type(value) is str and len(value) <= LENGTH and value.isprintable():
        return value.strip() or None
    if not isinstance(value, str):
        said = type(value).__str__ is not object.__str__ or isinstance(value, int | float)
        if value is None or isinstance(value, bytes | bytearray) or not said:
            return None
        try:
            value = str(value)
        except Exception:
            return None
    # Whatever a subclass says of itself: its characters, and not a megabyte of them.
    line = str.__getitem__(value, slice(2 * LENGTH))
    if not line.isprintable():
        line = _UNPRINTABLE.sub("", line)
    return line.strip()[:LENGTH].rstrip() or None


_UNPRINTABLE: Final = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
"""Control characters, line breaks among them, and halves of characters, which no exporter can
encode."""

_CARRIED: Final[dict[str, str]] = {
    BAGGAGE_PREFIX + name.removeprefix(BAGGAGE_PREFIX).removeprefix("gen_ai."): field
    for name, field in zip(_ATTRIBUTES, Attribution._fields, strict=False)
}
"""The field of `Attribution` by the baggage key that carries it, as ``farthing.agent.name``."""
_PERSONAL: Final = {key: field for key, field in _CARRIED.items() if field in ("user", "session")}
"""What is carried only where `propagate` names the field."""


def _with_baggage(who: Attribution, within: Context, propagate: Collection[str]) -> Context:
    """``within`` with the baggage that says ``who``, and nothing that an outer scope said."""
    there = baggage.get_all(within)
    carried: dict[str, str | None] = dict(zip(_CARRIED, who[:-2], strict=True))
    for key, field in _PERSONAL.items():
        if field not in propagate:
            carried[key] = None
    for key in there:
        if key.startswith(names.TAG_PREFIX):
            carried[key] = None
    for key, value in who.tags.items():
        if "tags" in propagate or key in propagate:
            carried[names.TAG_PREFIX + key] = value
    for key, value in carried.items():
        if value is None:
            if key in there:
                within = baggage.remove_baggage(key, within)
        elif there.get(key) != value:
            within = baggage.set_baggage(key, value, within)
    return within


def _told(carried: Mapping[str, object]) -> Attribution:
    """Who spends by the baggage of a caller."""
    entries = tuple(carried.items())
    try:
        return _read(entries)
    except TypeError:  # a value that the application put there itself, and that has no hash
        return _read.__wrapped__(entries)


@lru_cache(maxsize=128)
def _read(entries: tuple[tuple[str, object], ...]) -> Attribution:
    fields: dict[str, Any] = {}
    tags: dict[str, str] = {}
    for key, value in entries:
        if not key.startswith(BAGGAGE_PREFIX) or (said := text(value)) is None:
            continue
        if (field := _CARRIED.get(key)) is not None:
            fields[field] = said
        elif key.startswith(names.TAG_PREFIX) and len(tags) < TAGS:
            own = key.removeprefix(names.TAG_PREFIX)
            if TAG_KEY.fullmatch(own):
                tags[own] = said
    if tags:
        fields["tags"] = MappingProxyType(tags)
    return Attribution(**fields) if fields else NOBODY


def without_baggage(within: Context) -> Context:
    """``within`` less the baggage that no provider may see; the same object if it has none.

    Clients and HTTP instrumentations write the baggage of the current context into the headers of
    the requests they send.
    """
    there = baggage.get_all(within)
    kept = {
        key: value
        for key, value in there.items()
        if not key.startswith(BAGGAGE_PREFIX) and key not in PRIVATE_BAGGAGE
    }
    if len(kept) == len(there):
        return within
    within = baggage.clear(within)
    for key, value in kept.items():
        within = baggage.set_baggage(key, value, within)
    return within
