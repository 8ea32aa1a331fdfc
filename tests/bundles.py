"""Tiny valid bundles, made without TensorFlow: real files for a real recognizer.

Their network reads bars. A black bar, eight pixels wide and as high as the image, is a
letter; a gray one is a space. So `bars("aa a")` is an image whose text under a bundle of
the letter "a" is "aa a", and under one of the letter "b" it is "bb b": versions are told
apart by what they write, images by how many bars they have.
"""

import io
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

from recognizer.bundle import Bundle, seal
from recognizer.manifest import NETWORK, Golden, Input, Manifest

ALPHABET = " abcdefghij"
HEIGHT = 32
STRIDE = 8
GAP = 3
"""Blank steps before each bar: fewer, and the paper would not be most of the image."""


def make_bundle(path: Path, letter: str = "a", *, golden: str | None = None) -> Bundle:
    """Write and seal a bundle into a new directory.

    Args:
        letter: what it writes for a black bar, one of "a" to "j".
        golden: the text the manifest expects of its golden image; another than the right
            one makes a bundle that must not be served.
    """
    (path / "golden").mkdir(parents=True)
    onnx.save(_network(letter), path / NETWORK)
    (path / "golden" / "bars.png").write_bytes(bars("aaa aa"))
    text = "aaa aa".replace("a", letter) if golden is None else golden
    return seal(
        path,
        Manifest(
            format=1,
            alphabet=ALPHABET,
            blank=0,
            input=Input(height=HEIGHT, stride=STRIDE, margin=STRIDE, buckets=[256, 512, 1024]),
            temperature=1.0,
            levels=["word", "line"],
            golden=[Golden(image="golden/bars.png", text=text)],
            files={NETWORK: "sha256:" + "0" * 64, "golden/bars.png": "sha256:" + "0" * 64},
        ),
    )


def damage(bundle: Path) -> None:
    """Change one byte of the network, as a failing disk would."""
    network = bundle / NETWORK
    data = bytearray(network.read_bytes())
    data[len(data) // 2] ^= 1
    network.write_bytes(bytes(data))


def bars(text: str, image_format: str = "PNG") -> bytes:
    """An image file with a black bar for each letter of `text` and a gray one for each space."""
    pixels = np.full((HEIGHT, STRIDE * ((GAP + 1) * max(len(text), 1) + GAP)), 255, np.uint8)
    for index, character in enumerate(text):
        left = STRIDE * ((GAP + 1) * index + GAP)
        pixels[:, left : left + STRIDE] = 128 if character == " " else 0
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, image_format)
    return stream.getvalue()


def _network(letter: str) -> onnx.ModelProto:
    """Mean ink of each step, nearest of three levels: paper, space, letter."""
    classes = len(ALPHABET) + 1
    weights = np.zeros((1, classes), np.float32)
    bias = np.full(classes, -1e4, np.float32)
    for label, level in ((0, 0.0), (1, 0.5), (1 + ALPHABET.index(letter), 1.0)):
        # -60 (ink - level)^2, less what is the same for all classes
        weights[0, label] = 120 * level
        bias[label] = -60 * level**2
    shapes = {
        "nchw": np.array([0, 1, HEIGHT, -1], np.int64),
        "steps": np.array([0, -1, 1], np.int64),
    }
    graph = helper.make_graph(
        [
            helper.make_node("Reshape", ["image", "nchw"], ["channels_first"]),
            helper.make_node(
                "AveragePool",
                ["channels_first"],
                ["pooled"],
                kernel_shape=[HEIGHT, STRIDE],
                strides=[HEIGHT, STRIDE],
            ),
            helper.make_node("Reshape", ["pooled", "steps"], ["ink"]),
            helper.make_node("MatMul", ["ink", "weights"], ["scores"]),
            helper.make_node("Add", ["scores", "bias"], ["logits"]),
            helper.make_node("LogSoftmax", ["logits"], ["log_probs"], axis=-1),
        ],
        "bars",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["images", HEIGHT, "width", 1])],
        [helper.make_tensor_value_info("log_probs", TensorProto.FLOAT, ["images", None, classes])],
        [
            numpy_helper.from_array(value, name)
            for name, value in {**shapes, "weights": weights, "bias": bias}.items()
        ],
    )
    return helper.make_model(graph, ir_version=10, opset_imports=[helper.make_opsetid("", 17)])
