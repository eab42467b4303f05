"""Frameworks: whose step, agent, tool or workflow a call is, told by what runs it.

Model calls get no span here: the client that makes them is instrumented, and one call is one span.
A model whose client farthing does not know has none at all, nor a cost; who runs it still shows.
"""

from __future__ import annotations

import sys
from importlib.util import find_spec
from typing import Final

from farthing import patching
from farthing.frameworks import langchain, langgraph
from farthing.patching import Patch

FRAMEWORKS: Final[dict[str, tuple[Patch, ...]]] = {
    "langgraph": langgraph.PATCHES,
    "langchain_core": langchain.PATCHES,
}
"""What is patched of each framework, by the package that brings it."""


def missing() -> list[str]:
    """What this version of an imported framework lacks of what is to be patched, as
    ``langgraph.pregel._runner.run_with_retry``: there, steps, agents or tools do not show."""
    applied = patching.applied()
    return [
        f"{patch.module}.{patch.name}"
        for package, patches in FRAMEWORKS.items()
        if package in sys.modules
        for patch in patches
        if (patch.module, patch.name) not in applied and not _yet_to_come(patch.module)
    ]


def _yet_to_come(module: str) -> bool:
    """Whether a module exists that was not imported so far."""
    if module in sys.modules:
        return False
    try:
        return find_spec(module) is not None
    except ImportError:
        return False
