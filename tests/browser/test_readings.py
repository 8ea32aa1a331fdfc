"""A reading: lines and image together, other readings, corrections by hand, files of it."""

import shutil
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree as etree

import httpx
from playwright.sync_api import Locator, Page, expect

from bundles import bars
from recognizer.page_xml import NAMESPACE
from trainer.datasets.base import SPLITS
from trainer.datasets.page import PageDataset
from visiting import Service, Visitor, json_of


def field(card: Locator, at: int) -> Locator:
    return card.locator(".line textarea").nth(at)


def page_of(visitor: Visitor, letter: Path) -> Locator:
    visitor.choose(letter)
    return visitor.read_card("letter.png")


def focused(page: Page) -> str:
    name: str = page.evaluate(
        "document.activeElement.getAttribute('aria-label') ?? document.activeElement.textContent"
    )
    return name.strip()


def test_line_and_image_show_each_other(visitor: Visitor, letter: Path) -> None:
    card = page_of(visitor, letter)
    field(card, 1).focus()
    expect(card.locator(".outline").nth(1)).to_have_class("outline lit")
    lens = card.locator(".lens").get_attribute("viewBox")
    visitor.shot("page-line")
    # the other way round: a word of the image lights up in the text, a click goes there
    third = card.locator(".overlay g").nth(2).locator("rect").nth(2)
    third.hover()
    lit = card.locator(".line").nth(2).locator(".word.lit")
    assert lit.inner_text() == field(card, 2).input_value().split()[2]
    assert card.locator(".lens").get_attribute("viewBox") != lens
    third.click()
    expect(field(card, 2)).to_be_focused()


def test_words_are_marked_as_sure_as_they_are(visitor: Visitor, line: Path) -> None:
    """In colour, in the kind of underline, in a title and in the name of the field."""
    files = {"image": line.read_bytes()}
    reading = httpx.post(f"{visitor.service.uri}predict", files=files).json()
    words = reading["lines"][0]["words"]
    words[1]["confidence"], words[3]["confidence"] = 0.75, 0.31
    visitor.page.route("**/predict?*", lambda route: route.fulfill(json=reading))
    visitor.choose(line)
    card = visitor.read_card("line.png")
    shown = card.locator(".shade .word")
    styles = [
        shown.nth(at).evaluate(
            "(word) => [getComputedStyle(word).textDecorationLine, "
            "getComputedStyle(word).textDecorationStyle]"
        )
        for at in (0, 1, 3)
    ]
    assert styles[0][0] == "none"
    assert styles[1] == ["underline", "dotted"]
    assert styles[2] == ["underline", "wavy"]
    assert "meet unsure, 75 %; at doubtful, 31 %" in str(field(card, 0).get_attribute("aria-label"))
    legend = card.get_by_role("list", name="How words are marked").inner_text()
    assert "below 90 %" in legend
    assert "below 60 %" in legend
    shown.nth(3).hover(force=True)
    expect(field(card, 0)).to_have_attribute("title", "at: 31 % sure")
    visitor.shot("unsure")
    # what somebody has checked is doubtful no more
    card.get_by_role("button", name="The text is right").click()
    assert shown.nth(3).get_attribute("class") == "word sure"


def test_another_reading_of_a_word_takes_its_place(visitor: Visitor, line: Path) -> None:
    visitor.choose(line)
    card = visitor.read_card("line.png")
    read = field(card, 0).input_value().split()
    card.locator(".overlay rect").first.click()
    menu = card.get_by_role("menu")
    word = menu.get_by_role("group", name=f"In place of “{read[0]}”").get_by_role("menuitem").first
    chosen = word.locator("span").first.inner_text().strip()
    assert chosen != read[0]
    visitor.shot("choices")
    word.click()
    assert field(card, 0).input_value().split() == [chosen, *read[1:]]
    expect(card.get_by_role("button", name="The text is right")).to_have_attribute(
        "aria-pressed", "true"
    )
    # and back again: what was read is among the other readings now
    card.get_by_role("button", name="Other readings of The text").click()
    visitor.page.keyboard.press("End")
    whole = card.get_by_role("group", name="The whole line").get_by_role("menuitem")
    assert whole.first.locator("span").first.inner_text().strip() == " ".join(read)
    whole.first.click()
    assert field(card, 0).input_value().split() == read


def test_other_readings_by_keyboard_alone(visitor: Visitor, line: Path) -> None:
    visitor.choose(line)
    card = visitor.read_card("line.png")
    read = field(card, 0).input_value()
    field(card, 0).focus()
    keyboard = visitor.page.keyboard
    keyboard.press("Home")
    keyboard.press("Alt+ArrowDown")
    expect(card.get_by_role("menuitem").first).to_be_focused()
    keyboard.press("ArrowDown")
    expect(card.get_by_role("menuitem").nth(1)).to_be_focused()
    keyboard.press("Escape")
    expect(field(card, 0)).to_be_focused()
    assert card.get_by_role("menu").count() == 0
    assert field(card, 0).input_value() == read
    keyboard.press("Alt+ArrowDown")
    keyboard.press("Enter")
    expect(field(card, 0)).to_be_focused()
    assert field(card, 0).input_value() != read
    keyboard.press("Escape")
    assert field(card, 0).input_value() == read


def test_enter_confirms_and_goes_on_escape_takes_back(visitor: Visitor, letter: Path) -> None:
    card = page_of(visitor, letter)
    read = visitor.texts(card)
    keyboard = visitor.page.keyboard
    field(card, 0).focus()
    keyboard.press("Enter")
    assert focused(visitor.page).startswith("Line 2")
    keyboard.press("End")
    keyboard.type(" indeed")
    assert field(card, 1).input_value() == f"{read[1]} indeed"
    keyboard.press("Escape")
    assert visitor.texts(card) == read
    ticks = card.locator(".tick")
    pressed = [ticks.nth(at).get_attribute("aria-pressed") for at in range(3)]
    assert pressed == ["true", "false", "false"]


def test_escape_takes_back_to_what_was_confirmed(visitor: Visitor, line: Path) -> None:
    visitor.choose(line)
    card = visitor.read_card("line.png")
    field(card, 0).fill("Please meet us")
    keyboard = visitor.page.keyboard
    keyboard.press("Enter")
    field(card, 0).focus()
    keyboard.press("End")
    keyboard.type(" at noon")
    keyboard.press("Escape")
    assert field(card, 0).input_value() == "Please meet us"
    assert card.locator(".tick").first.get_attribute("aria-pressed") == "true"


def test_escape_takes_back_an_edit_after_the_menu_was_open(visitor: Visitor, line: Path) -> None:
    visitor.choose(line)
    card = visitor.read_card("line.png")
    keyboard = visitor.page.keyboard
    read = field(card, 0).input_value()
    field(card, 0).focus()
    keyboard.press("End")
    keyboard.type(" indeed")
    keyboard.press("Home")
    keyboard.press("Alt+ArrowDown")
    card.get_by_role("menu").wait_for()
    keyboard.press("Escape")
    expect(card.get_by_role("menu")).to_have_count(0)
    assert field(card, 0).input_value() == f"{read} indeed"
    keyboard.press("Escape")
    assert field(card, 0).input_value() == read


def test_what_escape_brings_back_is_ticked_only_if_it_was(visitor: Visitor, line: Path) -> None:
    visitor.choose(line)
    card = visitor.read_card("line.png")
    read = field(card, 0).input_value()
    field(card, 0).focus()
    visitor.page.keyboard.type("So ")
    tick = card.locator(".tick").first
    tick.click()
    tick.click()  # for what was written, not for what was read
    field(card, 0).focus()
    visitor.page.keyboard.press("Escape")
    assert field(card, 0).input_value() == read
    assert tick.get_attribute("aria-pressed") == "false"


def test_escape_takes_back_nothing_of_an_earlier_visit(visitor: Visitor, line: Path) -> None:
    visitor.choose(line)
    card = visitor.read_card("line.png")
    keyboard = visitor.page.keyboard
    field(card, 0).fill("Please meet us")
    card.locator(".tick").first.click()  # by a button of the line; it was ticked by writing
    card.locator(".tick").first.click()
    visitor.page.get_by_role("button", name="Choose images").focus()
    field(card, 0).focus()
    keyboard.press("Escape")
    assert field(card, 0).input_value() == "Please meet us"
    assert card.locator(".tick").first.get_attribute("aria-pressed") == "true"


def test_a_line_has_no_second_row(visitor: Visitor, line: Path) -> None:
    visitor.choose(line)
    card = visitor.read_card("line.png")
    field(card, 0).fill("two\nrows\tof text")
    assert field(card, 0).input_value() == "two rows of text"


def test_copies_and_files_have_the_corrected_text(
    visit: Callable[..., Visitor], starter: Service, letter: Path, tmp_path: Path
) -> None:
    visitor = visit(starter, permissions=["clipboard-read", "clipboard-write"])
    card = page_of(visitor, letter)
    field(card, 0).fill("My dear Ellen, & all <of> you")
    field(card, 1).press("Enter")
    lines = visitor.texts(card)

    card.get_by_role("button", name="Copy").click()
    copied = visitor.page.evaluate("navigator.clipboard.readText()")
    assert copied.split("\n") == lines

    name, text = visitor.downloaded(card, "Download as Text")
    assert (name, text) == ("letter.txt", "\n".join(lines) + "\n")

    name, text = visitor.downloaded(card, "Download as JSON")
    found = json_of(text)
    assert name == "letter.json"
    assert found["text"].split("\n") == [line["text"] for line in found["lines"]] == lines
    assert [line["checked"] for line in found["lines"][:3]] == [True, True, False]
    assert found["lines"][0]["reading"] != found["lines"][0]["text"]
    assert found["model"]["version"] == "1"

    name, text = visitor.downloaded(card, "Download as PAGE XML")
    assert name == "letter.xml"
    (tmp_path / name).write_text(text, "utf-8")
    shutil.copy(letter, tmp_path)
    dataset = PageDataset(tmp_path)
    assert dataset.skipped == {}
    samples = [sample for split in SPLITS for sample in dataset.samples(split)]
    assert [sample.text for sample in samples] == lines
    assert all(sample.image().std() > 10 for sample in samples)  # there is writing where it says
    page = etree.fromstring(text).find(f"{{{NAMESPACE}}}Page")
    assert page is not None
    assert (page.get("imageWidth"), page.get("imageHeight")) == ("900", "330")
    kinds = [child.tag.rpartition("}")[2] for child in page.find(f".//{{{NAMESPACE}}}TextLine[2]")]  # type: ignore[union-attr]
    assert kinds == sorted(kinds, key=["Coords", "Baseline", "Word", "TextEquiv"].index)


def test_level_and_decoder_are_asked_for_and_remembered(
    visit: Callable[..., Visitor], starter: Service, line: Path
) -> None:
    visitor = visit(starter)
    page = visitor.page
    decoder = page.get_by_label("Decoder")
    expect(decoder).to_have_value("auto")
    hints = set()
    for value in ("auto", "greedy", "beam", "lexicon"):
        decoder.select_option(value)
        hints.add(page.locator("#decoder-hint").inner_text())
    assert len(hints) == 4
    assert min(map(len, hints)) > 30
    page.get_by_label("The image shows").select_option("word")
    with page.expect_request("**/predict?*") as asked:
        visitor.choose(line)
    assert "level=word&decoder=lexicon&alternatives=5" in asked.value.url
    assert "Read as a word" in visitor.read_card("line.png").locator(".meta").inner_text()
    page.reload()
    expect(decoder).to_have_value("lexicon")
    expect(page.get_by_label("The image shows")).to_have_value("word")


def test_it_works_below_another_root(
    visit: Callable[..., Visitor], tiny: Callable[..., Service], barred: Callable[[str], Path]
) -> None:
    visitor = visit(tiny(below="/some/where"))
    visitor.choose(barred("aa a"))
    assert visitor.texts(visitor.read_card("aa-a.png")) == ["aa a"]
    assert all("/some/where/" in url for url in visitor.requests if url.startswith("http"))


def test_an_image_that_no_browser_shows_is_read_all_the_same(
    visit: Callable[..., Visitor], tiny: Callable[..., Service], tmp_path: Path
) -> None:
    (tmp_path / "scan.tif").write_bytes(bars("aaa", "TIFF"))
    visitor = visit(tiny())
    visitor.choose(tmp_path / "scan.tif")
    card = visitor.read_card("scan.tif")
    assert visitor.texts(card) == ["aaa"]
    _, text = visitor.downloaded(card, "Download as PAGE XML")
    assert f'imageWidth="{8 * (4 * 3 + 3)}" imageHeight="32"' in text
