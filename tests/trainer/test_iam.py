import io
import pickle
import shutil
import tarfile
import threading
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

import iam_tree
from iam_tree import LINES, WORDS
from recognizer.errors import ImageError
from trainer.datasets import archive
from trainer.datasets.archive import ArchiveError
from trainer.datasets.base import SPLITS, Dataset, DatasetError, Level, Sample
from trainer.datasets.iam import IamDataset

MANY = {f"{series}-{form:03}-00-00": "word" for series in ("a01", "c02") for form in range(60)}


def everything(dataset: Dataset) -> list[Sample]:
    return [sample for split in SPLITS for sample in dataset.samples(split)]


def texts(dataset: Dataset) -> dict[str, str]:
    return {sample.id: sample.text for sample in everything(dataset)}


def place_ascii(root: Path) -> Path:
    iam_tree.write_words_index(root / "ascii")
    iam_tree.draw_words(root / "words")
    return root


def place_top(root: Path) -> Path:
    iam_tree.write_words_index(root)
    iam_tree.draw_words(root / "words")
    return root


def place_flat(root: Path) -> Path:
    iam_tree.write_words_index(root)
    iam_tree.draw_words(root)
    return root


def place_tutorial_folder(root: Path) -> Path:
    iam_tree.write_words_index(root / "IAM_Words")
    iam_tree.draw_words(root / "IAM_Words" / "words")
    return root


def place_unzipped_only(root: Path) -> Path:
    """The tutorial's zip unpacked by hand, its words.tgz not."""
    iam_tree.write_words_index(root / "IAM_Words")
    images = iam_tree.draw_words(root.parent / "scratch")
    iam_tree.tar(root / "IAM_Words" / "words.tgz", images)
    return root


def place_site_archives(root: Path) -> Path:
    """What the IAM site offers, downloaded into one folder."""
    root.mkdir()
    scratch = root.parent / "scratch"
    iam_tree.write_words_index(scratch / "ascii")
    iam_tree.tar(root / "ascii.tgz", scratch / "ascii")
    iam_tree.tar(root / "words.tgz", iam_tree.draw_words(scratch / "words"))
    return root


def place_tar_beside_index(root: Path) -> Path:
    root.mkdir()
    iam_tree.write_words_index(root)
    return iam_tree.tar(root / "words.tgz", iam_tree.draw_words(root.parent / "scratch"))


def place_tar_beside_ascii(root: Path) -> Path:
    root.mkdir()
    iam_tree.write_words_index(root / "ascii")
    return iam_tree.tar(root / "words.tgz", iam_tree.draw_words(root.parent / "scratch"))


def place_tar_with_index(root: Path) -> Path:
    root.mkdir()
    return iam_tree.tar(root / "all.tar.gz", place_ascii(root.parent / "scratch"), "iam")


def place_tutorial_zip(root: Path) -> Path:
    root.mkdir()
    return iam_tree.tutorial_zip(root / "IAM_Words.zip", root.parent / "scratch")


def place_tutorial_zip_folder(root: Path) -> Path:
    return place_tutorial_zip(root).parent


@pytest.mark.parametrize(
    "place",
    [
        place_ascii,
        place_top,
        place_flat,
        place_tutorial_folder,
        place_unzipped_only,
        place_site_archives,
        place_tar_beside_index,
        place_tar_beside_ascii,
        place_tar_with_index,
        place_tutorial_zip,
        place_tutorial_zip_folder,
    ],
)
def test_words_are_read_from_every_layout(tmp_path: Path, place: Callable[[Path], Path]) -> None:
    dataset = IamDataset(place(tmp_path / "iam"))

    assert texts(dataset) == WORDS
    assert dataset.skipped == {}
    sample = next(sample for sample in everything(dataset) if sample.id == "a01-000u-00-05")
    assert sample.document == "a01-000u"
    pixels = sample.image()
    assert pixels.min() < 100 < 200 < pixels.max()


@pytest.mark.parametrize("packed", [False, True])
def test_lines_are_read_with_spaces_for_bars(tmp_path: Path, packed: bool) -> None:
    root = tmp_path / "iam"
    iam_tree.write_lines_index(root / "ascii")
    if packed:
        iam_tree.tar(root / "lines.tgz", iam_tree.draw_lines(tmp_path / "scratch"))
    else:
        iam_tree.draw_lines(root / "lines")

    dataset = IamDataset(root / "lines.tgz" if packed else root, level="line")

    assert texts(dataset) == {entry: " ".join(words) for entry, words in LINES.items()}
    assert texts(dataset)["a01-000u-01"] == "nominating any more M Ps ."
    assert dataset.name == "iam/lines"


@pytest.mark.parametrize("level", ["word", "line"])
@pytest.mark.parametrize("shared", [False, True])
def test_words_and_lines_live_side_by_side(tmp_path: Path, level: Level, shared: bool) -> None:
    iam_tree.write_words_index(tmp_path)
    iam_tree.write_lines_index(tmp_path)
    iam_tree.draw_words(tmp_path if shared else tmp_path / "words")
    iam_tree.draw_lines(tmp_path if shared else tmp_path / "lines")

    dataset = IamDataset(tmp_path, level=level)

    assert texts(dataset).keys() == (WORDS if level == "word" else LINES).keys()
    assert dataset.skipped == {}


def test_what_cannot_be_used_is_counted(tmp_path: Path) -> None:
    extra = "".join(
        [
            iam_tree.word_row("a01-000u-05-00", "bad", state="err"),
            iam_tree.word_row("a01-000u-05-01", "bad", state="er"),
            iam_tree.word_row("a01-000u-05-02", "missing"),
            iam_tree.word_row("a01-000u-05-03", "empty"),
            iam_tree.word_row("a01-000u-00-00", "again"),
            "a01-000u-06-00 ok 154 1 408 768 27 51 AT shifted\n",
            "a01-000u-06-01 ok 154 408\n",
            "../../../etc/passwd ok 154 408 768 27 51 AT root\n",
            "\n",
        ]
    )
    iam_tree.write_words_index(tmp_path, extra=extra)
    images = iam_tree.draw_words(tmp_path / "words")
    iam_tree.image_path(images, "a01-000u-05-03").touch()

    dataset = IamDataset(tmp_path)

    assert texts(dataset) == WORDS
    assert dataset.skipped == {
        "segmentation marked err": 2,
        "image missing": 1,
        "image empty": 1,
        "id seen before": 1,
        "malformed row": 3,
    }


def test_a_broken_image_is_found_when_it_is_read(tmp_path: Path) -> None:
    place_top(tmp_path)
    file = iam_tree.image_path(tmp_path / "words", "b02-010-00-00")
    file.write_bytes(file.read_bytes()[:60])

    samples = {sample.id: sample for sample in everything(IamDataset(tmp_path))}

    with pytest.raises(ImageError):
        samples["b02-010-00-00"].image()
    assert samples["b02-010-00-01"].image().ndim == 2


def test_a_form_never_straddles_and_further_files_move_nothing(tmp_path: Path) -> None:
    half = dict(list(MANY.items())[::2])
    iam_tree.write_words_index(tmp_path, half)
    iam_tree.draw_words(tmp_path / "words", MANY)
    before = IamDataset(tmp_path)
    iam_tree.write_words_index(tmp_path, MANY)
    after = IamDataset(tmp_path)

    assert after.split_by == "form"
    shares = [len(after.samples(split)) / len(MANY) for split in SPLITS]
    assert shares == pytest.approx([0.8, 0.1, 0.1], abs=0.08)
    documents = [{sample.document for sample in after.samples(split)} for split in SPLITS]
    assert not documents[0] & documents[1] | documents[1] & documents[2]
    assert not documents[0] & documents[2]
    for split in SPLITS:
        assert {s.id for s in before.samples(split)} <= {s.id for s in after.samples(split)}


def test_forms_of_one_writer_stay_together(tmp_path: Path) -> None:
    iam_tree.write_words_index(tmp_path / "ascii", MANY)
    iam_tree.draw_words(tmp_path / "words", MANY)
    forms = sorted({entry.rsplit("-", 2)[0] for entry in MANY})
    rows = [f"{form} {place % 20:03} 2 prt 7 5 52 36\n" for place, form in enumerate(forms)]
    (tmp_path / "ascii" / "forms.txt").write_text("# form id, writer id\n" + "".join(rows))

    dataset = IamDataset(tmp_path)

    assert dataset.split_by == "writer"
    assert {sample.document for sample in everything(dataset)} == {
        f"writer-{writer:03}" for writer in range(20)
    }
    where: dict[str, set[str]] = {}
    for split in SPLITS:
        for sample in dataset.samples(split):
            where.setdefault(sample.document, set()).add(split)
    assert all(len(splits) == 1 for splits in where.values())
    assert len(set.union(*where.values())) > 1


def write_official(folder: Path) -> None:
    folder.mkdir(parents=True)
    (folder / "trainset.txt").write_text("a01-000u-00\n")
    (folder / "validationset1.txt").write_text("a01-000u-01\n")
    (folder / "validationset2.txt").write_text("a01-003x-00\r\n")
    (folder / "testset.txt").write_text("z99-000-00\n\n")


@pytest.mark.parametrize("folder", ["splits", "largeWriterIndependentTextLineRecognitionTask", "."])
def test_official_lists_are_used_when_found(tmp_path: Path, folder: str) -> None:
    root = tmp_path / "iam"
    write_official(root / folder)
    place_top(root)

    dataset = IamDataset(root)

    assert dataset.split_by == "official"
    lines = {
        split: {sample.id.rsplit("-", 1)[0] for sample in dataset.samples(split)}
        for split in SPLITS
    }
    assert lines == {
        "train": {"a01-000u-00"},
        "val": {"a01-000u-01", "a01-003x-00"},
        "test": set(),
    }
    assert dataset.skipped == {"not in the official split lists": len(LINES["b02-010-00"])}


def test_official_lists_are_found_in_their_archive(tmp_path: Path) -> None:
    root = place_top(tmp_path / "iam")
    write_official(tmp_path / "lists")
    with zipfile.ZipFile(root / "largeWriterIndependentTextLineRecognitionTask.zip", "w") as packed:
        for file in (tmp_path / "lists").iterdir():
            packed.write(file, file.name)

    assert IamDataset(root).split_by == "official"


def test_half_of_the_official_lists_is_refused(tmp_path: Path) -> None:
    root = place_top(tmp_path / "iam")
    write_official(root / "splits")
    (root / "splits" / "testset.txt").unlink()

    with pytest.raises(DatasetError, match=r"lacks testset\.txt"):
        IamDataset(root)


def test_samples_travel_to_worker_processes(tmp_path: Path) -> None:
    sample = everything(IamDataset(place_top(tmp_path)))[0]
    assert pickle.loads(pickle.dumps(sample)) == sample


@pytest.mark.parametrize("level", ["word", "line"])
def test_missing_parts_are_named_with_what_to_do(tmp_path: Path, level: Level) -> None:
    absent, empty, index_only = tmp_path / "absent", tmp_path / "empty", tmp_path / "index"
    empty.mkdir()
    iam_tree.write_words_index(index_only)
    iam_tree.write_lines_index(index_only)
    for path, problem in (
        (absent, "does not exist"),
        (empty, f"No {level}s.txt"),
        (index_only, f"No {level} images"),
    ):
        with pytest.raises(DatasetError, match=problem) as caught:
            IamDataset(path, level=level)
        message = str(caught.value)
        assert str(path) in message
        assert "Register at https://" in message
        assert len(message.splitlines()) <= 2
        # The archive that can be fetched has no lines
        assert ("python -m trainer fetch iam" in message) == (level == "word")


def test_nothing_usable_says_why(tmp_path: Path) -> None:
    iam_tree.write_words_index(tmp_path, {}, iam_tree.word_row("a01-000u-00-00", "A", state="err"))
    iam_tree.draw_words(tmp_path)
    with pytest.raises(DatasetError, match="1 segmentation marked err"):
        IamDataset(tmp_path)


# Archives


def test_the_second_open_finds_it_unpacked(tmp_path: Path) -> None:
    packed = place_tutorial_zip(tmp_path / "iam")
    IamDataset(packed)
    folder = packed.with_name("IAM_Words.zip.unpacked")
    before = folder.stat()

    IamDataset(packed)

    assert folder.stat().st_ino == before.st_ino
    assert not list(folder.rglob("words.tgz")), "what was nested is not kept twice"
    assert [path for path in packed.parent.iterdir() if path.is_dir()] == [folder]


def test_a_changed_archive_is_unpacked_again(tmp_path: Path) -> None:
    packed = place_tar_with_index(tmp_path / "iam")
    assert len(texts(IamDataset(packed))) == len(WORDS)
    shutil.rmtree(tmp_path / "scratch")
    iam_tree.write_words_index(tmp_path / "scratch", {"a01-000u-00-00": "Else"})
    iam_tree.draw_words(tmp_path / "scratch", {"a01-000u-00-00": "Else"})
    iam_tree.tar(packed, tmp_path / "scratch")

    assert texts(IamDataset(packed)) == {"a01-000u-00-00": "Else"}


def test_what_a_killed_run_left_is_not_taken_for_whole(tmp_path: Path) -> None:
    packed = place_tar_with_index(tmp_path / "iam")
    leftover = packed.with_name(f".{packed.name}.unpacking")
    iam_tree.write_words_index(leftover, {"a01-000u-00-00": "half"})

    assert texts(IamDataset(packed)) == WORDS
    assert not leftover.exists()


def test_several_at_a_time_unpack_once(tmp_path: Path) -> None:
    packed = place_tutorial_zip(tmp_path / "iam")
    found: list[dict[str, str]] = []
    threads = [
        threading.Thread(target=lambda: found.append(texts(IamDataset(packed)))) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [WORDS] * 4


def evil_tar(file: Path, member: tarfile.TarInfo) -> Path:
    with tarfile.open(file, "w") as tape:
        tape.addfile(member, io.BytesIO(b"x" * member.size))
    return file


def traversing_tar(folder: Path) -> Path:
    member = tarfile.TarInfo("../escaped.txt")
    member.size = 4
    return evil_tar(folder / "words.tar", member)


def linking_tar(folder: Path) -> Path:
    member = tarfile.TarInfo("a01")
    member.type, member.linkname = tarfile.SYMTYPE, "somewhere"
    return evil_tar(folder / "words.tar", member)


def traversing_zip(folder: Path) -> Path:
    with zipfile.ZipFile(folder / "words.zip", "w") as packed:
        packed.writestr("../escaped.txt", "x")
    return folder / "words.zip"


@pytest.mark.parametrize("make", [traversing_tar, linking_tar, traversing_zip])
def test_unsafe_archives_are_refused(tmp_path: Path, make: Callable[[Path], Path]) -> None:
    inner = tmp_path / "inner"
    inner.mkdir()
    packed = make(inner)

    with pytest.raises(ArchiveError, match="not safe to unpack"):
        archive.unpack(packed)

    assert list(tmp_path.iterdir()) == [inner], "nothing escaped"
    assert [path for path in inner.iterdir() if path.is_dir()] == []


@pytest.mark.parametrize("place", [place_tutorial_zip, place_tar_with_index])
def test_a_cut_off_archive_is_refused_whole(tmp_path: Path, place: Callable[[Path], Path]) -> None:
    packed = place(tmp_path / "iam")
    packed.write_bytes(packed.read_bytes()[: packed.stat().st_size * 2 // 3])

    with pytest.raises(ArchiveError, match="cut off"):
        IamDataset(packed)

    assert [path for path in packed.parent.iterdir() if path.is_dir()] == []


def test_a_file_that_is_no_archive_is_named(tmp_path: Path) -> None:
    (tmp_path / "words.tgz").write_text("not an archive")
    with pytest.raises(ArchiveError, match=r"words\.tgz' is not an archive"):
        IamDataset(tmp_path / "words.tgz")
