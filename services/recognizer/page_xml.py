"""What was read on an image as PAGE XML, which Transkribus, eScriptorium and Kraken open.

S. Pletschacher and A. Antonacopoulos, "The PAGE (Page Analysis and Ground-Truth Elements)
format framework", International Conference on Pattern Recognition, 2010; the schema is that of
2019-07-15.
"""

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from xml.etree import ElementTree as etree

from recognizer.layout import Points
from recognizer.placing import PlacedLine, bounds, corners

NAMESPACE = "http://schema.primaresearch.org/PAGE/gts/pagecontent/2019-07-15"
CREATOR = "Handwriting"

# what no XML document may hold, not even escaped: a file's name can
_FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def page_xml(
    image: str,
    width: int,
    height: int,
    lines: Sequence[PlacedLine],
    *,
    created: datetime | None = None,
) -> bytes:
    """A PAGE XML document in UTF-8: one text region with the lines in their order.

    Args:
        image: the image's file name, by which readers of PAGE find it.
        width: of the image, in pixels; coordinates beyond it are brought to its edge.
        height: the same.
        created: when it was read; now, if left out.
    """
    size = (width, height)
    root = etree.Element("PcGts", {"xmlns": NAMESPACE})
    metadata = etree.SubElement(root, "Metadata")
    etree.SubElement(metadata, "Creator").text = CREATOR
    moment = (created or datetime.now(UTC)).isoformat(timespec="seconds")
    for name in ("Created", "LastChange"):
        etree.SubElement(metadata, name).text = moment
    page = etree.SubElement(
        root,
        "Page",
        {"imageFilename": _allowed(image), "imageWidth": str(width), "imageHeight": str(height)},
    )
    if lines:
        region = etree.SubElement(page, "TextRegion", {"id": "r1"})
        _outline(
            region,
            "Coords",
            corners(bounds([point for line in lines for point in line.polygon])),
            size,
        )
        for number, line in enumerate(lines, start=1):
            _add_line(region, f"r1_l{number}", line, size)
    etree.indent(root, " ")
    document: bytes = etree.tostring(root, encoding="utf-8", xml_declaration=True)
    return document + b"\n"


def _add_line(region: etree.Element, name: str, line: PlacedLine, size: tuple[int, int]) -> None:
    # the schema wants this order: outline, baseline, words, text
    element = etree.SubElement(region, "TextLine", {"id": name})
    _outline(element, "Coords", line.polygon, size)
    if line.baseline:
        _outline(element, "Baseline", line.baseline, size)
    for number, word in enumerate(line.words, start=1):
        inner = etree.SubElement(element, "Word", {"id": f"{name}_w{number}"})
        _outline(inner, "Coords", corners(word.box), size)
        _text(inner, word.text, word.confidence)
    _text(element, line.text, line.confidence)


def _outline(element: etree.Element, name: str, points: Points, size: tuple[int, int]) -> None:
    width, height = size
    pairs = (f"{min(max(round(x), 0), width)},{min(max(round(y), 0), height)}" for x, y in points)
    etree.SubElement(element, name, {"points": " ".join(pairs)})


def _text(element: etree.Element, text: str, confidence: float) -> None:
    equivalent = etree.SubElement(element, "TextEquiv", {"conf": f"{confidence:.4f}"})
    etree.SubElement(equivalent, "Unicode").text = _allowed(text)


def _allowed(text: str) -> str:
    return _FORBIDDEN.sub("\ufffd", text)
