"""Whole pages with PAGE XML or ALTO as a dataset."""

import multiprocessing
import pickle
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bundles import make_bundle
from page_tree import Written, alto_xml, page_xml, save_page, write_page
from recognizer.errors import UnreadableImageError
from recognizer.recognizer import Recognizer
from trainer.datasets import page_sample
from trainer.datasets.base import SPLITS, DatasetError, Sample
from trainer.datasets.lines import LinesDataset
from trainer.datasets.page import Choice, PageDataset
from trainer.datasets.page_files import split_documents
from trainer.datasets.page_sample import PageSample
from trainer.evaluation import evaluate

TWO = (
    Written("Dear Sir,"),
    Written("I am", baseline=((40, 200), (360, 220))),
)


def every(dataset: PageDataset) -> list[Sample]:
    return [sample for split in SPLITS for sample in dataset.samples(split)]


def texts(dataset: PageDataset) -> list[str]:
    return [sample.text for sample in every(dataset)]


@pytest.mark.parametrize("alto", [False, True])
def test_lines_come_with_text_image_and_document(tmp_path: Path, alto: bool) -> None:
    write_page(tmp_path / "letters", "p1", TWO, alto=alto)
    dataset = PageDataset(tmp_path / "letters")
    assert dataset.name == "page/letters"
    assert dataset.skipped == {}
    found = every(dataset)
    assert [(each.id, each.text, each.document) for each in found] == [
        ("p1/l0", "Dear Sir,", "p1"),
        ("p1/l1", "I am", "p1"),
    ]
    for each in found:
        gray = each.image()
        assert gray.dtype == np.uint8
        assert 40 <= gray.shape[0] <= 60
        assert 320 <= gray.shape[1] <= 350
        assert gray.min() < 60
        assert gray[0].min() > 180


@pytest.mark.parametrize("version", ["2010-03-19", "2013-07-15", "2019-07-15"])
def test_any_version_of_page_xml(tmp_path: Path, version: str) -> None:
    save_page(tmp_path / "p.png", TWO)
    (tmp_path / "p.xml").write_text(page_xml("p.png", TWO, version=version), encoding="utf-8")
    assert texts(PageDataset(tmp_path)) == ["Dear Sir,", "I am"]


@pytest.mark.parametrize("version", [2, 3, 4])
def test_any_version_of_alto(tmp_path: Path, version: int) -> None:
    save_page(tmp_path / "p.png", TWO)
    (tmp_path / "p.xml").write_text(alto_xml("p.png", TWO, version=version), encoding="utf-8")
    assert texts(PageDataset(tmp_path)) == ["Dear Sir,", "I am"]


def test_the_oldest_page_xml_has_an_element_for_each_point(tmp_path: Path) -> None:
    points = "".join(f'<Point x="{x}" y="{y}"/>' for x, y in Written("a").outline())
    save_page(tmp_path / "p.png", [Written("a")])
    (tmp_path / "p.xml").write_text(
        '<PcGts><Page imageFilename="p.png" imageWidth="400" imageHeight="300"><TextRegion>'
        f'<TextLine id="l"><Coords>{points}</Coords><TextEquiv><Unicode>a</Unicode></TextEquiv>'
        "</TextLine></TextRegion></Page></PcGts>"
    )
    (sample,) = every(PageDataset(tmp_path))
    assert sample.image().shape[1] > 300


def test_the_first_of_several_transcriptions_counts(tmp_path: Path) -> None:
    xml = write_page(tmp_path, "p", [Written("first")])
    one = "<TextEquiv><Unicode>first</Unicode></TextEquiv>"
    several = one.replace("Equiv>", 'Equiv index="2">', 1).replace("first", "worse") + one.replace(
        "Equiv>", 'Equiv index="0">', 1
    )
    xml.write_text(xml.read_text().replace(one, several))
    assert texts(PageDataset(tmp_path)) == ["first"]


def test_words_stand_in_for_the_text_of_a_line(tmp_path: Path) -> None:
    xml = write_page(tmp_path, "p", [Written("my dear")])
    word = '<Word id="w"><TextEquiv><Unicode>{}</Unicode></TextEquiv></Word>'
    own = "<TextEquiv><Unicode>my dear</Unicode></TextEquiv>"
    xml.write_text(xml.read_text().replace(own, word.format("my") + word.format("dear")))
    assert texts(PageDataset(tmp_path)) == ["my dear"]


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ('<String CONTENT="to"/><SP/><String CONTENT="mor"/><HYP CONTENT="-"/>', "to mor-"),
        ('<String CONTENT="to"/><String CONTENT="day"/>', "to day"),
        (
            '<String CONTENT="&quot;to"/><String CONTENT="day"/><SP/><String CONTENT="x"/>',
            '"today x',
        ),
        ('<String CONTENT="cafe&#x301;"><Glyph CONTENT="c"/></String>', "caf\u00e9"),
        ('<String CONTENT="mor" SUBS_CONTENT="morning" SUBS_TYPE="HypPart1"/><HYP/>', "mor-"),
    ],
)
def test_text_of_an_alto_line(tmp_path: Path, content: str, text: str) -> None:
    xml = write_page(tmp_path, "p", [Written("here")], alto=True)
    xml.write_text(xml.read_text().replace('<String CONTENT="here"/>', content), encoding="utf-8")
    assert texts(PageDataset(tmp_path)) == [text]


def test_old_alto_gives_a_baseline_as_one_number_and_a_box(tmp_path: Path) -> None:
    xml = write_page(tmp_path, "p", [Written("here")], alto=True)
    old = xml.read_text().replace('BASELINE="40 100 360 100"', 'BASELINE="100"')
    start, end = old.index("<Shape>"), old.index("</Shape>") + len("</Shape>")
    xml.write_text(old[:start] + old[end:])
    (sample,) = every(PageDataset(tmp_path))
    assert 40 <= sample.image().shape[0] <= 56


@pytest.mark.parametrize("unit", ["mm10", "inch1200", "pixel"])
def test_coordinates_are_scaled_to_the_image(tmp_path: Path, unit: str) -> None:
    """In other units, or of a larger scan than the image that was kept."""
    large = Written("here", baseline=((400, 1000), (3600, 1000)))
    large = Written("here", large.baseline, tuple(large.outline(300, 120)))
    save_page(tmp_path / "p.png", [Written("here")])
    (tmp_path / "p.xml").write_text(alto_xml("p.png", [large], size=(4000, 3000), unit=unit))
    (sample,) = every(PageDataset(tmp_path))
    gray = sample.image()
    assert 40 <= gray.shape[0] <= 60
    assert gray.min() < 60


@pytest.mark.parametrize(
    ("named", "place"),
    [
        ("p.png", "p.png"),
        ("p.tif", "p.png"),
        ("P.PNG", "p.png"),
        ("C:\\scans\\p.png", "p.png"),
        ("https://example.org/iiif/p.png", "p.png"),
        ("my%20page.png", "my page.png"),
        ("page/p.png", "../p.png"),
        ("p.png", "../images/p.png"),
        ("0001_full_default.png", "p.png"),
        ("", "p.png"),
    ],
)
def test_the_image_is_found_where_exports_put_it(tmp_path: Path, named: str, place: str) -> None:
    folder = tmp_path / "export" / "page"
    folder.mkdir(parents=True)
    save_page((folder / place).resolve(), TWO)
    (folder / "p.xml").write_text(page_xml(named, TWO), encoding="utf-8")
    assert texts(PageDataset(tmp_path / "export")) == ["Dear Sir,", "I am"]


def test_of_images_with_one_name_the_nearest_is_taken(tmp_path: Path) -> None:
    for number, folder in enumerate(("a", "b")):
        write_page(tmp_path / folder, "0001", [Written(f"line {number}")])
    found = every(PageDataset(tmp_path))
    assert {
        (each.text, each.picture.parent.name) for each in found if isinstance(each, PageSample)
    } == {
        ("line 0", "a"),
        ("line 1", "b"),
    }


def test_a_text_does_not_take_the_image_of_another_document(tmp_path: Path) -> None:
    for number, folder in enumerate(("a", "b")):
        write_page(tmp_path / folder / "page", "0001", [Written(f"line {number}")])
        (tmp_path / folder / "page" / "0001.png").rename(tmp_path / folder / "0001.png")
    (tmp_path / "a" / "0001.png").unlink()
    dataset = PageDataset(tmp_path)
    assert texts(dataset) == ["line 1"]
    assert dataset.skipped == {"pages: seen before": 1}


def test_a_file_without_text_gives_way_to_one_with_text(tmp_path: Path) -> None:
    write_page(tmp_path / "z", "p", TWO)
    (tmp_path / "z" / "p.png").rename(tmp_path / "p.png")
    (tmp_path / "p.xml").write_text(alto_xml("p.png", []), encoding="utf-8")
    assert texts(PageDataset(tmp_path)) == ["Dear Sir,", "I am"]


def test_pages_exported_twice_are_read_once(tmp_path: Path) -> None:
    write_page(tmp_path, "p", TWO)
    (tmp_path / "alto").mkdir()
    (tmp_path / "alto" / "p.xml").write_text(alto_xml("p.png", TWO), encoding="utf-8")
    copy = write_page(tmp_path / "again", "q", [Written("other")])
    copy.write_bytes((tmp_path / "p.xml").read_bytes())
    dataset = PageDataset(tmp_path)
    assert texts(dataset) == ["Dear Sir,", "I am"]
    assert dataset.skipped == {"pages: seen before": 2}


BOMB = """<!DOCTYPE PcGts [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">]>
<PcGts><Page imageFilename="good.png"><TextLine id="&b;"><TextEquiv><Unicode>&b;</Unicode>
</TextEquiv></TextLine></Page></PcGts>"""

LOLS = "<!DOCTYPE a [<!ENTITY x0 'lol'>{}]><a>&x19;</a>".format(
    "".join(f"<!ENTITY x{n} '{f'&x{n - 1};' * 10}'>" for n in range(1, 20))
)

OUTSIDE = '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><PcGts>&x;</PcGts>'


def test_broken_pages_are_counted_and_the_rest_is_read(tmp_path: Path) -> None:
    write_page(tmp_path, "good", TWO)
    broken = {
        "cut.xml": page_xml("good.png", TWO)[:300],
        "empty.xml": "",
        "bomb.xml": BOMB,
        "lols.xml": LOLS,
        "outside.xml": OUTSIDE,
        "mets.xml": '<mets xmlns="http://www.loc.gov/METS/"/>',
        "pageless.xml": "<PcGts/>",
        "alto.xml": "<alto><Page/><Page/></alto>",
        "imageless.xml": page_xml("nothing.png", TWO),
        "text.xml": page_xml("text.png", TWO),
        "wide.xml": page_xml("wide.png", TWO),
    }
    for name, content in broken.items():
        (tmp_path / name).write_text(content, encoding="utf-8")
    (tmp_path / "text.png").write_text("no image")
    save_page(tmp_path / "wide.png", TWO, width=900)
    (tmp_path / "._good.xml").write_bytes(b"\0\5\26\7")
    dataset = PageDataset(tmp_path)
    assert texts(dataset) == ["Dear Sir,", "I am"]
    assert dataset.skipped == {
        "pages: malformed XML": 3,  # of these one entity that grew too large
        "pages: XML with a document type": 2,
        "pages: XML that is neither PAGE nor ALTO": 1,
        "pages: PAGE XML without a page": 1,
        "pages: ALTO with several pages": 1,
        "pages: image missing": 1,
        "pages: image that cannot be read": 1,
        "pages: image of another shape than its XML says": 1,
    }


def test_lines_that_cannot_be_used_are_counted(tmp_path: Path) -> None:
    xml = write_page(
        tmp_path, "p", [Written("good"), Written(" "), Written("bare"), Written("odd")]
    )
    outline = " ".join(f"{x},{y}" for x, y in Written("").outline())
    parts = xml.read_text().split("<TextLine")
    parts[3] = parts[3].replace(outline, "").replace("40,100 360,100", "")
    parts[4] = parts[4].replace(outline, "1,1 1,1").replace("40,100 360,100", "x,y")
    xml.write_text("<TextLine".join(parts))
    dataset = PageDataset(tmp_path)
    assert texts(dataset) == ["good"]
    assert dataset.skipped == {"lines: no text": 1, "lines: neither polygon nor baseline": 2}


def test_lines_are_chosen_by_kind_and_by_editors_marks(tmp_path: Path) -> None:
    lines = [
        Written("by hand", kind="Line:Hand"),
        Written("by [hand]", kind="Line:Hand"),
        Written("typed", kind="Line:Type"),
    ]
    for alto in (False, True):
        write_page(tmp_path / str(alto), "p", lines, alto=alto)
        chosen = PageDataset(tmp_path / str(alto), choice=Choice(kinds={"Line:Hand"}, marks="[]"))
        assert texts(chosen) == ["by hand"]
        assert chosen.skipped == {"lines: of another kind": 1, "lines: editors' marks": 1}


def test_lines_with_words_run_together_are_left_out(tmp_path: Path) -> None:
    write_page(tmp_path, "p", [Written("one long word"), Written("onelongword of a line")])
    chosen = PageDataset(tmp_path, choice=Choice(longest_word=10))
    assert texts(chosen) == ["one long word"]
    assert chosen.skipped == {"lines: words run together": 1}


def test_ids_are_unique_where_those_of_the_lines_are_not(tmp_path: Path) -> None:
    xml = write_page(tmp_path, "p", TWO)
    xml.write_text(xml.read_text().replace('id="l1"', 'id="l0"'))
    assert [each.id for each in every(PageDataset(tmp_path))] == ["p/l0", "p/l0.2"]


def test_pages_tsv_says_split_and_document(tmp_path: Path) -> None:
    for name in ("a.1", "b", "c", "d"):
        write_page(tmp_path / "letters" / "pages", name, [Written(name)])
    rows = ["a.1.jpg\ttrain\tletter 1", "b\tval", "pages/c.xml\ttest", ""]
    (tmp_path / "letters" / "pages.tsv").write_text("\n".join(rows))
    dataset = PageDataset(tmp_path / "letters")
    found = {split: [(s.text, s.document) for s in dataset.samples(split)] for split in SPLITS}
    assert found == {
        "train": [("a.1", "letter 1")],
        "val": [("b", "b")],
        "test": [("c", "pages/c")],
    }
    assert dataset.skipped == {"pages: not in pages.tsv": 1}
    inner = PageDataset(tmp_path / "letters" / "pages")
    assert inner.name == "page/letters"
    assert [s.text for s in inner.samples("val")] == ["b"]


@pytest.mark.parametrize("row", ["scan 7.png", "images/scan 7.png", "scan 7"])
def test_pages_tsv_may_name_the_images(tmp_path: Path, row: str) -> None:
    xml = write_page(tmp_path / "page", "p1", TWO)
    (tmp_path / "images").mkdir()
    (tmp_path / "page" / "p1.png").rename(tmp_path / "images" / "scan 7.png")
    xml.write_text(xml.read_text().replace("p1.png", "scan 7.png"))
    (tmp_path / "pages.tsv").write_text(f"{row}\ttest\tletter\n")
    assert {each.document for each in PageDataset(tmp_path).samples("test")} == {"letter"}


def test_a_name_that_several_images_have_says_nothing(tmp_path: Path) -> None:
    for folder in ("a", "b"):
        xml = write_page(tmp_path / folder, f"x{folder}", [Written(folder)])
        (tmp_path / folder / f"x{folder}.png").rename(tmp_path / folder / "0001.png")
        xml.write_text(xml.read_text().replace(f"x{folder}.png", "0001.png"))
    (tmp_path / "pages.tsv").write_text("0001.png\ttest\tA\nb/0001.png\tval\tB\n")
    dataset = PageDataset(tmp_path)
    assert [(each.text, each.document) for each in dataset.samples("val")] == [("b", "B")]
    assert not dataset.samples("test")
    assert dataset.skipped == {"pages: not in pages.tsv": 1}


def test_a_pages_tsv_of_other_pages_above_is_not_taken(tmp_path: Path) -> None:
    write_page(tmp_path / "mine", "a", TWO)
    (tmp_path / "pages.tsv").write_text("other.jpg\ttest\n")
    dataset = PageDataset(tmp_path / "mine")
    assert len(dataset.samples("train")) == 2
    assert dataset.name == "page/mine"


def test_a_broken_pages_tsv_names_its_row(tmp_path: Path) -> None:
    write_page(tmp_path, "a", TWO)
    (tmp_path / "pages.tsv").write_text("a.png\ttrain\nb.png\texam\n")
    with pytest.raises(DatasetError, match=r"pages\.tsv, row 2: it needs"):
        PageDataset(tmp_path)


def test_without_pages_tsv_a_page_is_a_document_and_stays_in_its_split(tmp_path: Path) -> None:
    for number in range(12):
        write_page(tmp_path, f"p{number}", [Written(str(number))])
    first = PageDataset(tmp_path)
    counts = {split: len(first.samples(split)) for split in SPLITS}
    assert all(counts.values())
    assert counts["train"] >= 8
    again = PageDataset(tmp_path)
    for split in SPLITS:
        assert [s.id for s in first.samples(split)] == [s.id for s in again.samples(split)]


def test_splits_hardly_change_when_documents_are_added() -> None:
    names = [f"page {number}" for number in range(400)]
    few, all_of_them = split_documents(names[:200]), split_documents(names)
    assert all(all_of_them[name] == split for name, split in few.items())
    shares = Counter(all_of_them.values())
    assert 290 <= shares["train"] <= 350
    assert min(shares["val"], shares["test"]) >= 25


@pytest.mark.parametrize("count", [1, 2, 3, 5])
def test_few_documents_still_give_something_to_validate_on(count: int) -> None:
    for start in range(30):
        splits = split_documents(f"{start}-{number}" for number in range(count))
        found = Counter(splits.values())
        assert found["train"] >= 1 or count == 1
        assert found["val"] >= 1 or count == 1
        assert found["test"] >= 1 or count < 3


def test_cut_lines_are_kept_and_cut_anew_when_the_page_changes(tmp_path: Path) -> None:
    write_page(tmp_path / "set", "p", TWO)
    keep = tmp_path / "keep"
    first, second = every(PageDataset(tmp_path / "set", keep=keep))
    image = first.image()
    assert len(list(keep.rglob("*.png"))) == 2
    page_sample._open.cache_clear()
    before = page_sample._open.cache_info().misses
    np.testing.assert_array_equal(first.image(), image)
    second.image()
    assert page_sample._open.cache_info().misses == before, "the page was opened again"
    plain = every(PageDataset(tmp_path / "set"))
    np.testing.assert_array_equal(plain[1].image(), second.image())

    save_page(tmp_path / "set" / "p.png", TWO, paper=160)
    changed = every(PageDataset(tmp_path / "set", keep=keep))[0].image()
    assert abs(int(np.median(changed)) - 160) <= 2


def test_where_lines_cannot_be_kept_they_are_cut_each_time(tmp_path: Path) -> None:
    write_page(tmp_path / "set", "p", TWO)
    (tmp_path / "keep").write_text("a file")
    first, _ = every(PageDataset(tmp_path / "set", keep=tmp_path / "keep"))
    assert first.image().min() < 60


def _look(sample: Sample) -> tuple[int, ...]:
    return sample.image().shape


def test_kept_lines_are_for_all_who_share_the_data(tmp_path: Path) -> None:
    write_page(tmp_path / "set", "p", TWO)
    every(PageDataset(tmp_path / "set", keep=tmp_path / "keep"))[0].image()
    (kept,) = (each for each in (tmp_path / "keep").glob("*/*") if each.is_dir())
    assert kept.stat().st_mode & 0o777 == 0o755


def test_worker_processes_cut_the_same_page_at_once(tmp_path: Path) -> None:
    write_page(tmp_path / "set", "p", TWO)
    samples = every(PageDataset(tmp_path / "set", keep=tmp_path / "keep"))
    assert all(len(pickle.dumps(sample)) < 1500 for sample in samples)
    with ProcessPoolExecutor(2, multiprocessing.get_context("spawn")) as pool:
        shapes = list(pool.map(_look, samples * 4))
    assert shapes[:2] == shapes[2:4] == [sample.image().shape for sample in samples]
    assert not list((tmp_path / "keep").rglob(".cutting-*"))


def test_threads_cut_the_page_of_their_lines_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_page(tmp_path / "set", "p", TWO)
    samples = every(PageDataset(tmp_path / "set", keep=tmp_path / "keep"))
    cuts = []
    real = page_sample.keep_lines

    def counted(xml: Path, picture: Path, kept: Path) -> None:
        cuts.append(kept)
        time.sleep(0.05)
        real(xml, picture, kept)

    monkeypatch.setattr(page_sample, "keep_lines", counted)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(_look, samples * 4))
    assert len(cuts) == 1


AWAY = Written("far away", baseline=((900, 900), (990, 900)))


def test_a_line_that_cannot_be_cut_does_not_take_its_page_along(tmp_path: Path) -> None:
    write_page(tmp_path / "set", "p", [AWAY, *TWO])
    for keep in (tmp_path / "keep", None):
        first, second, _ = every(PageDataset(tmp_path / "set", keep=keep))
        assert second.image().min() < 60
        with pytest.raises(UnreadableImageError, match="outside its page"):
            first.image()


@pytest.mark.parametrize("kept", [True, False])
def test_a_page_that_broke_after_it_was_opened_cannot_be_read(tmp_path: Path, kept: bool) -> None:
    xml = write_page(tmp_path / "set", "p", TWO)
    (first, _) = every(PageDataset(tmp_path / "set", keep=tmp_path / "keep" if kept else None))
    xml.write_text("<PcGts/>")
    with pytest.raises(UnreadableImageError, match="PAGE XML without a page"):
        first.image()


def test_lines_that_cannot_be_cut_are_counted_where_a_set_is_evaluated(tmp_path: Path) -> None:
    write_page(tmp_path / "set", "p", [AWAY, *TWO])
    recognizer = Recognizer.load(make_bundle(tmp_path / "bundle").path)
    found = evaluate(recognizer, every(PageDataset(tmp_path / "set")))
    assert [each.sample.text for each in found.judged] == ["Dear Sir,", "I am"]
    assert found.unreadable == 1


@pytest.mark.parametrize("kind", ["jpg", "tif"])
def test_a_scan_turned_by_its_exif_fits_its_xml(tmp_path: Path, kind: str) -> None:
    xml = write_page(tmp_path, "p", TWO)
    exif = Image.Exif()
    exif[0x0112] = 6
    with Image.open(tmp_path / "p.png") as picture:
        picture.rotate(90, expand=True).save(tmp_path / f"p.{kind}", exif=exif, quality=95)
    (tmp_path / "p.png").unlink()
    sample = every(PageDataset(xml))[0]
    assert sample.image().min() < 70


def test_a_folder_without_pages_says_what_is_wanted(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"There is no .*nowhere"):
        PageDataset(tmp_path / "nowhere")
    with pytest.raises(DatasetError, match="there is no XML file"):
        PageDataset(tmp_path)
    (tmp_path / "p.xml").write_text(page_xml("gone.png", TWO))
    with pytest.raises(DatasetError, match="1 pages: image missing") as caught:
        PageDataset(tmp_path)
    assert len(str(caught.value).splitlines()) <= 2


def test_the_licence_lies_beside_the_pages(tmp_path: Path) -> None:
    write_page(tmp_path / "set", "p", TWO)
    assert PageDataset(tmp_path / "set").licence == "set: licence not stated"
    (tmp_path / "set" / "LICENSE.md").write_text("# My letters\n\nLicence: CC BY 4.0\n")
    assert PageDataset(tmp_path / "set").licence == "My letters. Licence: CC BY 4.0"


def test_real_pages_agree_with_the_lines_cut_from_them(shared_data: Path) -> None:
    started = time.perf_counter()
    dataset = PageDataset(shared_data / "hooker" / "pages")
    assert time.perf_counter() - started < 10
    assert {split: len(dataset.samples(split)) for split in SPLITS} == {
        "train": 2201,
        "val": 326,
        "test": 340,
    }
    assert dataset.skipped == {"lines: no text": 56}
    assert "CC BY-SA" in dataset.licence
    pages: dict[str, dict[str, Sample]] = {}
    for sample in every(dataset):
        pages.setdefault(sample.document, {})[sample.text] = sample
    shared = 0
    lines = LinesDataset(shared_data / "hooker")
    for split in SPLITS:
        for line in lines.samples(split):
            page = pages.get(Path(line.id).stem.rpartition("_")[0])
            if page is None:
                continue
            shared += 1
            assert line.text in page
            if shared % 400 == 1:
                ours, theirs = page[line.text].image(), line.image()
                shapes = [each.shape[1] / each.shape[0] for each in (ours, theirs)]
                assert shapes[0] == pytest.approx(shapes[1], rel=0.35)
    assert shared == 2770
