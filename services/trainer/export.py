"""From a trained network to a bundle."""

import contextlib
import io
import shutil
import tempfile
import warnings
import zipfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
from PIL import Image

from recognizer.alphabet import Alphabet
from recognizer.bundle import Bundle, seal
from recognizer.manifest import CARD, NETWORK, Golden, Input, Manifest
from recognizer.manifest import NAME as MANIFEST
from recognizer.recognizer import Recognizer
from trainer.checkpoint import Checkpoint
from trainer.datasets.base import Sample
from trainer.datasets.synthetic import SyntheticDataset
from trainer.detector.bundled import DETECTOR, detector_of
from trainer.network import Crnn, reader
from trainer.recipe import Recipe
from trainer.sizes import BLANK
from trainer.transfer import KERAS_MODEL

GOLDEN_IMAGES = 4


class ExportError(Exception):
    """The network cannot be made a bundle here."""


def golden_samples() -> Sequence[Sample]:
    """Images that no licence keeps from travelling with a bundle: synthetic ones."""
    return SyntheticDataset(train=0, val=GOLDEN_IMAGES, test=0, level="line", seed=7).samples("val")


def export_bundle(
    model: Crnn,
    alphabet: Alphabet,
    spec: Input,
    card: str,
    path: Path,
    *,
    detector: Path | None = None,
) -> Bundle:
    """Write a network as a bundle.

    The texts of the golden images are what this network reads there now: they tell a
    damaged copy or a broken runtime, not a bad reader.

    Args:
        card: text of MODEL_CARD.md.
        path: of the bundle; what lies there is replaced once the new one is whole.
        detector: what finds the lines of a page; None: pages are read without a trained one.

    Raises:
        ExportError: Keras runs on a backend that exports no ONNX, or `path` is something else.
    """
    if keras.backend.backend() != "tensorflow":
        raise ExportError(
            "ONNX export needs TensorFlow. Train with `python -m trainer fit` here, then run "
            "`python -m trainer export` on the checkpoint with KERAS_BACKEND=tensorflow."
        )
    refuse_other(path)  # before anything takes long
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".bundle-") as folder:
        new = Path(folder) / "bundle"
        (new / "golden").mkdir(parents=True)
        export_onnx(reader(model), (spec.height, spec.buckets[0], 1), new / NETWORK)
        _save_for_training(model, new / KERAS_MODEL)
        (new / CARD).write_text(card, encoding="utf-8")
        if detector:
            shutil.copy(detector, new / DETECTOR)
        golden = []
        for number, sample in enumerate(golden_samples()):
            name = f"golden/{number}.png"
            Image.fromarray(sample.image()).save(new / name, optimize=True)
            golden.append(Golden(image=name, text=""))
        manifest = Manifest.model_construct(
            format=1,
            alphabet=alphabet.characters,
            blank=BLANK,
            input=spec,
            temperature=1.0,
            levels=["word", "line"],
            golden=golden,
            detector=DETECTOR if detector else None,
            files={},
        )
        return put(with_golden(new, manifest), path)


def with_golden(path: Path, manifest: Manifest) -> Bundle:
    """Seal a bundle whose golden images are read anew, by the network that lies there."""
    texts = _read_golden(seal(path, manifest))
    return seal(path, manifest.model_copy(update={"golden": texts}))


def put(bundle: Bundle, path: Path) -> Bundle:
    """Move a bundle that reads its golden images to where it belongs, over a bundle there.

    Raises:
        ExportError: something else lies there.
    """
    refuse_other(path)
    Recognizer(bundle, threads=1).check()
    shutil.rmtree(path, ignore_errors=True)
    bundle.path.rename(path)
    return replace(bundle, path=path)


def refuse_other(path: Path) -> None:
    """Raises `ExportError` where there is something else than a bundle, which is left alone."""
    if path.exists() and not (path / MANIFEST).is_file() and not _is_empty(path):
        raise ExportError(f"'{path}' holds something else than a bundle: name a new folder.")


def _is_empty(path: Path) -> bool:
    return path.is_dir() and not any(path.iterdir())


def export_checkpoint(checkpoint: Checkpoint, path: Path) -> Bundle:
    """The best network of a checkpoint as a bundle. Raises `CheckpointError`, `ExportError`."""
    state = checkpoint.state()
    alphabet = Alphabet(state.alphabet)
    spec = Recipe(size=state.parameters["size"]).input()
    best = min((epoch.val_cer for epoch in state.history if epoch.validated), default=None)
    read = f"{best:.2%}" if best is not None else "not measured"
    card = (
        f"# Handwriting recogniser, {state.parameters['size']}\n\n"
        f"Exported from a checkpoint. Validation CER {read}, greedy decoder; no test was made.\n"
    )
    detector = detector_of(checkpoint.base())
    return export_bundle(checkpoint.best(), alphabet, spec, card, path, detector=detector)


def _read_golden(bundle: Bundle) -> list[Golden]:
    recognizer = Recognizer(bundle, threads=1)
    images = [sample.image() for sample in golden_samples()]
    readings = recognizer.read(images)
    return [
        Golden(image=golden.image, text=reading.text)
        for golden, reading in zip(bundle.manifest.golden, readings, strict=True)
    ]


def export_onnx(served: keras.Model, shape: tuple[int, int, int], file: Path) -> None:
    """Write a network as ONNX.

    Args:
        shape: of an image that it takes: height, width, channels.
    """
    # Keras knows the shapes only after a call
    served(np.zeros((1, *shape), np.float32))
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        # tf2onnx touches a NumPy name that is about to change its meaning
        warnings.simplefilter("ignore", FutureWarning)
        served.export(str(file), format="onnx", verbose=False)


def _save_for_training(model: Crnn, file: Path) -> None:
    """The network to train on from, small: no optimizer, weights of half precision, deflated.

    What is served is the ONNX file with all bits; a training moves the weights by more than
    the rounding does.
    """
    bare = keras.models.clone_model(model)
    rounded = [
        weights.astype(np.float16).astype(weights.dtype) if weights.dtype.kind == "f" else weights
        for weights in model.get_weights()
    ]
    bare.set_weights(rounded)
    bare.save(file)
    with zipfile.ZipFile(file) as old:
        entries = {name: old.read(name) for name in old.namelist()}
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as new:
        for name, data in entries.items():
            new.writestr(name, data)
