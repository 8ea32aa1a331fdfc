"""Corrections on their way from the page to the store."""

from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import FileChooser, Locator, expect

from corrections.store import Store, Stored
from visiting import Service, Visitor


def kept(service: Service) -> list[Stored]:
    store = Store(service.app.state.service.settings.corrections_dir)
    return [store.read(each.id) for each in store.entries()]


def button(card: Locator, name: str) -> Locator:
    return card.get_by_role("button", name=name, exact=True)


def saved(visitor: Visitor, line: Path) -> Locator:
    """The card of a line that was read, corrected and saved."""
    visitor.choose(line)
    card = visitor.read_card("line.png")
    card.locator("textarea").fill("Please meet me")
    button(card, "Save corrections").click()
    card.get_by_text("Saved: 1 line.").wait_for()
    return card


def test_the_checked_lines_arrive_with_the_image_and_can_be_deleted(
    visit: Callable[..., Visitor], starter: Service, letter: Path
) -> None:
    visitor = visit(starter)
    visitor.page.get_by_label("Document").fill("Letters to Eleanor")
    visitor.choose(letter)
    card = visitor.read_card("letter.png")
    read = visitor.texts(card)
    expect(button(card, "Save corrections")).to_be_disabled()
    card.locator("textarea").nth(0).fill("My dear Ellen,")
    card.get_by_role("button", name="Line 3 is right").click()
    assert "2 of 3 lines checked" in card.inner_text()
    assert "stored on this server for 90 days" in card.inner_text()
    assert "“Letters to Eleanor”" in card.inner_text()
    visitor.shot("checked")
    button(card, "Save corrections").click()
    card.get_by_text("Saved: 2 lines.").wait_for()
    visitor.shot("saved")

    (stored,) = kept(starter)
    assert stored.image == letter.read_bytes()
    record = stored.record
    assert [(line.reading, line.text) for line in record.lines] == [
        (read[0], "My dear Ellen,"),
        (read[2], read[2]),
    ]
    assert record.level == "page"
    assert record.document == "Letters to Eleanor"
    assert record.model is not None
    assert record.model.version == "1"
    for line in record.lines:
        assert line.polygon is not None
        assert len(line.polygon) >= 4
        assert line.baseline
    assert record.lines[0].box[3] < record.lines[1].box[3]

    button(card, "Delete again").click()
    expect(button(card, "Save corrections")).to_be_visible()
    assert kept(starter) == []
    # nothing was lost on the page
    assert visitor.texts(card)[0] == "My dear Ellen,"


def test_a_second_save_takes_the_place_of_the_first(
    visit: Callable[..., Visitor], starter: Service, line: Path
) -> None:
    visitor = visit(starter)
    visitor.choose(line)
    card = visitor.read_card("line.png")
    for text in ("Please meet me", "Please meet us"):
        card.locator("textarea").fill(text)
        button(card, "Save corrections").click()
        card.get_by_text("Saved: 1 line.").wait_for()
    (stored,) = kept(starter)
    assert [each.text for each in stored.record.lines] == ["Please meet us"]
    assert stored.record.document is None
    button(card, "Delete again").click()
    expect(button(card, "Delete again")).to_be_hidden()
    assert kept(starter) == []


def test_a_document_that_is_named_afterwards_is_saved_too(
    visit: Callable[..., Visitor], starter: Service, line: Path
) -> None:
    visitor = visit(starter)
    card = saved(visitor, line)
    visitor.page.locator("#options summary").click()
    visitor.page.get_by_label("Document").fill("Letters to Eleanor")
    assert "“Letters to Eleanor”" in card.inner_text()
    button(card, "Save corrections").click()
    card.get_by_text("Saved: 1 line.").wait_for()
    (stored,) = kept(starter)
    assert stored.record.document == "Letters to Eleanor"
    button(card, "Delete again").click()
    expect(button(card, "Delete again")).to_be_hidden()


def test_what_is_gone_already_is_deleted(
    visit: Callable[..., Visitor], starter: Service, line: Path
) -> None:
    visitor = visit(starter)
    card = saved(visitor, line)
    (stored,) = kept(starter)
    assert visitor.page.evaluate(
        "id => fetch(`corrections/${id}`, {method: 'DELETE'}).then(answer => answer.status)",
        stored.record.id,
    ) == 204  # fmt: skip
    button(card, "Delete again").click()
    expect(button(card, "Save corrections")).to_be_enabled()
    expect(button(card, "Delete again")).to_be_hidden()


def test_from_choosing_to_saved_without_a_mouse(visitor: Visitor, line: Path) -> None:
    page = visitor.page
    # from the start: a chooser that opens before anybody listens for it is never heard of
    choosers: list[FileChooser] = []
    page.on("filechooser", lambda chooser: choosers.append(chooser))
    page.locator("#model[data-state=ready]").wait_for()

    def tab_to(name: str) -> None:
        for _ in range(40):
            page.keyboard.press("Tab")
            focus = page.locator(":focus")
            label = focus.get_attribute("aria-label") or focus.inner_text()
            if label.startswith(name):
                return
        raise AssertionError(f"{name} is not reached by Tab")

    tab_to("Choose images")
    expect(page.locator("#choose")).to_be_focused()
    page.keyboard.press("Enter")
    for _ in range(100):
        page.wait_for_timeout(100)
        if choosers:
            break
    (chooser,) = choosers
    chooser.set_files(line)
    card = visitor.read_card("line.png")
    tab_to("The text")
    page.keyboard.press("End")
    page.keyboard.type(" evening")
    page.keyboard.press("Enter")  # the only line: on to the button
    expect(button(card, "Save corrections")).to_be_focused()
    page.keyboard.press("Enter")
    expect(button(card, "Delete again")).to_be_focused()
    service = visitor.service
    (stored,) = kept(service)
    assert stored.record.lines[0].text.endswith("Friday evening")
    page.keyboard.press("Enter")
    expect(button(card, "Save corrections")).to_be_focused()
    assert kept(service) == []


def test_all_lines_are_right_checks_them_all(visitor: Visitor, letter: Path) -> None:
    visitor.choose(letter)
    card = visitor.read_card("letter.png")
    button(card, "All lines are right").click()
    assert "3 of 3 lines checked" in card.inner_text()
    button(card, "Save corrections").click()
    card.get_by_text("Saved: 3 lines.").wait_for()
    (stored,) = kept(visitor.service)
    assert [line.text for line in stored.record.lines] == visitor.texts(card)
    assert all(line.text == line.reading for line in stored.record.lines)
    button(card, "Delete again").click()
    expect(button(card, "Delete again")).to_be_hidden()


def test_where_none_are_kept_that_is_said_and_nothing_can_be_saved(
    visit: Callable[..., Visitor], tiny: Callable[..., Service], barred: Callable[[str], Path]
) -> None:
    visitor = visit(tiny())
    visitor.choose(barred("aa"))
    card = visitor.read_card("aa.png")
    visitor.page.get_by_text("CORRECTIONS_DIR is not set").wait_for()
    assert card.get_by_role("button", name="Save corrections").count() == 0
    assert visitor.page.get_by_label("Document").is_hidden()
    card.locator("textarea").fill("ab")
    assert visitor.downloaded(card, "Download as Text")[1] == "ab\n"


def test_a_full_store_is_said(
    visit: Callable[..., Visitor],
    tiny: Callable[..., Service],
    barred: Callable[[str], Path],
    tmp_path: Path,
) -> None:
    service = tiny(corrections_dir=str(tmp_path / "kept"), corrections_max_bytes=1024)
    (tmp_path / "kept").mkdir(exist_ok=True)
    visitor = visit(service)
    for count in range(1, 8):
        visitor.choose(barred("a" * count))
        card = visitor.read_card(f"{'a' * count}.png")
        card.get_by_role("button", name="The text is right").click()
        button(card, "Save corrections").click()
        saved = card.locator(".checked-text", has_text="Saved")
        saved.or_(card.get_by_role("alert")).first.wait_for()
        if not saved.count():
            break
    assert "Whoever runs the service can delete some" in card.get_by_role("alert").inner_text()
    assert kept(service)
    expect(button(card, "Save corrections")).to_be_enabled()


def test_a_tick_is_not_lost_unasked(visitor: Visitor, letter: Path) -> None:
    page = visitor.page
    visitor.choose(letter)
    card = visitor.read_card("letter.png")
    expect(card.get_by_text("0 of 3 lines checked")).to_be_visible()
    asked: list[str] = []
    page.on("dialog", lambda dialog: (asked.append(dialog.message), dialog.dismiss()))
    card.locator(".tick").first.click()
    page.get_by_role("button", name="Remove letter.png").click()
    assert asked == ["What you have done on this card is not saved. Remove it?"]
    assert page.locator("article").count() == 1


def test_an_answer_that_breaks_off_is_said(visitor: Visitor, letter: Path) -> None:
    visitor.choose(letter)
    card = visitor.read_card("letter.png")
    card.get_by_role("button", name="All lines are right").click()
    save = card.get_by_role("button", name="Save corrections")
    expect(save).to_be_focused()
    visitor.page.route("**/corrections", lambda route: route.fulfill(body='{"id": '))
    save.click()
    expect(card.get_by_role("alert")).to_contain_text("The answer cannot be read")
    visitor.page.unroute("**/corrections")
    save.click()
    expect(card.get_by_text("Saved: 3 lines.")).to_be_visible()
