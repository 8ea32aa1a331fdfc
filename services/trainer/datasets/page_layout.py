"""What PAGE XML and ALTO have in common: a page, its lines, and XML read with care."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from lxml import etree

from recognizer import layout
from recognizer.alphabet import normalise
from recognizer.layout import Points

LARGEST_FILE = 64 * 2**20

_NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?")


class LayoutError(Exception):
    """A file is no page that can be used; the message is a reason to count it under."""


@dataclass(frozen=True, slots=True)
class Line(layout.Line):
    """A line of a page and what was transcribed of it."""

    id: str = ""
    text: str = ""
    """Normalised; empty where nothing was transcribed."""
    kind: str = ""
    """What its transcribers called it, such as `DefaultLine:Handwritten`; empty if nothing."""


@dataclass(frozen=True, slots=True)
class Page:
    """The lines of one page image, in the order of the file."""

    image: str
    """The image's name as the file has it, perhaps with folders; empty where it has none."""
    width: float
    height: float
    """Size that the coordinates refer to; 0 where it is not stated."""
    lines: tuple[Line, ...]


def parse_xml(data: bytes) -> etree._Element:
    """The root of an XML document that neither reaches for other files nor grows while read.

    Raises:
        LayoutError: malformed, too large, or with a document type, which these formats never
            have and attacks on XML readers always do.
    """
    if len(data) > LARGEST_FILE:
        raise LayoutError("XML too large")
    parser = etree.XMLParser(
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
    )
    try:
        root = etree.fromstring(data, parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise LayoutError("malformed XML") from error
    if root.getroottree().docinfo.doctype:
        raise LayoutError("XML with a document type")
    return root


def children(element: etree._Element, name: str) -> list[etree._Element]:
    """Those with this local name, whatever the namespace and so the version of the format."""
    return list(element.iterchildren(f"{{*}}{name}"))


def child(element: etree._Element | None, *path: str) -> etree._Element | None:
    """The first below `element` along a path of local names."""
    for name in path:
        element = None if element is None else next(iter(children(element, name)), None)
    return element


def points(text: str | None) -> Points:
    """Numbers in pairs, however they are separated: `1,2 3,4` and `1 2 3 4` alike."""
    numbers = [float(number) for number in _NUMBER.findall(text or "")]
    return tuple(zip(numbers[::2], numbers[1::2], strict=False))


def number(text: str | None) -> float:
    """0 where there is none."""
    found = _NUMBER.search(text or "")
    return float(found[0]) if found else 0.0


def joined(words: Iterable[str | None]) -> str:
    return normalise(" ".join(word for word in words if word))


def read_bytes(path: Path) -> bytes:
    """Raises `LayoutError`."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise LayoutError("XML that cannot be read") from error
