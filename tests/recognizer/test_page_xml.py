"""PAGE XML: what is written is what the project's own loader reads, in the schema's order."""

from datetime import UTC, datetime

from lxml import etree

from recognizer.page_xml import NAMESPACE, page_xml
from recognizer.placing import PlacedLine, PlacedWord, corners
from trainer.datasets.page_layout import parse_xml
from trainer.datasets.page_xml import read_page_xml

LINES = [
    PlacedLine(
        "Dear <Anna> & Émile",
        0.91,
        [(10.4, 20), (300, 18.6), (301, 60), (9, 62)],
        [PlacedWord("Dear", 0.95, (10, 20, 80, 60)), PlacedWord("<Anna>", 0.9, (95, 20, 190, 60))],
        baseline=[(10, 55), (300, 54)],
    ),
    PlacedLine("", 0.4, corners((10, 80, 300, 120))),
]


def names(element: etree._Element) -> list[str]:
    return [etree.QName(each).localname for each in element]


def test_what_is_written_is_read_by_the_loader() -> None:
    page = read_page_xml(parse_xml(page_xml("1.jpg", 400, 200, LINES)))
    assert (page.image, page.width, page.height) == ("1.jpg", 400, 200)
    first, second = page.lines
    assert first.text == "Dear <Anna> & Émile"
    assert first.polygon == ((10, 20), (300, 19), (301, 60), (9, 62))
    assert first.baseline == ((10, 55), (300, 54))
    assert (second.text, second.baseline) == ("", ())


def test_elements_come_in_the_order_of_the_schema() -> None:
    moment = datetime(2026, 11, 21, tzinfo=UTC)
    root = parse_xml(page_xml("1.jpg", 400, 200, LINES, created=moment))
    assert root.tag == f"{{{NAMESPACE}}}PcGts"
    metadata, page = root
    assert [each.text for each in metadata] == ["Handwriting"] + 2 * ["2026-11-21T00:00:00+00:00"]
    (region,) = page
    assert names(region) == ["Coords", "TextLine", "TextLine"]
    assert region[0].get("points") == "9,18 301,18 301,120 9,120"
    line = region[1]
    assert names(line) == ["Coords", "Baseline", "Word", "Word", "TextEquiv"]
    assert names(line[2]) == ["Coords", "TextEquiv"]
    assert line[2][1].get("conf") == "0.9500"
    found = [each.get("id") for each in root.iter() if each.get("id")]
    assert len(set(found)) == len(found) == 5


def test_coordinates_lie_on_the_page() -> None:
    line = PlacedLine("a", 1.0, [(-5, -1), (500, 0), (500, 300)])
    page = read_page_xml(parse_xml(page_xml("1.jpg", 400, 200, [line])))
    assert page.lines[0].polygon == ((0, 0), (400, 0), (400, 200))


def test_characters_that_xml_forbids_are_replaced() -> None:
    root = parse_xml(page_xml("a\x07b.png", 10, 10, [PlacedLine("\x00", 1, corners((0, 0, 9, 9)))]))
    page = read_page_xml(root)
    assert (page.image, page.lines[0].text) == ("a\ufffdb.png", "\ufffd")


def test_a_page_without_lines_has_no_region() -> None:
    assert names(parse_xml(page_xml("1.jpg", 400, 200, []))[1]) == []
