"""Tiny datasets of lines."""

from pathlib import Path

from PIL import Image

from trainer.datasets.lines import LinesDataset


def lines(path: Path, *rows: str) -> LinesDataset:
    """A folder with one image, `a.png`, and these rows about it."""
    path.mkdir()
    Image.new("L", (80, 20), 255).save(path / "a.png")
    (path / "lines.tsv").write_text("\n".join(rows), encoding="utf-8")
    return LinesDataset(path)
