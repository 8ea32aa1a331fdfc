"""PAGE XML, any version: what Transkribus, eScriptorium and Kraken export.

S. Pletschacher and A. Antonacopoulos, "The PAGE (Page Analysis and Ground-Truth Elements)
format framework", International Conference on Pattern Recognition, 2010.
"""

import re

from lxml import etree

from recognizer.alphabet import normalise
from recognizer.layout import Points
from trainer.datasets.page_layout import (
    LayoutError,
    Line,
    Page,
    child,
    children,
    joined,
    number,
    points,
)

ROOT = "PcGts"

_TYPE = re.compile(r"structure\s*\{[^}]*?type:\s*([^;}]+)")


def read_page_xml(root: etree._Element) -> Page:
    """Raises `LayoutError` where there is no page."""
    page = child(root, "Page")
    if page is None:
        raise LayoutError("PAGE XML without a page")
    return Page(
        image=page.get("imageFilename", "").strip(),
        width=number(page.get("imageWidth")),
        height=number(page.get("imageHeight")),
        lines=tuple(_line(line) for line in page.iter("{*}TextLine")),
    )


def _line(line: etree._Element) -> Line:
    kind = _TYPE.search(line.get("custom", ""))
    return Line(
        id=line.get("id", ""),
        text=_text(line) or joined(_text(word) for word in children(line, "Word")),
        polygon=_points(child(line, "Coords")),
        baseline=_points(child(line, "Baseline")),
        kind=kind[1].strip() if kind else "",
    )


def _text(element: etree._Element) -> str:
    """Its first transcription: further ones, of a higher index, are alternatives."""
    found = [
        (number(each.get("index")), normalise("".join(unicode.itertext())))
        for each in children(element, "TextEquiv")
        if (unicode := child(each, "Unicode")) is not None
    ]
    return min(found, key=lambda each: each[0])[1] if found else ""


def _points(element: etree._Element | None) -> Points:
    if element is None:
        return ()
    if "points" in element.attrib:
        return points(element.get("points"))
    # before 2013 each point was an element
    return tuple((number(p.get("x")), number(p.get("y"))) for p in children(element, "Point"))
