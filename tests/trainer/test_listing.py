"""Which images files, folders and patterns name."""

import os
from pathlib import Path

import pytest

from trainer.transcription.listing import Listing, ListingError


@pytest.fixture
def scans(tmp_path: Path) -> Path:
    root = tmp_path / "scans"
    names = ["1.png", "2.JPG", "notes.txt", "a/1.png", "a/b/1.tif", "a/b/[x].png", ".hidden/1.png"]
    for name in [*names, "a/.1.png", "__MACOSX/1.png"]:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    return root


def listed(root: Path, *names: str) -> list[str]:
    """What is found, relative to a folder."""
    found = list(Listing(names))
    assert len(set(found)) == len(found)
    return sorted(os.path.relpath(name, root) for name in found)


def test_a_folder_is_all_its_images(scans: Path) -> None:
    assert listed(scans, str(scans)) == ["1.png", "2.JPG", "a/1.png", "a/b/1.tif", "a/b/[x].png"]
    assert listed(scans, f"{scans}/") == listed(scans, str(scans))


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("*.png", ["1.png"]),
        ("*", ["1.png", "2.JPG", "notes.txt"]),
        ("*/*.png", ["a/1.png"]),
        ("**/*.png", ["1.png", "a/1.png", "a/b/[x].png"]),
        ("a/b/[[]x].png", ["a/b/[x].png"]),
        ("a/b/[x].png", ["a/b/[x].png"]),
        ("?.png", ["1.png"]),
        ("b*", []),
    ],
)
def test_a_pattern_is_what_it_matches(scans: Path, pattern: str, found: list[str]) -> None:
    assert listed(scans, f"{scans}/{pattern}") == found


def test_an_image_named_in_many_ways_comes_once(
    scans: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(scans)
    names = ["a/1.png", "./a/../1.png", f"file://{scans}/1.png", str(scans), "**/*.png", "a"]
    assert listed(scans, *names) == listed(scans, str(scans))


def test_files_come_in_their_order_and_whatever_their_suffix(scans: Path) -> None:
    names = [f"{scans}/notes.txt", f"{scans}/1.png", f"{scans}/a/1.png"]
    assert list(Listing(names)) == names


def test_a_link_to_a_folder_is_not_followed_round_in_circles(scans: Path) -> None:
    (scans / "a" / "up").symlink_to(scans)
    (scans / "linked.png").symlink_to(scans / "1.png")
    assert "linked.png" in listed(scans, str(scans))
    assert len(listed(scans, str(scans))) == 6


def test_a_name_that_is_no_utf8_is_listed(scans: Path) -> None:
    Path(os.fsdecode(os.fsencode(scans) + b"/\xff.png")).touch()
    assert "\\xff.png" in listed(scans, str(scans))


@pytest.mark.parametrize("name", ["nowhere.png", "nowhere/", "moon://bucket/a"])
def test_what_is_not_there_is_named(tmp_path: Path, name: str) -> None:
    with pytest.raises(ListingError, match=name.rstrip("/").rpartition("/")[2]):
        Listing([name if "://" in name else str(tmp_path / name)])
