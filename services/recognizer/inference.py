"""The network of a bundle at work: prepared images in, log-probabilities out."""

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from recognizer.bundle import Bundle
from recognizer.decode import LogProbs
from recognizer.errors import BundleError
from recognizer.prepare import Ink, Prepared
from recognizer.session import open_session, releasing

BATCH = 16


class Inference:
    """Runs the network of one bundle. Safe to share by threads."""

    def __init__(self, bundle: Bundle, *, threads: int, alone_threads: int) -> None:
        """Open the network. Arguments and `BundleError` as of `Recognizer`."""
        self._bundle = bundle
        self._session = open_session(bundle.network, threads)
        self._alone = (
            open_session(bundle.network, alone_threads) if 0 < threads < alone_threads else None
        )
        self._input = self._session.get_inputs()[0].name
        classes = (self._session.get_outputs()[0].shape or [None])[-1]
        if classes != bundle.alphabet.classes:
            raise BundleError(
                bundle.network,
                f"has {classes} classes, the alphabet makes {bundle.alphabet.classes}",
                field="alphabet",
            )

    def infer(self, prepared: Sequence[Prepared], *, alone: bool = False) -> list[LogProbs]:
        """See `Recognizer.infer`."""
        buckets: dict[int, list[int]] = defaultdict(list)
        for index, ready in enumerate(prepared):
            buckets[ready.ink.shape[1]].append(index)
        results: list[LogProbs] = [np.empty((0, 0), np.float32)] * len(prepared)
        for members in buckets.values():
            for first in range(0, len(members), BATCH):
                batch = members[first : first + BATCH]
                outputs = self._run(_stack([prepared[index].ink for index in batch]), alone)
                for index, output in zip(batch, outputs, strict=True):
                    results[index] = output
        return results

    def release_memory(self) -> None:
        """Give back what inferences in this process took and none of them needs now."""
        spec = self._bundle.manifest.input
        self._run(np.zeros((1, spec.height, spec.buckets[0]), np.float32), False, releasing())

    def _run(
        self,
        ink: NDArray[np.float32],
        alone: bool,
        options: onnxruntime.RunOptions | None = None,
    ) -> NDArray[np.float32]:
        """(images, height, width) to (images, steps, classes)."""
        session = (self._alone if alone else None) or self._session
        outputs = session.run(None, {self._input: ink[..., np.newaxis]}, options)
        log_probs = np.asarray(outputs[0], np.float32)
        steps = ink.shape[2] // self._bundle.manifest.input.stride
        wanted = (len(ink), steps, self._bundle.alphabet.classes)
        if log_probs.shape != wanted:
            raise BundleError(
                self._bundle.network, f"gives {log_probs.shape}, the manifest says {wanted}"
            )
        return log_probs


def _stack(inks: Sequence[Ink]) -> NDArray[np.float32]:
    """One array of images of one size; of a single image without a copy."""
    return inks[0][np.newaxis] if len(inks) == 1 else np.stack(inks)
