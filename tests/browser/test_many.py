"""Many images at once, and everything that can go wrong with one of them."""

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Route, expect

from bundles import bars
from visiting import Service, Visitor, json_of

BUSY = {
    "type": "urn:handwriting:problem:overloaded",
    "title": "Too many images are waiting",
    "status": 503,
    "detail": "Ask again in a second.",
}


def test_a_broken_file_does_not_stop_the_others(
    visit: Callable[..., Visitor],
    tiny: Callable[..., Service],
    barred: Callable[[str], Path],
    tmp_path: Path,
) -> None:
    visitor = visit(tiny())
    visitor.listen()
    broken = tmp_path / "broken.png"
    broken.write_bytes(barred("aaaa").read_bytes()[:90])
    other = tmp_path / "letter.txt"
    other.write_text("Dear Sir,")
    good = [barred("a" * count) for count in range(1, 6)]
    visitor.choose(*good[:2], broken, other, *good[2:])
    for file in good:
        assert visitor.texts(visitor.read_card(file.name)) == [file.stem]
    expect(visitor.page.locator("#tally-text")).to_have_text("5 of 7 read, 2 failed")
    for name, title in (
        ("broken.png", "The image cannot be read"),
        ("letter.txt", "Not an image format that is read here"),
    ):
        card = visitor.card(name)
        card.get_by_text(title).wait_for()
        assert "add it again" in card.inner_text()
        assert card.get_by_role("button", name="Try again").count() == 0  # it would not help
    assert "broken.png could not be read: The image cannot be read." in visitor.said()
    assert "5 of 7 read" in visitor.said()
    visitor.shot("many")


def test_two_are_read_at_a_time_and_the_bar_says_how_many(
    visit: Callable[..., Visitor], tiny: Callable[..., Service], barred: Callable[[str], Path]
) -> None:
    visitor = visit(tiny())
    held: list[Route] = []
    visitor.page.route("**/predict?*", lambda route: held.append(route))
    files = [barred("a" * count) for count in range(1, 5)]
    visitor.choose(*files)
    visitor.page.wait_for_timeout(300)
    assert len(held) == 2
    progress = visitor.page.get_by_role("progressbar")
    assert progress.evaluate("(bar) => [bar.value, bar.max]") == [0, 4]
    visitor.shot("reading")
    for at in range(4):
        while len(held) <= at:
            visitor.page.wait_for_timeout(20)
        held[at].continue_()
    expect(visitor.page.locator("#tally-text")).to_have_text("4 of 4 read")
    expect(progress).to_be_hidden()


def test_a_busy_service_is_asked_again_after_as_long_as_it_says(
    visit: Callable[..., Visitor], tiny: Callable[..., Service], barred: Callable[[str], Path]
) -> None:
    visitor = visit(tiny())
    visitor.listen()
    answers = iter([True, False])

    def refuse_once(route: Route) -> None:
        if next(answers):
            route.fulfill(
                status=503,
                json=BUSY,
                headers={"Retry-After": "1", "Content-Type": "application/problem+json"},
            )
        else:
            route.continue_()

    visitor.page.route("**/predict?*", refuse_once)
    visitor.choose(barred("aa"))
    card = visitor.card("aa.png")
    card.get_by_text("The service is busy").wait_for()
    assert "tried again by itself in 1 s" in card.inner_text()
    visitor.shot("busy")
    assert visitor.texts(visitor.read_card("aa.png")) == ["aa"]
    assert "aa.png is tried again by itself" in visitor.said()


def test_a_service_that_stays_busy_is_left_alone_in_the_end(
    visit: Callable[..., Visitor], tiny: Callable[..., Service], barred: Callable[[str], Path]
) -> None:
    visitor = visit(tiny(), clock=True)
    asked: list[Route] = []

    def refuse(route: Route) -> None:
        asked.append(route)
        route.fulfill(status=503, json=BUSY, headers={"Retry-After": "30"})

    visitor.page.route("**/predict?*", refuse)
    visitor.choose(barred("aa"))
    card = visitor.card("aa.png")
    for number in range(1, 6):
        card.get_by_text(f"by itself in 30 s, {number} of 5 times").wait_for()
        visitor.later(30)
    card.get_by_text("Too many images are waiting").wait_for()
    assert len(asked) == 6
    visitor.page.unroute("**/predict?*")
    card.get_by_role("button", name="Try again").click()
    assert visitor.texts(visitor.read_card("aa.png")) == ["aa"]


def test_a_network_that_is_away_is_said_and_can_be_tried_again(
    visit: Callable[..., Visitor], tiny: Callable[..., Service], barred: Callable[[str], Path]
) -> None:
    visitor = visit(tiny())
    visitor.page.locator("#model[data-state=ready]").wait_for()
    visitor.page.route("**/predict?*", lambda route: route.abort("connectionrefused"))
    visitor.choose(barred("aa"))
    card = visitor.card("aa.png")
    card.get_by_text("It is tried again by itself in 2 s, 1 of 1 time.").wait_for()
    again = card.get_by_role("button", name="Try again")
    again.wait_for()
    assert "The service cannot be reached" in card.inner_text()
    visitor.shot("away")
    visitor.page.unroute("**/predict?*")
    again.click()
    assert visitor.texts(visitor.read_card("aa.png")) == ["aa"]


def test_a_gateway_that_counts_requests_is_waited_for(
    visit: Callable[..., Visitor], tiny: Callable[..., Service], barred: Callable[[str], Path]
) -> None:
    visitor = visit(tiny())
    answers = iter([429, 0])

    def refuse_once(route: Route) -> None:
        status = next(answers)
        if status:
            route.fulfill(status=status, body="Slow down.", headers={"Retry-After": "1"})
        else:
            route.continue_()

    visitor.page.route("**/predict?*", refuse_once)
    visitor.choose(barred("aa"))
    card = visitor.card("aa.png")
    card.get_by_text("The service is busy").wait_for()
    assert "by itself in 1 s" in card.inner_text()
    assert visitor.texts(visitor.read_card("aa.png")) == ["aa"]


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (408, '{"type": "urn:handwriting:problem:too-slow", "title": "Too slow", "status": 408}'),
        (413, "<html>Request Entity Too Large</html>"),
    ],
)
def test_what_is_too_heavy_on_its_way_is_sent_lighter(
    visit: Callable[..., Visitor],
    tiny: Callable[..., Service],
    tmp_path: Path,
    status: int,
    body: str,
) -> None:
    visitor = visit(tiny())
    sent: list[int] = []

    def refuse_once(route: Route) -> None:
        sent.append(len(route.request.post_data_buffer or b""))
        if len(sent) == 1:
            route.fulfill(status=status, body=body)
        else:
            route.continue_()

    visitor.page.route("**/predict?*", refuse_once)
    photo = tmp_path / "photo.png"
    clean = Image.open(io.BytesIO(bars("aa"))).convert("L")
    clean = clean.resize((clean.width * 20, clean.height * 20))
    grain = np.random.default_rng(0).integers(0, 12, (clean.height, clean.width), np.uint8)
    Image.fromarray(np.asarray(clean) // 2 + 100 + grain).save(photo)
    visitor.choose(photo)
    card = visitor.read_card("photo.png")
    assert "Made smaller in the browser" in card.inner_text()
    _, second = sent
    assert second < photo.stat().st_size / 2
    told = json_of(visitor.downloaded(card, "Download as JSON")[1])
    assert told["width"] / told["height"] == pytest.approx(clean.width / clean.height, rel=0.02)


def test_an_answer_of_somebody_else_is_not_taken_for_a_reading(
    visit: Callable[..., Visitor], tiny: Callable[..., Service], barred: Callable[[str], Path]
) -> None:
    visitor = visit(tiny())
    visitor.page.route("**/predict?*", lambda route: route.fulfill(body="<p>Log in first</p>"))
    visitor.choose(barred("aa"))
    card = visitor.card("aa.png")
    card.get_by_text("The answer cannot be read").first.wait_for()
    assert "by itself in 2 s, 1 of 1 time" in card.inner_text()
    card.get_by_role("button", name="Try again").wait_for()
    visitor.page.unroute("**/predict?*")
    card.get_by_role("button", name="Try again").click()
    expect(visitor.page.get_by_role("heading", name="aa.png", exact=True)).to_be_focused()
    assert visitor.texts(visitor.read_card("aa.png")) == ["aa"]


def test_a_file_that_is_gone_is_said_to_be(
    visit: Callable[..., Visitor], tiny: Callable[..., Service], barred: Callable[[str], Path]
) -> None:
    service = tiny(promoted=None)
    visitor = visit(service)
    file = barred("aa")
    visitor.choose(file)
    visitor.card("aa.png").get_by_text("Waiting for a model").wait_for()
    file.unlink()
    service.shelf.promote("1")
    card = visitor.card("aa.png")
    card.get_by_text("The file cannot be read any more").wait_for()
    assert card.get_by_role("button", name="Try again").count() == 0


def test_of_many_images_the_tally_is_told_and_not_each(
    visit: Callable[..., Visitor], tiny: Callable[..., Service], barred: Callable[[str], Path]
) -> None:
    visitor = visit(tiny())
    visitor.listen()
    files = [barred("a" * count) for count in range(1, 13)]
    visitor.choose(*files)
    expect(visitor.page.locator("#tally-text")).to_have_text("12 of 12 read")
    visitor.page.wait_for_timeout(100)
    assert "12 of 12 read." in visitor.said()
    assert "aaa.png read" not in visitor.said()


def test_while_the_service_is_away_images_wait_for_it(
    visit: Callable[..., Visitor], tiny: Callable[..., Service], barred: Callable[[str], Path]
) -> None:
    visitor = visit(tiny())
    page = visitor.page
    page.locator("#model[data-state=ready]").wait_for()
    for path in ("**/predict?*", "**/model"):
        page.route(path, lambda route: route.abort("connectionrefused"))
    visitor.choose(barred("aa"), barred("aa a"))
    for name in ("aa.png", "aa-a.png"):
        visitor.card(name).get_by_text("Waiting for a model").wait_for()
    for path in ("**/predict?*", "**/model"):
        page.unroute(path)
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    assert visitor.texts(visitor.read_card("aa.png")) == ["aa"]
    assert visitor.texts(visitor.read_card("aa-a.png")) == ["aa a"]


def test_cards_are_removed_and_what_they_held_is_let_go(
    visit: Callable[..., Visitor], tiny: Callable[..., Service], barred: Callable[[str], Path]
) -> None:
    visitor = visit(tiny())
    page = visitor.page
    page.evaluate(
        """() => {
          window.revoked = [];
          const revoke = URL.revokeObjectURL;
          URL.revokeObjectURL = (url) => (revoked.push(url), revoke.call(URL, url));
        }"""
    )
    visitor.choose(barred("a"), barred("aa"), barred("aaa"))
    cards = [visitor.read_card(f"{'a' * count}.png") for count in (1, 2, 3)]
    shown = [card.locator(".frame img").get_attribute("src") for card in cards]
    page.get_by_role("button", name="Remove aa.png").click()
    expect(page.get_by_role("heading", name="aaa.png", exact=True)).to_be_focused()
    assert page.evaluate("revoked") == [shown[1]]
    assert page.locator("article").count() == 2
    page.get_by_role("button", name="Clear all").click()
    assert page.locator("article").count() == 0
    assert set(page.evaluate("revoked")) == set(shown)
    expect(page.get_by_role("button", name="Choose images")).to_be_focused()
