"""How the page looks: narrow and wide, light and dark, readable, and whatever names it is given."""

from __future__ import annotations

import math
import re
from itertools import combinations, product

import pytest

from farthing_dashboards.page.assets import assets
from farthing_processor import semconv
from farthing_processor.attribution import LENGTH
from tests.dashboards.page.conftest import send

HOSTILE = [
    "<img src=x onerror=alert(1)>",
    "</script><script>document.title='taken'</script>",
    "\u202eegassem terces\u202c",
    "مرحبا بالعالم",
    "👩‍👩‍👧‍👦🏳️‍🌈",
    "a" * 5000,
    "quote \" and ' and & and %00 ?step=x#y",
]
WIDTHS = [375, 768, 1440]


def overflow(page):
    return page.evaluate("document.documentElement.scrollWidth - innerWidth")


@pytest.mark.slow
@pytest.mark.parametrize("width", WIDTHS)
def test_nothing_overflows_the_page(visit, demo_url, width):
    page = visit(demo_url, viewport={"width": width, "height": 800})
    assert overflow(page) <= 0
    page.locator("#calls a.open").first.click()
    page.locator("dialog .detail").wait_for()
    dialog = page.locator("dialog")
    assert dialog.evaluate("dialog => dialog.scrollWidth - dialog.clientWidth") <= 0
    place = dialog.bounding_box()
    assert 0 <= place["x"] < place["x"] + place["width"] <= width


@pytest.mark.slow
@pytest.mark.parametrize("width", WIDTHS)
def test_names_from_anywhere_are_text(visit, served, width):
    calls = [
        {
            "name": name,
            semconv.COST_AMOUNT: 0.25,
            semconv.STEP_NAME: name,
            semconv.REQUEST_MODEL: name,
            semconv.AGENT_NAME: name,
            semconv.FEATURE: name,
            semconv.USER_ID: name,
            semconv.SESSION_ID: name,
        }
        for name in HOSTILE
    ]
    send(served.url, *calls)
    page = visit(served.url, viewport={"width": width, "height": 800})
    page.locator("[data-key=sessions-table]").wait_for()
    shown = page.locator("[data-key=steps-table] tbody th .label")
    assert sorted(shown.evaluate_all("all => all.map(label => label.textContent)")) == sorted(
        name[:LENGTH] for name in HOSTILE
    )
    assert page.locator("main img, main script").count() == 0
    assert overflow(page) <= 0
    for name in HOSTILE:
        index = shown.evaluate_all(
            "(all, name) => all.findIndex(l => l.textContent === name)", name[:LENGTH]
        )
        shown.nth(index).click()
        page.locator(".chip").wait_for()
        assert page.locator(".chip .label").evaluate("label => label.textContent") == name[:LENGTH]
        assert overflow(page) <= 0
        page.locator("#calls a.open").first.click()
        page.locator("dialog .detail h3").wait_for()
        assert page.locator("dialog .detail h3").evaluate("head => head.textContent") == name
        assert overflow(page) <= 0
        page.keyboard.press("Escape")
        page.locator(".chip").click()
        page.locator(".chip").wait_for(state="detached")
        shown.nth(len(HOSTILE) - 1).wait_for()
    assert page.title().endswith("farthing")


@pytest.mark.slow
def test_dark_and_light_follow_the_system_until_one_is_chosen(visit, served):
    page = visit(served.url, ready="empty", color_scheme="dark")
    background = "getComputedStyle(document.body).backgroundColor"
    dark = page.evaluate(background)
    page.get_by_role("button", name="Light theme").click()
    light = page.evaluate(background)
    assert sum(map(int, re.findall(r"\d+", dark))) < 150 < sum(map(int, re.findall(r"\d+", light)))
    page.reload()
    page.wait_for_selector("body[data-ready=empty]")
    assert page.evaluate(background) == light
    assert page.get_by_role("button", name="Dark theme").is_visible()


@pytest.mark.slow
def test_who_reads_by_ear_is_told_everything(visit, demo_url):
    page = visit(demo_url)
    for landmark in ("banner", "search", "main"):
        assert page.get_by_role(landmark).count() == 1
    assert page.get_by_role("navigation", name="Sections").count() == 1
    assert page.locator("h1").all_inner_texts() == ["farthing"]
    tables = page.locator("table")
    assert tables.count() == page.locator("table > caption").count() > 8
    assert page.locator("table th:not([scope])").count() == 0
    unnamed = (
        "all => all.filter(e => !(e.getAttribute('aria-label') || e.textContent.trim())).length"
    )
    assert page.locator("a, button, [role=img], svg[role], [role=group]").evaluate_all(unnamed) == 0
    assert "highest $" in page.locator(".plot").get_attribute("aria-label")
    for level in page.locator("main section").all():
        assert level.get_attribute("aria-labelledby") == f"{level.get_attribute('id')}-title"


@pytest.mark.slow
def test_on_paper_there_are_no_controls(visit, demo_url):
    page = visit(demo_url, color_scheme="dark")
    page.emulate_media(media="print")
    for control in (".times", ".choosers", "#live", ".rail"):
        assert not page.locator(control).is_visible()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"


def colours(theme):
    """The palette of one theme, from the style sheet itself."""
    pairs = re.findall(
        r"--([\w-]+): light-dark\((#\w{6}), (#\w{6})\)", assets()["style.css"].body.decode()
    )
    return {name: (light, dark)[theme == "dark"] for name, light, dark in pairs}


def linear(colour):
    """Its red, green and blue as light, from 0 to 1."""
    channels = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    return [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]


def times(matrix, vector):
    return [sum(a * b for a, b in zip(row, vector, strict=True)) for row in matrix]


def contrast(one, other):
    """By WCAG 2.2, from 1 to 21."""
    (low,), (high,) = sorted(times([(0.2126, 0.7152, 0.0722)], linear(c)) for c in (one, other))
    return (high + 0.05) / (low + 0.05)


# How light reaches those who lack one kind of cones: Machado, Oliveira, Fernandes 2009, severity 1.
SIGHTS = {
    "all cones": [(1, 0, 0), (0, 1, 0), (0, 0, 1)],
    "protanopia": [
        (0.152286, 1.052583, -0.204868),
        (0.114503, 0.786281, 0.099216),
        (-0.003882, -0.048116, 1.051998),
    ],
    "deuteranopia": [
        (0.367322, 0.860646, -0.227968),
        (0.280085, 0.672501, 0.047413),
        (-0.011820, 0.042940, 0.968881),
    ],
    "tritanopia": [
        (1.255528, -0.076749, -0.178779),
        (-0.078411, 0.930809, 0.147602),
        (0.004733, 0.691367, 0.303900),
    ],
}
# Oklab (Ottosson 2020): distances in it are as large as they look.
CONES = [
    (0.4122214708, 0.5363325363, 0.0514459929),
    (0.2119034982, 0.6806995451, 0.1073969566),
    (0.0883024619, 0.2817188376, 0.6299787005),
]
LAB = [
    (0.2104542553, 0.7936177850, -0.0040720468),
    (1.9779984951, -2.4285922050, 0.4505937099),
    (0.0259040371, 0.7827717662, -0.8086757660),
]


def seen(colour, sight):
    light = [min(1, max(0, part)) for part in times(SIGHTS[sight], linear(colour))]
    return times(LAB, [part ** (1 / 3) for part in times(CONES, light)])


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_palette_can_be_read(theme):
    palette = colours(theme)
    text = ["ink", "soft", "accent", "bad", "warn", "good"]
    for name, ground in product(text, ["paper", "raised", "tint"]):
        assert contrast(palette[name], palette[ground]) >= 4.5, (name, ground)
    assert contrast(palette["on-accent"], palette["accent"]) >= 4.5
    marks = ["edge", "of-rest", *(f"of-{index}" for index in range(1, 7))]
    for name, ground in product(marks, ["paper"]):
        assert contrast(palette[name], palette[ground]) >= 3, (name, ground)


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("sight", SIGHTS)
def test_steps_can_be_told_apart(theme, sight):
    palette = colours(theme)
    names = [name for name in palette if name.startswith("of-")]
    assert len(names) == 7
    for one, other in combinations(names, 2):
        assert math.dist(seen(palette[one], sight), seen(palette[other], sight)) > 0.06, (
            one,
            other,
        )
