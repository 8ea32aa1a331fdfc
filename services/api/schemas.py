"""What the API takes and answers, each field with an example."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from api.examples import IMAGE, IMAGE_URL
from recognizer.strict import Strict

AskedLevel = Literal["auto", "word", "line", "page"]
ReadLevel = Literal["word", "line", "page"]
AskedDecoder = Literal["auto", "greedy", "beam", "lexicon"]
ReadDecoder = Literal["greedy", "beam", "lexicon"]

Confidence = Annotated[float, Field(ge=0, le=1, examples=[0.97], description="0 to 1, calibrated.")]
Box = Annotated[
    tuple[int, int, int, int],
    Field(
        examples=[(0, 0, 214, 48)],
        description="Left, top, right, bottom in pixels of the upright image.",
    ),
]
Point = Annotated[tuple[int, int], Field(examples=[(12, 40)])]
Text = Annotated[str, Field(examples=["hello"])]


class ImageBody(Strict):
    """The body of `POST /predict/json`: `image` or `url`."""

    model_config = ConfigDict(
        json_schema_extra={
            "oneOf": [{"required": ["image"]}, {"required": ["url"]}],
            "examples": [{"image": IMAGE}],
        },
    )

    # a factory: the default is nobody's business, `uploads.from_json` says that one is missing
    image: str = Field(
        default_factory=str,
        examples=[IMAGE],
        description="An image file as base64 or as a `data:` URI.",
    )
    url: str = Field(
        default_factory=str,
        min_length=1,
        max_length=4096,
        examples=[IMAGE_URL],
        description="Where the image lies on the web; only where IMAGE_URL_HOSTS allows its host.",
    )


class Word(BaseModel):
    text: Text
    box: Box
    confidence: Confidence


class Alternative(BaseModel):
    text: Annotated[str, Field(examples=["hallo"])]
    confidence: Annotated[
        float, Field(ge=0, le=1, examples=[0.02], description="Its share among all texts.")
    ]


class Line(BaseModel):
    box: Box
    polygon: list[Point] = Field(
        examples=[[(0, 0), (214, 0), (214, 48), (0, 48)]],
        description="Its outline; of an image that shows one word or line, the whole image.",
    )
    baseline: list[Point] | None = Field(
        examples=[None], description="Where its letters stand, left to right; known on pages."
    )
    text: Text
    confidence: Confidence
    words: list[Word]
    alternatives: list[Alternative]


class ModelName(BaseModel):
    """The version that gave an answer."""

    name: str = Field(examples=["handwriting"])
    version: str = Field(examples=["2"])
    stage: str = Field(
        examples=["Production"],
        description="What MODEL_URI names: a stage, an alias, or `version` where it is pinned.",
    )


class Timing(BaseModel):
    """Milliseconds."""

    decode: float = Field(examples=[1.2], description="From the file to pixels.")
    recognise: float = Field(examples=[9.8], description="From pixels to text.")
    total: float = Field(examples=[11.9], description="All of it, with waiting for a free thread.")


class Reading(BaseModel):
    """What was read in one image."""

    text: Annotated[
        str, Field(examples=["hello"], description="Lines of a page are separated by line feeds.")
    ]
    confidence: Confidence
    level: ReadLevel = Field(
        examples=["line"], description="As asked; for `auto`, what the image was taken for."
    )
    decoder: ReadDecoder = Field(
        examples=["lexicon"], description="As asked; for `auto`, the best that the version has."
    )
    width: int = Field(examples=[214], description="Of the upright image, in pixels.")
    height: int = Field(examples=[48])
    lines: list[Line] = Field(description="In reading order.")
    alternatives: list[Alternative] = Field(
        description="Of the whole text; on a page each line has its own instead."
    )


class Prediction(Reading):
    """The answer of `POST /predict` and `POST /predict/json`."""

    model: ModelName
    request_id: str = Field(examples=["5f0c3c1e9f7b4f0f8a4d2b6f6f6b1f3a"])
    timing_ms: Timing


class FieldProblem(BaseModel):
    field: str = Field(examples=["query.alternatives"])
    problem: str = Field(examples=["Input should be less than or equal to 10"])


class Problem(BaseModel):
    """Why there is no answer (RFC 9457)."""

    type: str = Field(examples=["urn:handwriting:problem:unreadable-image"])
    title: str = Field(examples=["The image cannot be read"])
    status: int = Field(examples=[400])
    detail: str = Field(examples=["The image is empty: 0 bytes were received."])
    errors: list[FieldProblem] | None = Field(
        None, description="The fields that are wrong, where the request has any."
    )
    request_id: str | None = Field(None, examples=["5f0c3c1e9f7b4f0f8a4d2b6f6f6b1f3a"])


class BatchItem(BaseModel):
    """One image of a batch: `reading` or `problem`, never both."""

    index: int = Field(examples=[0])
    filename: str | None = Field(examples=["line-1.png"])
    reading: Reading | None
    problem: Problem | None = Field(examples=[None])


class BatchTiming(BaseModel):
    """Milliseconds."""

    total: float = Field(examples=[31.4])


class BatchPrediction(BaseModel):
    """The answer of `POST /predict/batch`: one item an image, in their order."""

    results: list[BatchItem]
    model: ModelName
    request_id: str = Field(examples=["5f0c3c1e9f7b4f0f8a4d2b6f6f6b1f3a"])
    timing_ms: BatchTiming


class KeptCorrection(BaseModel):
    id: str = Field(examples=["9f2c4e61d1b0a7c35f86c8d2e4b19d03a5b7c6d8e9f00112233445566778899a"])
    bytes: int = Field(examples=[48_112])
    saved_at: datetime


class Corrections(BaseModel):
    """What is kept of corrections."""

    kept: bool = Field(examples=[True], description="Whether they are: CORRECTIONS_DIR is set.")
    corrections: int = Field(examples=[12])
    bytes: int = Field(examples=[577_344])
    most_bytes: int = Field(examples=[1_000_000_000], description="CORRECTIONS_MAX_BYTES.")
    days: float | None = Field(
        examples=[365.0], description="CORRECTIONS_DAYS; null: until somebody deletes them."
    )
    latest: list[KeptCorrection] = Field(description="The newest first, at most 100.")


class SavedCorrection(BaseModel):
    id: str = Field(examples=["9f2c4e61d1b0a7c35f86c8d2e4b19d03a5b7c6d8e9f00112233445566778899a"])
    lines: int = Field(examples=[3])
    new: bool = Field(examples=[True], description="False: the same was there already.")
    saved_at: datetime


class Live(BaseModel):
    status: Literal["alive"] = Field("alive", examples=["alive"])


class Health(BaseModel):
    """`ready` says whether an image would be read now; `reasons` what is not as it should be."""

    status: Literal["ready", "waiting", "draining"] = Field(examples=["ready"])
    live: bool = Field(True, examples=[True])
    ready: bool = Field(examples=[True])
    model: ModelName | None
    reasons: list[str] = Field(examples=[[]])


class Limits(BaseModel):
    bytes: int = Field(examples=[10_000_000], description="Of one image file.")
    pixels: int = Field(examples=[50_000_000], description="Width times height of one image.")
    batch_images: int = Field(examples=[64])
    batch_bytes: int = Field(examples=[50_000_000], description="Of all images of a batch.")
    alternatives: int = Field(examples=[10])


class ReloadError(BaseModel):
    """The last attempt to load what MODEL_URI names, where it failed."""

    version: str = Field(examples=["3"])
    at: datetime
    error: str = Field(examples=["model.onnx: does not have the digest recognizer.json lists"])
    next_retry_at: datetime


class ModelState(BaseModel):
    """The version that is served, and what the registry said last."""

    name: str = Field(examples=["handwriting"])
    version: str | None = Field(examples=["2"])
    stage: str = Field(examples=["Production"])
    model_uri: str = Field(examples=["models:/handwriting/Production"])
    run_id: str | None = Field(examples=["0ba2f0e5a3be4f3e8e3f6a1d9c5b7a10"])
    registry_url: str | None = Field(
        examples=["http://127.0.0.1:5000/#/models/handwriting/versions/2"],
        description="The version on MLflow's page.",
    )
    metrics: dict[str, float] = Field(examples=[{"test_cer": 0.081}])
    tags: dict[str, str] = Field(
        examples=[{"gate.decision": "promoted", "gate.cer": "0.081"}],
        description="The tags `gate.*` of the version.",
    )
    gate: dict[str, Any] | None = Field(
        examples=[{"version": "2", "decision": "promoted", "reason": "CER 0.081, before 0.102."}],
        description="What the trainer's gate decided last, of whichever version.",
    )
    alphabet: str | None = Field(examples=[" abcdefghijklmnopqrstuvwxyz"])
    levels: list[str] = Field(examples=[["auto", "word", "line", "page"]])
    decoders: list[str] = Field(examples=[["auto", "greedy", "beam", "lexicon"]])
    limits: Limits
    loaded_at: datetime | None
    polled_at: datetime | None = Field(description="When the registry answered last.")
    registry_error: str | None = Field(
        examples=[None], description="Why the registry gave no answer at the last poll."
    )
    waiting_for: str | None = Field(
        examples=[None], description="What is missing where MODEL_URI names no version."
    )
    reload_error: ReloadError | None
    from_cache: bool = Field(
        examples=[False],
        description="Whether the version came from the disk cache and no registry confirmed it.",
    )
