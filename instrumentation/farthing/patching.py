"""Patching client libraries when they are imported, and undoing it.

Nothing is imported for the application: a library that it never imports is never touched.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any, Final, NamedTuple, cast

import wrapt

from farthing.telemetry import log

Wrapper = Callable[[Any, Any, tuple[Any, ...], dict[str, Any]], Any]
"""wrapt's: (wrapped, instance, args, kwargs) → result."""


class Patch(NamedTuple):
    """One function to wrap, once its module is imported."""

    module: str
    name: str
    """``Class.method`` or ``function``."""
    wrapper: Wrapper
    when: Callable[[ModuleType], bool] = lambda _module: True
    """Whether this version of the module is one that we know how to wrap."""
    optional: bool = False
    """Whether versions without it lack nothing."""


_applied: Final[dict[tuple[str, str], Any]] = {}
_hooked: Final[set[tuple[str, str]]] = set()
_warned: Final[set[tuple[str, str]]] = set()
_state = {"on": False}


def apply(patches: tuple[Patch, ...]) -> None:
    """Wrap everything in ``patches``: now where the module is imported, else when it will be."""
    _state["on"] = True
    for patch in patches:
        key = patch.module, patch.name
        if key in _hooked:
            if (module := sys.modules.get(patch.module)) is not None:
                _wrap(patch, module)
            continue
        # A hook cannot be taken back, so it is set once and asks whether we are still on.
        _hooked.add(key)
        wrapt.register_post_import_hook(_hook(patch), patch.module)


def undo() -> None:
    """Put back every function that still is ours."""
    _state["on"] = False
    for key, (owner, name, original, ours) in tuple(_applied.items()):
        # Someone may have wrapped our wrapper since: theirs stays, and ours below it, which passes
        # calls through and must not be put on a second time.
        if _attribute(owner, name) is ours:
            setattr(owner, name, original)
            del _applied[key]


def applied() -> set[tuple[str, str]]:
    """The (module, name) of everything that is wrapped now."""
    return set(_applied)


def _hook(patch: Patch) -> Callable[[ModuleType], None]:
    def imported(module: ModuleType) -> None:
        if _state["on"]:
            _wrap(patch, module)

    return imported


def _wrap(patch: Patch, module: ModuleType) -> None:
    key = patch.module, patch.name
    if key in _applied:
        return
    try:
        if not patch.when(module):
            return
        owner, name, original = wrapt.resolve_path(module, patch.name)
        wrapt.wrap_function_wrapper(module, patch.name, patch.wrapper)
        _applied[key] = owner, name, original, _attribute(owner, name)
    except Exception:
        if patch.optional or key in _warned:
            return
        _warned.add(key)
        log.warning(
            "farthing does not know this version of %s (%s.%s is not there), so not all of it is "
            "recorded. Upgrade farthing, or the library.",
            patch.module.partition(".")[0],
            patch.module,
            patch.name,
        )


def _attribute(owner: Any, name: str) -> Any:
    """What is there, unbound: asking a class for a method would bind it."""
    return cast(dict[str, Any], vars(owner)).get(name)
