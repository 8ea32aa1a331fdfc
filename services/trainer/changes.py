"""What another version reads differently: a page for people, and a table."""

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from tempfile import TemporaryDirectory

import mlflow
from PIL import Image
from rapidfuzz.distance import Levenshtein

from trainer.evaluation import Evaluation, Judged
from trainer.metrics import Scores

SHOWN = 100
"""Of each kind, on the page; the table has all."""
TALLEST = 56
"""Pixels of an image on the page."""


@dataclass(frozen=True)
class Change:
    """One line as two versions read it."""

    before: Judged
    after: Judged

    @property
    def kind(self) -> str | None:
        """`fixed` and `broken` where one of the two is right; None where they read the same."""
        before, after = self.before.edits, self.after.edits
        if self.before.text == self.after.text:
            return None
        if before and not after:
            return "fixed"
        if after and not before:
            return "broken"
        return "better" if after < before else "worse" if after > before else "other"


KINDS = {
    "broken": "Newly broken",
    "fixed": "Fixed",
    "worse": "Worse than before",
    "better": "Better than before",
    "other": "Other errors, as many",
}


@dataclass(frozen=True)
class Changes:
    """All lines of a set as two versions read them."""

    before: Scores
    after: Scores
    lines: tuple[Change, ...]

    @classmethod
    def between(cls, before: Evaluation, after: Evaluation) -> "Changes":
        """Compare two readings of the same samples."""
        read = {each.sample.id: each for each in after.judged}
        lines = [
            Change(each, read[each.sample.id]) for each in before.judged if each.sample.id in read
        ]
        return cls(before.scores, after.scores, tuple(lines))

    def of(self, kind: str) -> list[Change]:
        return [each for each in self.lines if each.kind == kind]

    def log(self, name: str, before: str, after: str) -> None:
        """Give the active MLflow run both files and the figures.

        Args:
            name: of the set.
            before, after: numbers of the versions.
        """
        with TemporaryDirectory() as folder:
            page = Path(folder) / "changes.html"
            page.write_text(self.page(name, before, after), encoding="utf-8")
            (Path(folder) / "changes.tsv").write_text(self.table(), encoding="utf-8")
            mlflow.log_artifacts(folder, name.replace("/", "-"))
        mlflow.log_metrics(
            {
                "corrections_cer_before": self.before.cer,
                "corrections_cer_after": self.after.cer,
                "corrections_fixed": len(self.of("fixed")),
                "corrections_broken": len(self.of("broken")),
            }
        )

    def table(self) -> str:
        """A TSV of what is read differently: kind, id, truth, before, after."""
        rows = [
            "\t".join((kind, each.before.sample.id, each.before.sample.text, *_texts(each)))
            for kind in KINDS
            for each in self.of(kind)
        ]
        return "\n".join(["change\tline\ttruth\tbefore\tafter", *rows, ""])

    def page(self, name: str, before: str, after: str) -> str:
        """An HTML page that needs no other file."""
        figures = "".join(
            f"<tr><th>version {number}<td>{scores.cer:.2%}<td>{scores.wer:.2%}"
            for number, scores in ((escape(before), self.before), (escape(after), self.after))
        )
        kinds = "".join(f"<tr><th>{title}<td>{len(self.of(kind))}" for kind, title in KINDS.items())
        sections = "".join(
            f"<h2>{title} ({len(found)})</h2>{''.join(map(_shown, found[:SHOWN]))}"
            for kind, title in KINDS.items()
            if (found := self.of(kind))
        )
        return (
            f"<!doctype html><html lang=en><meta charset=utf-8><title>Changes</title>{_STYLE}"
            f"<h1>What version {escape(after)} reads otherwise than version {escape(before)}</h1>"
            f"<p>{len(self.lines)} lines of {escape(name)} that neither was trained on, greedy "
            f"decoder.<table><tr><th><th>CER<th>WER{figures}</table><table>{kinds}</table>"
            f"{sections}"
        )


def _texts(change: Change) -> Sequence[str]:
    return change.before.text, change.after.text


def _shown(change: Change) -> str:
    truth = change.before.sample.text
    rows = "".join(
        f"<dt>{label}<dd>{text}"
        for label, text in (
            ("truth", escape(truth)),
            ("before", _marked(truth, change.before.text)),
            ("after", _marked(truth, change.after.text)),
        )
    )
    return f"<figure><img alt='' src='{_picture(change)}'><dl>{rows}</dl></figure>"


def _marked(truth: str, text: str) -> str:
    """A reading with its errors marked; a gap stands for what it lacks."""
    parts = []
    for edit in Levenshtein.opcodes(truth, text):
        piece = escape(text[edit.dest_start : edit.dest_end])
        parts.append(piece if edit.tag == "equal" else f"<mark>{piece or '&thinsp;'}</mark>")
    return "".join(parts) or "<mark>nothing</mark>"


def _picture(change: Change) -> str:
    image = Image.fromarray(change.before.sample.image())
    image.thumbnail((image.width, TALLEST))
    buffer = io.BytesIO()
    image.save(buffer, "WEBP", quality=60)
    return f"data:image/webp;base64,{base64.b64encode(buffer.getvalue()).decode()}"


_STYLE = """<style>
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif }
body { max-width: 60rem; margin: 2rem auto; padding: 0 1rem }
h1 { font-size: 1.4rem } h2 { font-size: 1.1rem; margin-top: 2rem }
table { border-spacing: 1rem .2rem; margin-left: -1rem } th { text-align: left; font-weight: 600 }
td { text-align: right; font-variant-numeric: tabular-nums }
figure { margin: 1rem 0; padding-top: 1rem; border-top: 1px solid #8884 }
img { max-width: 100%; border-radius: 4px; background: #fff }
dl { display: grid; grid-template-columns: 4rem 1fr; margin: .4rem 0 0 }
dt { color: #777 } dd { margin: 0 }
mark { background: #e5533d55; color: inherit; border-radius: 2px }
</style>"""
