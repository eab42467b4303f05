"""Settings from the environment and from code, good ones and bad ones."""

from __future__ import annotations

import pytest

from farthing_processor import settings
from farthing_processor.settings import Settings


def test_defaults() -> None:
    assert settings.load({}, {}) == (Settings(), [])
    assert Settings().semconv == "released"
    assert not Settings().content_on_spans


def test_every_setting_has_a_variable_and_a_meaning() -> None:
    for variable, name, _default, meaning in settings.VARIABLES:
        assert variable.startswith(("FARTHING_", "OTEL_"))
        assert name in Settings.__dataclass_fields__
        assert len(meaning) > 20


@pytest.mark.parametrize(
    ("variable", "value", "name", "parsed"),
    [
        ("FARTHING_SEMCONV", " Both ", "semconv", "both"),
        (
            "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT",
            "span_only",
            "content",
            "SPAN_ONLY",
        ),
        ("FARTHING_GATEWAYS", "LLM.acme:8080, b ,", "gateways", frozenset({"llm.acme:8080", "b"})),
        ("FARTHING_LABEL_LIMIT", "12", "label_limit", 12),
        ("FARTHING_LABEL_LIMIT", "", "label_limit", 200),
    ],
)
def test_environment(variable: str, value: str, name: str, parsed: object) -> None:
    found, problems = settings.load({}, {variable: value})
    assert getattr(found, name) == parsed
    assert problems == []


def test_code_wins_over_the_environment() -> None:
    found, problems = settings.load({"semconv": "latest"}, {"FARTHING_SEMCONV": "both"})
    assert found.semconv == "latest"
    assert problems == []


def test_none_in_code_is_not_given() -> None:
    assert settings.load({"semconv": None}, {"FARTHING_SEMCONV": "both"})[0].semconv == "both"


@pytest.mark.parametrize(
    ("given", "environment", "says"),
    [
        ({}, {"FARTHING_SEMCONV": "new"}, "FARTHING_SEMCONV='new' is not usable: use one of"),
        ({}, {"FARTHING_LABEL_LIMIT": "0"}, "a whole number of at least 1"),
        ({}, {"FARTHING_LABEL_LIMIT": "many"}, "a whole number of at least 1"),
        ({}, {"FARTHING_GATEWAYS": "http://a"}, "without http://"),
        ({"gateways": 7}, {}, "host names"),
        ({"semconv": ["both"]}, {}, "use one of"),
        ({"color": 1}, {}, "no setting 'color'; it has: semconv, content"),
    ],
)
def test_a_bad_value_is_one_sentence_and_the_default(
    given: dict[str, object], environment: dict[str, str], says: str
) -> None:
    found, problems = settings.load(given, environment)
    assert found == Settings()
    (problem,) = problems
    assert says in problem


def test_a_bad_value_in_code_leaves_what_the_environment_says() -> None:
    found, problems = settings.load({"semconv": "x"}, {"FARTHING_SEMCONV": "both"})
    assert found.semconv == "both"
    assert len(problems) == 1
