"""The characters a network can write, and their places among its outputs."""

import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

SPACE = " "


def normalise(text: str) -> str:
    """Text as it is trained on and compared: Unicode NFC, every run of white space one space."""
    return " ".join(unicodedata.normalize("NFC", text).split())


@dataclass(frozen=True)
class Alphabet:
    """Characters in order, and the index of the CTC blank among the network's classes.

    A network has `len(characters) + 1` classes. The blank takes index `blank`; the
    characters take the other indices in their order.
    """

    characters: str
    blank: int = 0
    _labels: dict[str, int] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not self.characters:
            raise ValueError("an alphabet needs at least one character")
        if len(set(self.characters)) != len(self.characters):
            raise ValueError("an alphabet names each character once")
        if not 0 <= self.blank <= len(self.characters):
            raise ValueError(f"blank must lie between 0 and {len(self.characters)}")
        labels = {
            character: index + (index >= self.blank)
            for index, character in enumerate(self.characters)
        }
        object.__setattr__(self, "_labels", labels)

    @classmethod
    def of(cls, texts: Iterable[str]) -> "Alphabet":
        """The alphabet that writes all of `texts`, sorted by code point."""
        return cls("".join(sorted(set().union(*map(set, texts)))))

    @property
    def classes(self) -> int:
        return len(self.characters) + 1

    @property
    def space(self) -> int | None:
        """The label of the space, None where the alphabet has none."""
        return self._labels.get(SPACE)

    def covers(self, text: str) -> bool:
        return all(character in self._labels for character in text)

    def encode(self, text: str) -> list[int]:
        """Labels of a text. Raises `KeyError` on a character outside the alphabet."""
        return [self._labels[character] for character in text]

    def decode(self, labels: Sequence[int]) -> str:
        """Text of labels, none of which may be the blank."""
        return "".join(self.characters[label - (label > self.blank)] for label in labels)
