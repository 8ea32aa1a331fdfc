"""The card of the starter: what an export says of itself, and what only people know."""

from dataclasses import dataclass
from pathlib import Path

from trainer.datasets.lines import INDEX

FONTS = (
    "synthetic: rendered from fonts under the SIL Open Font License 1.1{}; word frequencies from "
    "wordfreq (CC BY-SA 4.0)"
)
MORE_FONTS = (
    ", and from {} more under the OFL 1.1, Apache-2.0 or MIT (docs/fonts.txt of the project)"
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


def completed(card: str, *, words: Words, history: str, fonts: int) -> str:
    """The card of an export as that of the starter.

    Args:
        history: how the weights came about, in a few words.
        fonts: how many there were beside the packaged ones.

    Raises:
        ValueError: the card has not the form that is completed here.
    """
    _, rest = card.split("\n", 1)
    rows = rest.splitlines()
    synthetic = next((at for at, row in enumerate(rows) if row.startswith("| synthetic |")), None)
    epochs = next((at for at, row in enumerate(rows) if row.startswith("A CRNN with CTC")), None)
    if synthetic is None or epochs is None or "trained on nor used to choose." not in rest:
        raise ValueError("The card has no row for synthetic samples, no training or no tests.")
    name, counts = rows[synthetic].split(" | ")[:2]
    licence = FONTS.format(MORE_FONTS.format(fonts) if fonts else "")
    rows[synthetic] = f"{name} | {counts} | {licence} |"
    first, _ = rows[epochs].split(", ", 1)
    rows[epochs] = f"{first}, {history}; batches of"
    rows.insert(synthetic, words.row)
    text = "\n".join(["# Handwriting recogniser, starter model", *rows, ""])
    text = text.replace("## Training\n", WEIGHTS, 1)
    return text.replace("trained on nor used to choose.", NOTE, 1)
