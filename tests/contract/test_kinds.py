"""What a method is, before and after: nothing that looks at a client can tell that we are there."""

from __future__ import annotations

import importlib
import inspect
import operator
from typing import Any

import httpx2
import pytest

import farthing
from farthing import patching
from tests.contract.libraries import LIBRARIES
from tests.contract.table import MAKERS, Library, Method

ROWS = [
    pytest.param(library, method, kind, id=f"{library.name}.{method.id}-{kind}")
    for library in LIBRARIES
    for method in library.methods
    for kind in MAKERS
]


def kind_of(function: Any) -> dict[str, Any]:
    return {
        "type": function.__class__,
        "function": inspect.isfunction(function),
        "method": inspect.ismethod(function),
        "coroutine": inspect.iscoroutinefunction(function),
        "generator": inspect.isgeneratorfunction(function),
        "asyncgen": inspect.isasyncgenfunction(function),
        "signature": inspect.signature(function),
        "name": function.__name__,
        "qualname": function.__qualname__,
        "module": function.__module__,
        "doc": function.__doc__,
        "source": inspect.getsource(function),
    }


def methods_of(library: Library, method: Method, kind: str) -> list[dict[str, Any]]:
    """The method and its raw forms, of a client just made."""
    http_client = (httpx2.AsyncClient if kind == "async" else httpx2.Client)(verify=False)
    maker = library.clients[method.client][MAKERS[kind]]
    client = maker("http://127.0.0.1:9", http_client, None)
    resource, _, name = method.name.rpartition(".")
    owner = operator.attrgetter(resource)(client)
    forms = [getattr(owner, f"with_{form}_response") for form in method.forms]
    return [kind_of(getattr(holder, name)) for holder in (owner, *forms)]


@pytest.mark.parametrize(("library", "method", "kind"), ROWS)
def test_public_methods(library: Library, method: Method, kind: str) -> None:
    farthing.uninstrument()
    bare = methods_of(library, method, kind)
    farthing.instrument()
    try:
        assert methods_of(library, method, kind) == bare
    finally:
        farthing.uninstrument()


def test_every_function_that_we_wrap() -> None:
    farthing.instrument()
    names = sorted(patching.applied())
    libraries = {module.partition(".")[0] for module, _ in names}
    assert {library.name for library in LIBRARIES} <= libraries
    # Unbound, as the class holds it; `type` aside, which is wrapt's own below `__class__`.
    wrapped = {name: kind_of(_function(*name)) for name in names}
    farthing.uninstrument()
    assert wrapped == {name: kind_of(_function(*name)) for name in names}
    assert not patching.applied()


def _function(module: str, name: str) -> Any:
    return operator.attrgetter(name)(importlib.import_module(module))
