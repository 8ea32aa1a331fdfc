"""Light and dark, large and small, seen and heard; and nothing from anywhere else."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, expect

from visiting import Service, Visitor

PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
KINDS: dict[str, dict[str, Any]] = {
    "light": {},
    "dark": {"color_scheme": "dark"},
    "phone": {**PHONE, "device_scale_factor": 2},
}


def faults(visitor: Visitor) -> list[str]:
    found = Axe().run(visitor.page).response["violations"]
    return [f"{each['id']}: {each['nodes'][0]['html'][:200]}" for each in found]


def too_wide(visitor: Visitor) -> int:
    wide: int = visitor.page.evaluate(
        "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    )
    return wide


@pytest.mark.parametrize("kind", KINDS)
def test_no_state_of_the_page_keeps_anybody_out(
    visit: Callable[..., Visitor], starter: Service, line: Path, tmp_path: Path, kind: str
) -> None:
    visitor = visit(starter, reduced_motion="reduce", **KINDS[kind])
    page = visitor.page
    page.locator("#model[data-state=ready]").wait_for()

    def look(state: str, *, whole: bool = True) -> None:
        visitor.shot(f"{kind}-{state}", whole=whole)
        assert faults(visitor) == []
        assert too_wide(visitor) <= 0

    look("start")
    page.get_by_role("button", name="Try an example").click()
    card = visitor.read_card("example.png")
    broken = tmp_path / "broken.png"
    broken.write_bytes(line.read_bytes()[:200])
    visitor.choose(line, broken)
    visitor.read_card("line.png")
    visitor.card("broken.png").get_by_text("The image cannot be read").wait_for()
    page.locator("#options summary").click()
    card.locator("textarea").nth(0).fill("My dear Ellen,")
    card.locator("textarea").nth(2).click(position={"x": 20, "y": 15})
    card.get_by_role("menu").wait_for()
    look("readings")
    visitor.shot(f"{kind}-choices", whole=False)
    page.keyboard.press("Escape")
    page.locator("#model").click()
    look("panel", whole=False)


def test_dark_is_dark_and_its_paper_stays_white(
    visit: Callable[..., Visitor], starter: Service
) -> None:
    colours = {}
    for scheme in ("light", "dark"):
        visitor = visit(starter, color_scheme=scheme)
        colours[scheme] = visitor.page.evaluate(
            "['body', '.sheet'].map((each) => "
            "getComputedStyle(document.querySelector(each)).backgroundColor)"
        )
    assert sum(map(int, colours["light"][0][4:-1].split(","))) > 3 * 220
    assert sum(map(int, colours["dark"][0][4:-1].split(","))) < 3 * 50
    assert colours["light"][1] == colours["dark"][1] == "rgb(255, 255, 255)"


def test_nothing_moves_where_nothing_should(
    visit: Callable[..., Visitor], starter: Service, line: Path
) -> None:
    for motion, name in (("no-preference", "come"), ("reduce", "none")):
        visitor = visit(starter, reduced_motion=motion)
        visitor.choose(line)
        card = visitor.read_card("line.png")
        assert card.evaluate("(card) => getComputedStyle(card).animationName") == name


def test_progress_is_heard(visitor: Visitor, line: Path) -> None:
    visitor.listen()
    visitor.choose(line, line.parent / "word.png")
    visitor.read_card("line.png")
    visitor.read_card("word.png")
    expect(visitor.page.locator("#tally-text")).to_have_text("2 of 2 read")
    said = visitor.said()
    assert "line.png read, 1 line." in said
    assert "word.png read, 1 line." in said
    assert "2 of 2 read." in said
    assert visitor.page.locator("#live").get_attribute("role") == "status"


def test_all_of_the_page_is_light(browser: Browser, starter: Service) -> None:
    context = browser.new_context()
    page = context.new_page()
    sizes: dict[str, int] = {}
    page.on("response", lambda answer: sizes.update({answer.url: len(answer.body())}))
    page.goto(starter.uri, wait_until="networkidle")
    weight = sum(size for url, size in sizes.items() if "/page/" in url or url == starter.uri)
    assert len(sizes) > 15
    assert weight < 150_000
    context.close()


def test_a_breach_of_the_policy_would_be_noticed(visitor: Visitor) -> None:
    """That the other tests look for violations is worth something only if they see one."""
    visitor.page.evaluate(
        "document.body.insertAdjacentHTML('beforeend', '<p style=\"color: red\">x</p>')"
    )
    visitor.page.wait_for_function("window.violations.length")
    assert "style-src" in visitor.violations()[0]
    visitor.page.evaluate("window.violations = []")
    assert visitor.errors
    visitor.errors.clear()
