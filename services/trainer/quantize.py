"""A network with convolutions of 8 bits, and whether it reads as well as the one it is made of.

Convolutions take two thirds of the time of an image, and in 8 bits a third of that. What follows
them, the LSTMs above all, stays as it is: onnxruntime would scale its 8 bits by the whole batch,
and a reading must depend on its image alone.
"""

import logging
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnxruntime.quantization import CalibrationDataReader, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process

from recognizer.bundle import Bundle
from recognizer.errors import ImageError
from recognizer.manifest import NETWORK
from recognizer.prepare import prepare
from recognizer.recognizer import Recognizer
from trainer.datasets.base import Sample
from trainer.evaluation import evaluate
from trainer.export import with_golden

log = logging.getLogger(__name__)

RANGED = 128
"""Training images from which the ranges of the numbers between the layers are taken."""
COMPARED = 1000
"""Validation images that both networks read."""
MOST_LOSS = 0.002
"""Of CER, as a share of the characters: more, and the network stays as it is."""

OPERATIONS = ["Conv", "MaxPool", "Add", "Relu"]


@dataclass(frozen=True)
class Precision:
    """CER of the same validation images by both networks, greedy decoder."""

    full: float
    eight_bits: float
    samples: int

    @property
    def kept(self) -> bool:
        """Whether the one in 8 bits reads well enough to be served."""
        return self.eight_bits <= self.full + MOST_LOSS


def faster(
    bundle: Bundle, training: Sequence[Sample], validation: Sequence[Sample], path: Path
) -> tuple[Bundle, Precision | None]:
    """The bundle with 8-bit convolutions, in `path`, where it reads as well; else itself.

    Args:
        training: what the ranges are taken from; the first of them.
        validation: what both read; the first of them.
    """
    inks = _inks(bundle, training[:RANGED])
    held = validation[:COMPARED]
    if not (inks and held):
        return bundle, None
    smaller = quantized(bundle, inks, path)
    full, eight_bits = (
        evaluate(Recognizer(each, threads=1), held).scores.cer for each in (bundle, smaller)
    )
    precision = Precision(full, eight_bits, len(held))
    log.info(
        "convolutions in 8 bits: validation CER %.2f %%, %.2f %% in 32; %s",
        100 * eight_bits,
        100 * full,
        "kept" if precision.kept else "not kept",
    )
    return (smaller if precision.kept else bundle), precision


def quantized(bundle: Bundle, inks: Sequence[NDArray[np.float32]], path: Path) -> Bundle:
    """A copy of a bundle whose convolutions have weights and inputs of 8 bits.

    Scales are fixed, one a channel for weights and one a tensor for what lies between the layers
    (Jacob et al. 2018, arXiv:1712.05877, sections 2 and 3).

    Args:
        inks: prepared images, each (height, width), whose ranges are taken.
        path: of the copy; must not exist yet.
    """
    shutil.copytree(bundle.path, path)
    with tempfile.TemporaryDirectory() as folder:
        folded = Path(folder) / NETWORK
        quant_pre_process(str(bundle.network), str(folded), skip_symbolic_shape=True)
        quantize_static(
            str(folded),
            str(path / NETWORK),
            _Inks(onnx.load(folded).graph.input[0].name, inks),
            op_types_to_quantize=OPERATIONS,
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            # 7 bits: on processors without VNNI, sums of products of 8 do not fit
            reduce_range=True,
            # ranges that one odd image does not widen for all
            extra_options={"CalibMovingAverage": True, "CalibMovingAverageConstant": 0.05},
        )
    return with_golden(path, bundle.manifest)


class _Inks(CalibrationDataReader):  # type: ignore[misc]  # onnxruntime ships no types
    """Images one by one, as onnxruntime asks for them."""

    def __init__(self, name: str, inks: Sequence[NDArray[np.float32]]) -> None:
        self._rest = iter(inks)
        self._name = name

    def get_next(self) -> dict[str, NDArray[np.float32]] | None:
        ink = next(self._rest, None)
        return None if ink is None else {self._name: ink[np.newaxis, ..., np.newaxis]}


def _inks(bundle: Bundle, samples: Sequence[Sample]) -> list[NDArray[np.float32]]:
    found = []
    for sample in samples:
        try:
            found.append(prepare(sample.image(), bundle.manifest.input).ink)
        except (ImageError, OSError):
            continue  # whoever trained on it has said so
    return found
