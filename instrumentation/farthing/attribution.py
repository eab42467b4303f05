"""Who pays: `workflow`, `step` and `tag`, each for a block or for a function; and `outcome`.

Wrong input is said once, in one sentence, and left out. Nothing here raises into the application.
"""

from __future__ import annotations

import atexit
import functools
import inspect
import uuid
from collections.abc import Callable
from typing import Any, Final, TypeVar, cast, overload

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import SpanKind

from farthing.scopes import Scope, Stay, complain, listening, said_once
from farthing.telemetry import log
from farthing_processor import attribution, runs, workflows
from farthing_processor import semconv as names
from farthing_processor.attribution import TAG_KEY, TAGS, Attribution
from farthing_processor.recording import before_collection
from farthing_processor.runs import Run

_F = TypeVar("_F", bound=Callable[..., Any])


class Workflow(Scope):
    """A `Scope` that is one unit of work: each block or call of it is a `Run` of its own."""

    __slots__ = ("_id", "_name", "_open")

    def __init__(self, name: str, id: str | None) -> None:
        super().__init__(self._opened)
        self._name = name
        self._id = id
        self._open: list[Stay] = []
        """The blocks that it was entered for and that have not ended."""

    def __enter__(self) -> Run:
        stay = self._enter()
        self._open.append(stay)
        return stay.run or Run(self._name, self._id or "")

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        stay = self._leave()
        if stay is None and self._open:
            stay = self._open[-1]  # begun in another context, and rarely one of several
        if stay in self._open:
            self._open.remove(stay)
            stay.__exit__(_kind, error, _trace)

    def _opened(self, who: Attribution) -> Attribution:
        run = Run(self._name, self._id or uuid.uuid4().hex)
        return who._replace(workflow=run.name, workflow_id=run.id, run=run)

    def _within(self, stay: Stay, who: Attribution) -> Context:
        stay.run = run = cast(Run, who.run)
        if (telemetry := listening()) is not None:
            _settle_at_exit()
            workflows.open_rollup(run, telemetry.recorder)
            try:
                run.span = telemetry.tracer.start_span(
                    f"{names.INVOKE_WORKFLOW} {run.name}",
                    stay.outside,
                    SpanKind.INTERNAL,
                    {names.OPERATION_NAME: names.INVOKE_WORKFLOW, **who.attributes()},
                    start_time=run.start_ns,
                )
            except Exception:  # someone's span processor broke on it: the calls still count
                log.debug("A span was not started", exc_info=True)
        runs.begin(run)
        within = super()._within(stay, who)
        recorded = run.span is not trace.INVALID_SPAN
        return trace.set_span_in_context(run.span, within) if recorded else within


def workflow(name: str, id: str | None = None) -> Workflow:
    """One unit of work that someone wanted done, and that has an outcome.

    ``with farthing.workflow("report") as run:`` or ``@farthing.workflow("report")``. It has a root
    span ``invoke_workflow {name}``, and ``run.id`` is ``id``, else a new one each time. Ended by an
    exception it has failed; cancelled, or stopped by the keyboard, it is ``cancelled``; else it is
    a success, also where a generator was not read to its end. `outcome` says otherwise. A workflow
    within another is one of its own: its calls are its, and the outer one learns nothing of them.
    """
    said = _said("workflow", "the name of a workflow", name)
    given = None if id is None else _said("workflow id", "the id of a workflow", id)
    return Workflow(said or _UNNAMED, given)


_UNNAMED: Final = "unknown"
"""The name of a workflow whose own cannot be used: it is a unit of work all the same."""


@overload
def step(name: str) -> Scope: ...
@overload
def step(name: _F) -> _F: ...
def step(name: Any) -> Any:
    """The named place in the application that pays for the calls made in it.

    ``with farthing.step("plan"):`` or ``@farthing.step("plan")``; ``@farthing.step`` alone takes
    the function's own name. Steps nest: the innermost pays, and ``farthing.step.path`` has up to 16
    of them in 256 characters, outermost first. A step makes no span.
    """
    if inspect.isroutine(name):
        return step(name.__name__)(name)
    said = _said("step", "the name of a step", name)
    return Scope(None if said is None else lambda who: who.in_step(said))


def tag(
    *,
    agent: object = None,
    feature: object = None,
    user: object = None,
    session: object = None,
    task: object = None,
    task_type: object = None,
    **own: object,
) -> Scope:
    """What else calls are to be told apart by, as ``with farthing.tag(user="u-1", team="blue"):``.

    Each value is made text, one line of up to 256 characters; None says nothing. An inner tag wins
    over an outer one of the same name. ``own`` are up to 16 tags of your own, named with up to 64
    of ``a-z 0-9 _ . -``. Agent and feature are labels of metrics, the others are on spans only. Not
    user, session nor own tags go on to other processes unless ``FARTHING_PROPAGATE`` names them.
    """
    fields = _texts(
        {
            "agent": agent,
            "feature": feature,
            "user": user,
            "session": session,
            "task": task,
            "task_type": task_type,
        }
    )
    named: dict[str, object] = {}
    for key, value in own.items():
        if TAG_KEY.fullmatch(key):
            named[key] = value
        else:
            complain(
                "tag key",
                "farthing.tag() ignores %r: name a tag with up to 64 of a-z, 0-9, _, . and -.",
                key[: attribution.LENGTH],
            )
    tags = _texts(named)
    if not fields and not tags:
        return Scope(None)

    def change(who: Attribution) -> Attribution:
        if len(who.tags.keys() | tags.keys()) > TAGS:
            complain("tags", "farthing.tag() keeps the newest %d tags of a call: use fewer.", TAGS)
        return who.tagged(fields, tags)

    return Scope(change)


def outcome(value: str, reason: str | None = None) -> None:
    """Say what the innermost running workflow of this process came to; the last word counts.

    ``value`` is ``success``, ``failed`` or a word of your own; ``reason`` one line on why. Outside
    a workflow it does nothing.
    """
    run = attribution.current().run
    if run is None or run.ended:
        if "outcome outside" not in said_once:
            said_once.add("outcome outside")
            log.debug("farthing.outcome() was called outside a workflow, and does nothing there")
        return
    said = _said("outcome", "an outcome", value)
    if said is not None:
        why = None if reason is None else _said("reason", "the reason of an outcome", reason)
        run.outcome, run.reason = said, why


def _texts(given: dict[str, object]) -> dict[str, str]:
    texts = {
        name: _said(f"tag {name}", f"the tag {name}", value)
        for name, value in given.items()
        if value is not None
    }
    return {name: said for name, said in texts.items() if said is not None}


def _said(which: str, what: str, value: object) -> str | None:
    """``value`` as text; None, and a complaint, where it is none."""
    said = attribution.text(value)
    if said is None:
        complain(
            which,
            "farthing ignores what it was given as %s (%s): give a text that is not empty.",
            what,
            type(value).__name__,
        )
    return said


before_collection(runs.settle)


@functools.cache
def _settle_at_exit() -> None:
    """Before the SDK shuts down: what registers last runs first."""
    atexit.register(runs.close)
