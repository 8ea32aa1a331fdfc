"""A bundle with a real network, for tests of what no toy can show."""

import contextlib
import io
import warnings

import numpy as np
import pytest

from bundles import bars, make_bundle
from pictures import scrawl
from recognizer.alphabet import Alphabet
from recognizer.bundle import Bundle, seal
from recognizer.manifest import NETWORK, Golden, Manifest
from recognizer.prepare import prepare
from recognizer.recognizer import Recognizer

ALPHABET = " abcdefghijklmnop"


@pytest.fixture(scope="session")
def real_bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """The trainer's smallest network with random weights, exported as it exports them."""
    pytest.importorskip("tensorflow")
    from trainer.network import build, reader
    from trainer.recipe import Recipe

    spec = Recipe(size="tiny").input()
    model = build("tiny", len(ALPHABET) + 1, seed=5)
    head = model.get_layer("logits")
    kernel, bias = head.get_weights()
    rng = np.random.default_rng(0)
    head.set_weights([rng.normal(0, 1, kernel.shape), bias])
    ink = np.stack([prepare(scrawl(900, seed=seed), spec).ink for seed in range(4)])
    logits = np.asarray(model(ink[..., np.newaxis])[0])[:, 8:-24].reshape(-1, len(bias))
    # as sure of itself as a trained network, and writing every character somewhere
    strength = 4 / logits.std(axis=0)
    head.set_weights([head.get_weights()[0] * strength, -logits.mean(axis=0) * strength])
    served = reader(model)
    served(ink[:1, ..., np.newaxis])
    path = tmp_path_factory.mktemp("real") / "bundle"
    (path / "golden").mkdir(parents=True)
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore", FutureWarning)
        served.export(str(path / NETWORK), format="onnx", verbose=False)
    (path / "golden" / "bars.png").write_bytes(bars("aaa aa"))
    draft = Manifest.model_construct(
        format=1,
        alphabet=Alphabet(ALPHABET).characters,
        blank=0,
        input=spec,
        temperature=1.3,
        levels=["word", "line"],
        golden=[Golden(image="golden/bars.png", text="")],
        files={},
    )
    return seal(path, draft)


@pytest.fixture(scope="session")
def real(real_bundle: Bundle) -> Recognizer:
    return Recognizer(real_bundle, threads=1)


@pytest.fixture(scope="session")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Recognizer:
    """Reads bars."""
    return Recognizer(make_bundle(tmp_path_factory.mktemp("toy") / "bundle"))
