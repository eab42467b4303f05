"""A real run of the sample agent in a store, the page over it, and a browser to look with."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from farthing_dashboards.demo import FAULTS, compare, run_agent
from farthing_dashboards.page.server import PageServer
from farthing_dashboards.receiver import Collected
from farthing_dashboards.simulator import Simulator
from farthing_dashboards.store import Store
from farthing_processor import semconv
from tests import needs
from tests.dashboards.view.oracle import Summary, summarise


class Demo(NamedTuple):
    """One run: the store it is in, and what its spans come to when they are simply added up."""

    store: Store
    summary: Summary
    collected: Collected


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    collected = Collected()
    with ExitStack() as running:
        store = running.enter_context(Store(tmp_path_factory.mktemp("page") / "store.db"))
        server = running.enter_context(PageServer(_Both(store, collected)))
        simulator = running.enter_context(Simulator(seed=0, faults=FAULTS))
        assert run_agent(server.url, simulator.url, 10, priced=True) == 0
        bill = compare(collected.spans, simulator.ledger)
        assert bill.equal == bill.billed > 150, bill.differences
        yield Demo(store, summarise(collected.spans), collected)


class _Both:
    """A store that also keeps what came as it came, for the tests to add up."""

    def __init__(self, store: Store, collected: Collected) -> None:
        self.reading = store.reading
        self._sinks = (store, collected)

    def __call__(self, records: Sequence[Any], /) -> None:
        for sink in self._sinks:
            sink(records)


@pytest.fixture(scope="session")
def demo_url(demo: Demo) -> Iterator[str]:
    with PageServer(demo.store) as server:
        yield server.url


@pytest.fixture
def served(tmp_path: Path) -> Iterator[PageServer]:
    """A server over an empty store of its own."""
    with Store(tmp_path / "store.db") as store, PageServer(store) as server:
        yield server


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Of a module: its event loop runs as long, and other tests have loops of their own."""
    command = needs.command("chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        # Containers run tests as root, which Chromium's sandbox refuses.
        browser = playwright.chromium.launch(executable_path=command, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def visit(browser: Any) -> Iterator[Callable[..., Any]]:
    """Opens an address as a person would; whatever the browser complains of fails the test, but
    for what is ``expected``."""
    complaints: list[str] = []
    contexts: list[Any] = []
    excused: list[str] = []

    def open_page(url: str, *, ready: str = "page", expected: str = "", **context: Any) -> Any:
        excused.extend(filter(None, [expected]))
        looks = {"viewport": {"width": 1280, "height": 900}} | context
        contexts.append(browser.new_context(**looks))
        page = contexts[-1].new_page()
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on(
            "console",
            lambda said: complaints.append(said.text) if said.type in ("error", "warning") else 0,
        )
        page.goto(url)
        page.wait_for_selector(f"body[data-ready={ready}]")
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert not [said for said in complaints if not any(each in said for each in excused)]


def send(url: str, *calls: dict[str, Any], service: str = "shop") -> None:
    """Spans of priced calls by OTLP, each of these attributes beside the usual ones."""
    provider = TracerProvider(resource=Resource({"service.name": service}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(f"{url}/v1/traces")))
    tracer = provider.get_tracer("tests")
    for call in calls:
        with tracer.start_as_current_span(call.pop("name", "chat")) as span:
            span.set_attributes(
                {
                    semconv.OPERATION_NAME: "chat",
                    semconv.PROVIDER_NAME: "openai",
                    semconv.REQUEST_MODEL: "gpt-4o",
                    semconv.STEP_NAME: "plan",
                    semconv.COST_STATUS: "priced",
                    semconv.USAGE_INPUT_TOKENS: 100,
                    semconv.USAGE_OUTPUT_TOKENS: 10,
                    **call,
                }
            )
    provider.shutdown()
