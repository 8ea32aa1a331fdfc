"""ALTO, versions 2 to 4: the XML of libraries, which eScriptorium and Kraken export too.

https://www.loc.gov/standards/alto/
"""

from collections.abc import Mapping

from lxml import etree

from recognizer.alphabet import normalise
from recognizer.layout import Points
from trainer.datasets.page_layout import (
    LayoutError,
    Line,
    Page,
    child,
    children,
    number,
    points,
)

ROOT = "alto"


def read_alto(root: etree._Element) -> Page:
    """Raises `LayoutError` where there is not just one page, or no size for its millimetres."""
    pages = list(root.iter("{*}Page"))
    if len(pages) != 1:
        raise LayoutError("ALTO with several pages" if pages else "ALTO without a page")
    page = pages[0]
    name = child(root, "Description", "sourceImageInformation", "fileName")
    unit = child(root, "Description", "MeasurementUnit")
    width, height = number(page.get("WIDTH")), number(page.get("HEIGHT"))
    if unit is not None and (unit.text or "").strip() not in ("", "pixel") and not width * height:
        raise LayoutError("ALTO in millimetres without the size of the page")
    kinds = {
        tag.get("ID", ""): tag.get("LABEL", "")
        for tags in children(root, "Tags")
        for tag in tags.iterchildren()
    }
    return Page(
        image="" if name is None else "".join(name.itertext()).strip(),
        width=width,
        height=height,
        lines=tuple(_line(line, kinds) for line in page.iter("{*}TextLine")),
    )


def _line(line: etree._Element, kinds: Mapping[str, str]) -> Line:
    tags = line.get("TAGREFS", "").split()
    return Line(
        id=line.get("ID", ""),
        text=_text(line),
        polygon=_polygon(line),
        baseline=_baseline(line),
        kind=next((kinds[tag] for tag in tags if kinds.get(tag)), ""),
    )


def _text(line: etree._Element) -> str:
    """Strings and hyphens as they stand, with a space for each SP.

    Some writers leave SP out: where a line has none, its strings are words.
    """
    parts: list[str] = []
    between = "" if children(line, "SP") else " "
    for element in line.iterchildren():
        match etree.QName(element).localname:
            case "String":
                parts += [between, element.get("CONTENT", "")]
            case "SP":
                parts.append(" ")
            case "HYP":
                parts.append(element.get("CONTENT", "-"))
    return normalise("".join(parts))


def _polygon(line: etree._Element) -> Points:
    polygon = child(line, "Shape", "Polygon")
    found = points(polygon.get("POINTS")) if polygon is not None else ()
    if len(found) >= 3:
        return found
    left, top, right, bottom = _box(line)
    if right <= left or bottom <= top:
        return ()
    return ((left, top), (right, top), (right, bottom), (left, bottom))


def _baseline(line: etree._Element) -> Points:
    """Points, or before version 4.2 perhaps one number: its height on the page."""
    text = line.get("BASELINE")
    found = points(text)
    if found or not (text or "").strip():
        return found
    left, _, right, _ = _box(line)
    return ((left, number(text)), (right, number(text))) if right > left else ()


def _box(line: etree._Element) -> tuple[float, float, float, float]:
    left, top, width, height = (
        number(line.get(name)) for name in ("HPOS", "VPOS", "WIDTH", "HEIGHT")
    )
    return left, top, left + width, top + height
