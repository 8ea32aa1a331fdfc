"""Small pages with PAGE XML or ALTO, as exports of transcription tools have them."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from xml.sax.saxutils import quoteattr

import numpy as np
from PIL import Image

from recognizer.image import Gray

PAPER, INK = 210, 30
PAGE_NS = "http://schema.primaresearch.org/PAGE/gts/pagecontent/"
ALTO_NS = "http://www.loc.gov/standards/alto/ns-v"

Points = Sequence[tuple[float, float]]


@dataclass(frozen=True)
class Written:
    """A line of bars that stand 20 pixels high on their baseline, one each 16 pixels."""

    text: str
    baseline: Points = ((40, 100), (360, 100))
    polygon: Points = field(default=())
    kind: str = ""

    def outline(self, above: float = 30, below: float = 12) -> Points:
        return self.polygon or (
            *((x, y - above) for x, y in self.baseline),
            *((x, y + below) for x, y in reversed(self.baseline)),
        )


def draw_page(
    lines: Sequence[Written], *, width: int = 400, height: int = 300, paper: int = PAPER
) -> Gray:
    page = np.full((height, width), paper, np.uint8)
    for line in lines:
        xs, ys = zip(*sorted(line.baseline), strict=True)
        for x in range(int(xs[0]) + 8, int(xs[-1]) - 8, 16):
            foot = round(float(np.interp(x, xs, ys)))
            page[max(foot - 20, 0) : foot, x : x + 4] = INK
    return page


def save_page(file: Path, lines: Sequence[Written], **options: int) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(draw_page(lines, **options)).save(file)
    return file


def page_xml(
    image: str,
    lines: Sequence[Written],
    *,
    version: str = "2019-07-15",
    size: tuple[int, int] = (400, 300),
    coords: bool = True,
    baselines: bool = True,
) -> str:
    body = "".join(
        f'<TextLine id="l{number}" custom="structure {{type:{line.kind};}}">'
        + (f'<Coords points="{_pairs(line.outline())}"/>' if coords else "")
        + (f'<Baseline points="{_pairs(line.baseline)}"/>' if baselines else "")
        + f"<TextEquiv><Unicode>{line.text}</Unicode></TextEquiv></TextLine>"
        for number, line in enumerate(lines)
    )
    return (
        f'<?xml version="1.0" encoding="UTF-8"?><PcGts xmlns="{PAGE_NS}{version}">'
        f'<Page imageFilename={quoteattr(image)} imageWidth="{size[0]}" imageHeight="{size[1]}">'
        f'<TextRegion id="r"><Coords points="0,0 1,0 1,1"/>{body}</TextRegion></Page></PcGts>'
    )


def alto_xml(
    image: str,
    lines: Sequence[Written],
    *,
    version: int = 4,
    size: tuple[int, int] = (400, 300),
    unit: str = "pixel",
) -> str:
    kinds = sorted({line.kind for line in lines if line.kind})
    tags = "".join(f'<OtherTag ID="{_tag(kind)}" LABEL="{kind}"/>' for kind in kinds)
    body = "".join(
        f'<TextLine ID="l{number}" TAGREFS="{_tag(line.kind)}" HPOS="40" VPOS="70" WIDTH="320" '
        f'HEIGHT="42" BASELINE="{_flat(line.baseline)}">'
        f'<Shape><Polygon POINTS="{_flat(line.outline())}"/></Shape>'
        + "<SP/>".join(f"<String CONTENT={quoteattr(word)}/>" for word in line.text.split())
        + "</TextLine>"
        for number, line in enumerate(lines)
    )
    return (
        f'<alto xmlns="{ALTO_NS}{version}#"><Description><MeasurementUnit>{unit}'
        f"</MeasurementUnit><sourceImageInformation><fileName>{image}</fileName>"
        f"</sourceImageInformation></Description><Tags>{tags}</Tags><Layout>"
        f'<Page WIDTH="{size[0]}" HEIGHT="{size[1]}"><PrintSpace><TextBlock>{body}</TextBlock>'
        "</PrintSpace></Page></Layout></alto>"
    )


def write_page(folder: Path, name: str, lines: Sequence[Written], *, alto: bool = False) -> Path:
    """`name`.png and `name`.xml in a folder."""
    save_page(folder / f"{name}.png", lines)
    xml = folder / f"{name}.xml"
    made = alto_xml if alto else page_xml
    xml.write_text(made(f"{name}.png", lines), encoding="utf-8")
    return xml


def _pairs(points: Points) -> str:
    return " ".join(f"{x},{y}" for x, y in points)


def _flat(points: Points) -> str:
    return " ".join(f"{x} {y}" for x, y in points)


def _tag(kind: str) -> str:
    return f"T{abs(hash(kind)) % 10**6}" if kind else ""
