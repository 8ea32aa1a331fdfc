"""What the page says of the model, and what it does when that changes."""

from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import expect

from api import keys
from servers import wait
from visiting import Service, Visitor


def test_a_promotion_shows_by_itself_and_cards_can_be_read_again(
    visit: Callable[..., Visitor], tiny: Callable[..., Service], barred: Callable[[str], Path]
) -> None:
    service = tiny()
    visitor = visit(service, clock=True)
    page = visitor.page
    visitor.listen()
    visitor.choose(barred("aa a"))
    card = visitor.read_card("aa-a.png")
    assert visitor.texts(card) == ["aa a"]
    header = page.locator("#model")
    expect(header).to_have_text("Version 1 · Production")
    assert card.get_by_role("button", name="Read again").count() == 0
    service.shelf.promote("2")
    service.wait_for("2")
    visitor.later(5)  # nobody does anything
    expect(header).to_have_text("Version 2 · Production")
    assert "Version 2 is in use now." in visitor.said()
    assert "Read by version 1" in card.inner_text()
    visitor.shot("promoted")
    card.get_by_role("button", name="Read again").click()
    expect(card.locator("textarea")).to_have_value("bb b")
    assert "version 2" in card.locator(".meta").inner_text()
    assert card.get_by_role("button", name="Read again").count() == 0


def test_without_a_model_images_wait_for_one(
    visit: Callable[..., Visitor], tiny: Callable[..., Service], barred: Callable[[str], Path]
) -> None:
    service = tiny(promoted=None)
    visitor = visit(service)
    page = visitor.page
    expect(page.locator("#model")).to_have_text("No model yet")
    page.get_by_text("No version of handwriting is in stage Production.").first.wait_for()
    visitor.choose(barred("aa"))
    visitor.card("aa.png").get_by_text("Waiting for a model").wait_for()
    visitor.shot("no-model")
    assert not [url for url in visitor.requests if "/predict" in url]
    service.shelf.promote("1")
    service.wait_for("1")
    # at once when somebody comes back to the page
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    assert visitor.texts(visitor.read_card("aa.png")) == ["aa"]
    expect(page.locator("#notice")).to_be_hidden()


def test_nobody_is_asked_while_the_page_is_hidden(
    visit: Callable[..., Visitor], tiny: Callable[..., Service]
) -> None:
    visitor = visit(tiny(), clock=True)
    page = visitor.page
    page.locator("#model[data-state=ready]").wait_for()
    before = len(visitor.requests)
    visitor.later(6)
    page.wait_for_timeout(200)
    assert len(visitor.requests) > before  # somebody looks
    page.evaluate("Object.defineProperty(document, 'hidden', { value: true })")
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    before = len(visitor.requests)
    visitor.later(60)
    page.wait_for_timeout(200)
    assert len(visitor.requests) == before


def test_images_that_wait_are_read_though_the_page_is_hidden(
    visit: Callable[..., Visitor], tiny: Callable[..., Service], barred: Callable[[str], Path]
) -> None:
    service = tiny(promoted=None)
    visitor = visit(service, clock=True)
    page = visitor.page
    visitor.choose(barred("aa"))
    visitor.card("aa.png").get_by_text("Waiting for a model").wait_for()
    page.evaluate("Object.defineProperty(document, 'hidden', { value: true })")
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    service.shelf.promote("1")
    service.wait_for("1")
    visitor.later(6)
    assert visitor.texts(visitor.read_card("aa.png")) == ["aa"]


def test_who_reads_in_the_panel_stays_where_they_are(
    visit: Callable[..., Visitor], tiny: Callable[..., Service]
) -> None:
    service = tiny()
    visitor = visit(service, clock=True)
    page = visitor.page
    page.locator("#model[data-state=ready]").wait_for()
    page.locator("#model").click()
    link = page.get_by_role("dialog", name="Model").get_by_role("link", name="API documentation")
    link.focus()
    before = len(visitor.requests)
    visitor.later(6)
    page.wait_for_timeout(200)
    assert len(visitor.requests) > before
    expect(link).to_be_focused()


def test_the_panel_tells_what_is_known(
    visit: Callable[..., Visitor], tiny: Callable[..., Service]
) -> None:
    service = tiny()
    visitor = visit(service, clock=True)
    page = visitor.page
    page.locator("#model[data-state=ready]").wait_for()
    page.locator("#model").click()
    panel = page.get_by_role("dialog", name="Model")
    text = panel.inner_text()
    for told in (
        "8.1 %",
        "Characters wrong, test lines",
        "50 %",
        "1 more figures",
        "Version 1: promoted. It reads no worse.",
        "word, line, page",
        "greedy, beam",
        "In use since",
    ):
        assert told in text
    docs = panel.get_by_role("link", name="API documentation").get_attribute("href")
    assert docs == f"{service.uri}docs"
    visitor.shot("panel", whole=False)
    page.keyboard.press("Escape")
    expect(panel).to_be_hidden()
    expect(page.locator("#model")).to_be_focused()
    service.shelf.away = True
    wait(lambda: service.app.state.service.serving.status.registry_error is not None)
    visitor.later(6)
    expect(page.locator("#model")).to_have_attribute("data-state", "trouble")
    page.locator("#model").click()
    assert "The registry does not answer" in panel.inner_text()


def test_a_key_is_asked_for_and_a_wrong_one_is_said(
    visit: Callable[..., Visitor],
    tiny: Callable[..., Service],
    barred: Callable[[str], Path],
) -> None:
    key, entry = keys.make("ada")
    service = tiny(api_keys=keys.parse(entry))
    visitor = visit(service)
    page = visitor.page
    asked = page.get_by_role("dialog", name="An API key is needed")
    field = asked.get_by_label("API key")
    expect(field).to_be_focused()
    assert field.get_attribute("type") == "password"
    visitor.shot("key", whole=False)
    field.fill("wrong")
    field.press("Enter")
    expect(asked.get_by_role("alert")).to_have_text("This key is not known here.")
    field.fill(key)
    asked.get_by_role("button", name="Use this key").click()
    expect(asked).to_be_hidden()
    visitor.choose(barred("aa"))
    assert visitor.texts(visitor.read_card("aa.png")) == ["aa"]
    assert page.evaluate("sessionStorage.getItem('handwriting.key')") == key
    assert key not in str(page.evaluate("Object.entries(localStorage)"))
    page.reload()
    expect(page.locator("#model")).to_have_text("Version 1 · Production")  # not asked again


def test_who_has_no_key_is_left_alone_and_can_still_enter_one(
    visit: Callable[..., Visitor], tiny: Callable[..., Service]
) -> None:
    key, entry = keys.make("ada")
    visitor = visit(tiny(api_keys=keys.parse(entry)), clock=True)
    page = visitor.page
    page.get_by_role("button", name="Not now").click()
    expect(page.locator("#model")).to_have_text("API key needed")
    before = len(visitor.requests)
    visitor.later(6)
    page.wait_for_timeout(200)
    assert len(visitor.requests) > before
    expect(page.locator("#key")).to_be_hidden()
    page.get_by_role("button", name="Enter a key").click()
    page.get_by_role("textbox", name="API key").fill(key)
    page.keyboard.press("Enter")
    expect(page.locator("#model")).to_have_text("Version 1 · Production")
