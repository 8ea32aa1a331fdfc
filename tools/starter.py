"""Make the starter bundle: export a checkpoint and complete its card with what only people know.

python -m tools.starter RUN -d hooker ... -d synthetic:60000:fonts --words words --history "..."
"""

from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer

from recognizer.bundle import Bundle, seal
from recognizer.manifest import CARD
from trainer.bootstrap import STARTER_BUNDLE
from trainer.checkpoint import Checkpoint
from trainer.cli.common import Datasets, Failure, console, reported, settings
from trainer.datasets.lines import INDEX

MOST_BYTES = 12_000_000

FONTS = (
    "synthetic: rendered from fonts under the SIL Open Font License 1.1, and from 129 more under "
    "the OFL 1.1, Apache-2.0 or MIT (docs/fonts.txt of the project); word frequencies from "
    "wordfreq (CC BY-SA 4.0)"
)

WORDS = "cut out of training and validation lines of {}, under their licences"

WEIGHTS = """## Licence of the weights

CC BY-SA 4.0, since one of the sets (hooker) is under it. Whoever passes the weights on names
the sources above. The texts of synthetic lines follow the word frequencies of wordfreq.

The volunteers of Copiste d'un jour copied this sentence by hand before their text: "J'ai lu les
conditions de participation et j'y consens. Je comprends que mon manuscrit sera anonymisé et
utilisé par BAnQ pour des activités de recherche et développement et qu'il pourra aussi être
publié et partagé sous licence CC-BY pour être utilisé librement à des fins non commerciales."
The publisher's licence is CC BY 4.0; weigh the sentence before a commercial use.

## Training
"""

NOTE = """trained on nor used to choose.

`make bench-reading ARGS="-d lines:PATH"` measures a set again. Other
documents of the same collections, and so mostly the same hands, were trained on: on a hand of its
own expect more errors."""

app = typer.Typer(add_completion=False, help=__doc__)


@dataclass(frozen=True)
class Words:
    """Single words of the training and of the validation splits, and the sets they come of."""

    train: int
    val: int
    sets: tuple[str, ...]

    @classmethod
    def of(cls, folder: Path) -> "Words":
        """Those that `trainer words` wrote into a folder."""
        rows = [row.split("\t") for row in (folder / INDEX).read_text("utf-8").splitlines()]
        splits = [split for _, split, _, _ in rows]
        # an id is that of the line behind the name of its set: lines/hooker/words/JDH_2_16_145
        sets = dict.fromkeys(id_.split("/words/")[0].split("/")[-1] for _, _, _, id_ in rows)
        return cls(splits.count("train"), splits.count("val"), tuple(sets))

    @property
    def row(self) -> str:
        """Of the card's table."""
        licence = WORDS.format(", ".join(self.sets))
        return f"| single words | {self.train} / {self.val} / 0 | {licence} |"


def completed(card: str, *, words: Words, history: str) -> str:
    """The card of an export as that of the starter.

    Args:
        history: how the weights came about, in a few words.

    Raises:
        ValueError: the card has not the form that is completed here.
    """
    _, rest = card.split("\n", 1)
    rows = rest.splitlines()
    fonts = next((at for at, row in enumerate(rows) if row.startswith("| synthetic |")), None)
    epochs = next((at for at, row in enumerate(rows) if row.startswith("A CRNN with CTC")), None)
    if fonts is None or epochs is None or "trained on nor used to choose." not in rest:
        raise ValueError("The card has no row for synthetic samples, no training or no tests.")
    name, counts = rows[fonts].split(" | ")[:2]
    rows[fonts] = f"{name} | {counts} | {FONTS} |"
    first, _ = rows[epochs].split(", ", 1)
    rows[epochs] = f"{first}, {history}; batches of"
    rows.insert(fonts, words.row)
    text = "\n".join(["# Handwriting recogniser, starter model", *rows, ""])
    text = text.replace("## Training\n", WEIGHTS, 1)
    return text.replace("trained on nor used to choose.", NOTE, 1)


@app.command()
def make(
    checkpoint: Annotated[Path, typer.Argument(help="Folder of `trainer fit`.")],
    words: Annotated[Path, typer.Option(help="Folder of `trainer words` that it was trained on.")],
    history: Annotated[str, typer.Option(help="How the weights came about, for the card.")],
    dataset: Datasets = None,
    output: Annotated[Path, typer.Option(help="Folder to replace.")] = STARTER_BUNDLE,
) -> None:
    """Export, test, quantise, calibrate, describe: some minutes."""
    with reported():
        known = settings()
        from trainer.datasets.catalogue import open_dataset
        from trainer.export import put, refuse_other
        from trainer.finish import finish_checkpoint

        if not dataset:
            raise Failure("Name what it was trained on: -d SOURCE, but for the single words.")
        found = [open_dataset(name, known.data_dir) for name in dataset]
        if not (words / INDEX).is_file():
            raise Failure(f"{words} is no folder of `trainer words`: it has no {INDEX}.")
        single = Words.of(words)
        refuse_other(output)
        output.parent.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(dir=output.parent) as scratch:  # the last one stays until the end
            made = Path(scratch) / output.name
            bundle = finish_checkpoint(Checkpoint(checkpoint), found, made, inherits=False).bundle
            file = made / CARD
            card = completed(file.read_text("utf-8"), words=single, history=history)
            file.write_text(card, encoding="utf-8")
            seal(made, bundle.manifest)
            size = sum(each.stat().st_size for each in made.rglob("*") if each.is_file())
            if size > MOST_BYTES:
                raise Failure(f"It has {size / 1e6:.1f} MB, more than {MOST_BYTES / 1e6:.0f}.")
            put(Bundle.load(made), output)
        console.print(f"{output}: {size / 1e6:.1f} MB.")


if __name__ == "__main__":
    app()
