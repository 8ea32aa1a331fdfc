"""`recognizer.json`: what a bundle says of itself, every field checked."""

from pathlib import PurePosixPath
from typing import Annotated, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from recognizer.alphabet import Alphabet

FORMAT = 1
NAME = "recognizer.json"
NETWORK = "model.onnx"
CARD = "MODEL_CARD.md"

Digest = Annotated[str, Field(pattern=r"^sha256:[0-9a-f]{64}$")]
Level = Literal["word", "line"]
Decoder = Literal["greedy", "beam", "lexicon"]
DECODERS: tuple[Decoder, ...] = get_args(Decoder)


def _inside(path: str) -> str:
    """A path inside the bundle, so that a manifest cannot point elsewhere."""
    parts = PurePosixPath(path)
    if parts.is_absolute() or ".." in parts.parts or "\\" in path or path != str(parts):
        raise ValueError("must be a plain relative path inside the bundle")
    return path


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Input(Strict):
    """How an image becomes the network's input; see `recognizer.prepare`."""

    height: int = Field(ge=16, le=256, description="Rows of the network's input, in pixels.")
    stride: int = Field(ge=1, le=32, description="Columns of input for one time step.")
    margin: int = Field(ge=0, le=64, description="Blank columns before and after the writing.")
    buckets: list[int] = Field(min_length=1, description="Widths an input is padded to.")

    @field_validator("buckets")
    @classmethod
    def _ascending_multiples(cls, buckets: list[int]) -> list[int]:
        if any(width < 16 or width > 16384 for width in buckets):
            raise ValueError("every width must lie between 16 and 16384")
        if sorted(set(buckets)) != buckets:
            raise ValueError("widths must ascend")
        return buckets

    @model_validator(mode="after")
    def _fits_the_stride(self) -> "Input":
        if any(width % self.stride for width in self.buckets):
            raise ValueError("every bucket must be a multiple of stride")
        if self.buckets[-1] <= 2 * self.margin:
            raise ValueError("the margins fill the widest bucket")
        return self


class Golden(Strict):
    """An image the bundle must still read, and what it reads there."""

    image: Annotated[str, Field(min_length=1)]
    text: str

    _checked = field_validator("image")(_inside)


class Language(Strict):
    """A language model that beam search reads with; see `recognizer.language`."""

    file: Annotated[str, Field(min_length=1)]
    weight: float = Field(ge=0, le=10, description="Multiplies its log-probabilities.")
    bonus: float = Field(ge=-10, le=10, description="Added for each character written.")

    _checked = field_validator("file")(_inside)


class Words(Strict):
    """A lexicon, and how the decoder `lexicon` uses it; see `recognizer.lexicon`."""

    file: Annotated[str, Field(min_length=1)]
    weight: float = Field(ge=0, le=10, description="Multiplies log-probabilities of words.")
    escape: float = Field(ge=0, le=100, description="Cost of a word that is not in it, in nats.")
    language_weight: float = Field(ge=0, le=10, description="Of the language model beside it.")
    bonus: float = Field(ge=-10, le=10, description="Added for each character written.")

    _checked = field_validator("file")(_inside)


class Calibration(Strict):
    """Makes a confidence c one that can be believed (Kull et al. 2017, "Beta calibration").

    log(c' / (1 - c')) = right * log(c) - wrong * log(1 - c) + offset; 1, 1 and 0 change nothing.
    """

    right: float = Field(ge=0, le=100)
    wrong: float = Field(ge=0, le=100)
    offset: float = Field(ge=-100, le=100)


class Manifest(Strict):
    """The whole of `recognizer.json`."""

    format: Literal[1]
    alphabet: str = Field(min_length=1, max_length=20_000)
    blank: int = Field(ge=0)
    input: Input
    temperature: float = Field(gt=0, le=100, description="Divides the logits of confidences.")
    levels: list[Level] = Field(min_length=1)
    golden: list[Golden] = Field(min_length=1)
    language: Language | None = None
    lexicon: Words | None = None
    detector: str | None = Field(
        None, description="The network that finds the lines of a page; see `recognizer.detector`."
    )
    calibration: dict[Decoder, Calibration] = Field(
        default_factory=dict, description="Of a decoder's confidences, after the temperature."
    )
    files: dict[str, Digest] = Field(description="Digest of every other file of the bundle.")

    @field_validator("levels")
    @classmethod
    def _each_once(cls, levels: list[Level]) -> list[Level]:
        if len(set(levels)) != len(levels):
            raise ValueError("must name each level once")
        return levels

    @field_validator("files")
    @classmethod
    def _plain_paths(cls, files: dict[str, str]) -> dict[str, str]:
        for path in files:
            _inside(path)
        if NETWORK not in files:
            raise ValueError(f"must list {NETWORK}")
        return files

    @field_validator("detector")
    @classmethod
    def _plain_path(cls, detector: str | None) -> str | None:
        return detector and _inside(detector)

    @model_validator(mode="after")
    def _consistent(self) -> "Manifest":
        Alphabet(self.alphabet, self.blank)  # raises ValueError with the reason
        for golden in self.golden:
            if golden.image not in self.files:
                raise ValueError(f"golden image {golden.image} is not listed in files")
        named = [part.file for part in (self.language, self.lexicon) if part]
        for file in (*named, self.detector):
            if file and file not in self.files:
                raise ValueError(f"{file} is not listed in files")
        return self
