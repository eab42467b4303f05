"""The page's server by plain HTTP: what it serves, to whom, and what it refuses."""

from __future__ import annotations

import gzip
import json
import sqlite3

import pytest
import requests

from farthing_dashboards.page.assets import assets
from farthing_dashboards.page.server import PageServer
from farthing_dashboards.store import Store, open_for_reading
from farthing_processor import semconv
from tests.dashboards.page.conftest import send

JSON = {"Content-Type": "application/json"}
EMPTY = b'{"resourceSpans": []}'


def test_the_page_and_its_files_are_served_under_a_strict_policy(served):
    page = requests.get(served.url)
    assert page.status_code == 200
    assert page.headers["Content-Type"] == "text/html; charset=utf-8"
    policy = dict(
        part.strip().split(" ", 1) for part in page.headers["Content-Security-Policy"].split(";")
    )
    assert policy == {
        "default-src": "'none'",
        "script-src": "'self'",
        "style-src": "'self'",
        "connect-src": "'self'",
        "img-src": "'self' data:",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'none'",
    }
    for name in assets():
        file = requests.get(f"{served.url}/static/{name}")
        assert file.status_code == 200, name
        assert file.content == assets()[name].body
        assert file.headers["X-Content-Type-Options"] == "nosniff"
        assert "Content-Security-Policy" in file.headers


def test_a_file_that_did_not_change_is_not_sent_again(served):
    first = requests.get(f"{served.url}/static/main.js")
    assert first.headers["Cache-Control"] == "no-cache"
    again = requests.get(
        f"{served.url}/static/main.js", headers={"If-None-Match": first.headers["ETag"]}
    )
    assert (again.status_code, again.content) == (304, b"")


def test_answers_are_never_kept(served):
    for path in ("/api/page", "/api/people"):
        answer = requests.get(served.url + path)
        assert answer.status_code == 200
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["Content-Type"] == "application/json"


def test_head_is_get_without_the_body(served):
    for path in ("/", "/static/main.js", "/nothing"):
        got, head = requests.get(served.url + path), requests.head(served.url + path)
        assert head.status_code == got.status_code
        assert head.headers["Content-Length"] == str(len(got.content))
        assert head.content == b""


@pytest.mark.parametrize(
    ("path", "status", "says"),
    [
        ("/nothing", 404, "There is nothing at /nothing"),
        ("/static/../server.py", 404, "There is nothing"),
        ("/static/%2e%2e/server.py", 404, "There is nothing"),
        ("/static/", 404, "There is nothing"),
        ("/api/nothing", 404, "There is nothing"),
        ("/v1/traces", 404, "There is nothing"),
        ("/api/page?since=yesterday", 400, "since='yesterday'"),
        ("/api/page?colour=red", 400, "colour"),
        ("/api/page?start=2026-01-02T00:00:00Z&end=2026-01-01T00:00:00Z", 400, "before"),
        ("/api/people?since=1y", 400, "since='1y'"),
        ("/api/trace", 400, "which trace"),
        ("/api/trace?id=not-hex", 404, "no trace not-hex"),
        ("/api/trace?id=" + "ab" * 16, 404, "no trace"),
    ],
)
def test_what_cannot_be_answered_is_said_in_a_sentence(served, path, status, says):
    request = requests.Request("GET", served.url).prepare()
    request.url = served.url + path  # as it is: no client tidies the path
    with requests.Session() as session:
        answer = session.send(request)
    assert answer.status_code == status
    assert says in answer.json()["error"]


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS"])
def test_other_methods_are_refused(served, method):
    answer = requests.request(method, f"{served.url}/api/page")
    assert answer.status_code == 501
    assert "Access-Control-Allow-Origin" not in answer.headers


FOREIGN = [
    {"Origin": "https://evil.example"},
    {"Origin": "null"},
    {"Origin": "http://127.0.0.1:1"},
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
]


@pytest.mark.parametrize("headers", FOREIGN, ids=str)
def test_the_pages_of_others_get_and_send_nothing(served, headers):
    asked = requests.get(f"{served.url}/api/page", headers=headers)
    assert asked.status_code == 403
    assert "error" in asked.json()
    sent = requests.post(f"{served.url}/v1/traces", data=EMPTY, headers=JSON | headers)
    assert sent.status_code == 403


def test_a_link_from_elsewhere_opens_the_page(served):
    assert requests.get(served.url, headers={"Sec-Fetch-Site": "cross-site"}).status_code == 200


def test_the_page_itself_may_ask(served):
    headers = {"Origin": served.url, "Sec-Fetch-Site": "same-origin"}
    assert requests.get(f"{served.url}/api/page", headers=headers).status_code == 200


@pytest.mark.parametrize("path", ["/", "/static/main.js", "/api/page"])
def test_a_name_that_was_rebound_to_loopback_gets_nothing(served, path):
    refused = requests.get(served.url + path, headers={"Host": "evil.example"})
    assert refused.status_code == 403


def test_otlp_arrives_and_is_shown(served):
    send(served.url, {semconv.COST_AMOUNT: 0.25}, {semconv.COST_AMOUNT: 0.5})
    view = requests.get(f"{served.url}/api/page").json()
    assert (view["total"]["calls"], view["total"]["cost"]) == (2, "0.75")
    shown = view["dearest"][0]
    trace = requests.get(f"{served.url}/api/trace?id={shown['trace_id']}").json()
    assert [span["span_id"] for span in trace["spans"]] == [shown["span_id"]]


def test_what_is_too_large_is_refused_and_the_rest_still_served(tmp_path):
    with Store(tmp_path / "s.db") as store, PageServer(store, max_body=1000) as server:
        packed = gzip.compress(EMPTY + b" " * 5000)
        headers = JSON | {"Content-Encoding": "gzip"}
        bomb = requests.post(f"{server.url}/v1/traces", data=packed, headers=headers)
        assert bomb.status_code == 413
        assert "smaller batches" in bomb.json()["message"]
        sent = requests.post(f"{server.url}/v1/traces", data=EMPTY, headers=JSON)
        assert (sent.status_code, sent.json()) == (200, {})


def test_a_store_that_is_only_read_says_so_to_who_sends(tmp_path):
    Store(tmp_path / "s.db").close()
    with open_for_reading(tmp_path / "s.db") as store, PageServer(store) as server:
        assert requests.get(f"{server.url}/api/page").json()["store"]["spans"] == 0
        sent = requests.post(f"{server.url}/v1/traces", data=EMPTY, headers=JSON)
        # Nothing is in it, but who sends must not think that it could be.
        assert sent.status_code == 403
        assert "reading alone" in sent.json()["message"]


def test_a_store_that_cannot_be_read_is_a_sentence():
    class Broken:
        def reading(self):
            raise sqlite3.OperationalError("disk I/O error")

    with PageServer(Broken()) as server:
        answer = requests.get(f"{server.url}/api/page")
        assert answer.status_code == 503
        assert answer.json() == {"error": "The store cannot be read now: disk I/O error."}


def test_a_store_that_is_gone_is_said(tmp_path):
    store = Store(tmp_path / "store.db")
    store.close()
    with PageServer(store) as server:
        for path in tmp_path.iterdir():
            path.unlink()
        answer = requests.get(f"{server.url}/api/page", timeout=10)
    assert answer.status_code == 503
    assert answer.json()["error"].startswith(f"The store {store.path} cannot be ")


def test_the_answer_is_plain_json(served):
    send(served.url, {semconv.COST_AMOUNT: 0.25, semconv.STEP_NAME: "</script>\u2028"})
    body = requests.get(f"{served.url}/api/page").content
    assert json.loads(body)["steps"][0]["name"] == "</script>\u2028"
