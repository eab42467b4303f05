"""Every known way to fail has a test that is there, or a reason why not."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.contract.endings import endings_of
from tests.contract.lessons import EDGES, FIELD, OFFICIAL, Lesson
from tests.contract.libraries import LIBRARIES

TESTS = Path(__file__).parents[1]
LESSONS = [
    pytest.param(lesson, id=f"{table} {key}")
    for table, lessons in (("field", FIELD), ("edge", EDGES), ("official", OFFICIAL))
    for key, lesson in lessons.items()
]


@pytest.fixture(scope="module")
def there() -> set[str]:
    """The names of all test functions, and all rows of the contract."""
    functions = {
        node.name
        for path in TESTS.rglob("test_*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    methods = (method for library in LIBRARIES for method in library.methods)
    endings = {f"ending: {e.name}" for method in methods for e in endings_of(method)}
    return functions | endings


def test_every_row_is_here() -> None:
    assert list(FIELD) == list(range(1, 41))
    assert list(OFFICIAL) == list(range(1, 16))
    assert len(EDGES) == 14


@pytest.mark.parametrize("lesson", LESSONS)
def test_the_tests_are_there(lesson: Lesson, there: set[str]) -> None:
    assert lesson.tests or lesson.elsewhere
    assert not set(lesson.tests) - there
