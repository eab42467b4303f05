"""What holds for every dialect, whatever a span says: reading it raises nothing, and its counts are
counts that fit."""

from __future__ import annotations

import ast
import inspect
import json
import sys
from decimal import Decimal
from types import MappingProxyType, NoneType
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from farthing_processor.assessment import assess
from farthing_processor.dialects import DIALECTS, Dialect, Seen, choose, read
from farthing_processor.dialects.reading import _COUNTS
from farthing_processor.usage import COUNTS, Usage, fitted

PACKAGE = "farthing_processor.dialects"
GATEWAYS = frozenset({"gateway.internal"})


def words() -> list[str]:
    """Every name and value that a dialect may look for: the strings in their sources."""
    found = {name for dialect in DIALECTS for names in dialect.names.values() for name in names}
    for name, module in list(sys.modules.items()):
        if name.startswith(PACKAGE):
            for node in ast.walk(ast.parse(inspect.getsource(module))):
                if isinstance(node, ast.Constant) and isinstance(node.value, str):
                    found.add(node.value)
    return sorted(word for word in found if len(word) < 100)


WORDS = words()
NAMES = [word for word in WORDS if "." in word or "_" in word]
SCOPES = sorted({scope.rstrip("*") for dialect in DIALECTS for scope in dialect.scopes} | {"own"})

counts = st.one_of(
    st.integers(0, 5000),
    st.sampled_from([-1, 10**12, 10**12 + 1, 2**63, -(2**70), True, False, 0.5, 7.0, "12", "many"]),
    st.floats(),
)
leaves = st.one_of(
    counts, st.none(), st.text(max_size=5), st.binary(max_size=3), st.sampled_from(WORDS)
)
nested = st.recursive(
    leaves,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(WORDS), inner, max_size=4)
    ),
    max_leaves=12,
)
objects = st.dictionaries(st.sampled_from(WORDS), counts, max_size=6)
values = st.one_of(
    counts,
    leaves,
    nested,
    st.tuples(leaves, leaves),
    st.builds(json.dumps, objects),
    st.builds(str, objects),
)


@st.composite
def spans(draw: Any) -> tuple[Dialect, str, dict[str, Any]]:
    """A dialect, a scope, and attributes with some that the dialect is looking for."""
    dialect = draw(st.sampled_from(DIALECTS))
    tokens = sorted({name for field in _COUNTS for name in dialect.names.get(field, ())})
    texts = sorted({name for names in dialect.names.values() for name in names} - set(tokens))
    told = {
        **draw(
            st.dictionaries(st.sampled_from(texts), st.sampled_from(WORDS) | counts, max_size=6)
        ),
        **draw(st.dictionaries(st.sampled_from(tokens), st.integers(0, 60) | counts, max_size=8)),
    }
    more = draw(st.dictionaries(st.sampled_from(NAMES), values, max_size=6))
    operation = draw(st.sampled_from(["chat", "embeddings", None]))
    marks = {"gen_ai.operation.name": operation} if operation else {}
    if draw(st.booleans()):
        marks |= {"openinference.span.kind": "LLM", "gen_ai.response.id": "one"}
    return dialect, draw(st.sampled_from(SCOPES)), {**marks, **told, **more}


@settings(max_examples=600, deadline=None)
@given(spans(), st.sampled_from(["", "1.3b0", "0.33.4", "not.a.version", "9" * 300]), st.booleans())
def test_reading_is_total_and_what_it_returns_fits(
    span: tuple[Dialect, str, dict[str, Any]], version: str, failed: bool
) -> None:
    dialect, scope, attributes = span
    given_as = Seen(MappingProxyType(attributes), scope, version, 10**18, 10**18 + 5, failed)
    choose(scope, attributes)
    reading = read(dialect, given_as, GATEWAYS)
    if reading is None:
        return
    facts, usage = reading.facts, reading.facts.usage
    assert facts.operation
    assert facts.provider
    who = reading.who
    for text in (
        *(facts.request_model, facts.response_model, facts.response_id, facts.error_type),
        *(who.workflow, who.step, who.agent, who.user, who.session),
    ):
        assert text is None or (isinstance(text, str) and text)
    assert reading.reported is None or (
        type(reading.reported) is Decimal and reading.reported.is_finite() and reading.reported > 0
    )
    for part in (usage, *(more for _, more in (usage or Usage()).also)):
        # Each is a count; a sum of them may be too large, which the price finds out.
        assert part is None or fitted(part) is part, "a part exceeds its whole"
        assert part is None or all(type(count) in (int, NoneType) for count in part[: len(COUNTS)])
    assessment = assess(facts, reading.who)
    assert assessment.cost is None or assessment.cost >= 0
    assert not failed or facts.error_type
