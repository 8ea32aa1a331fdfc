"""A bundle is refused with the file and the field that are wrong, before it can be served."""

import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import onnx
import pytest
from onnx import TensorProto, helper

from bundles import bars, damage, make_bundle
from recognizer import language, wordlist
from recognizer.beam import Scores, State
from recognizer.bundle import Bundle, digest, read_manifest, seal
from recognizer.decode import LogProbs
from recognizer.errors import BundleError
from recognizer.manifest import NAME, NETWORK, Decoder
from recognizer.prepare import Prepared
from recognizer.recognizer import Recognizer
from rich_bundles import make_rich_bundle

DIGEST = "sha256:" + "0" * 64
Change = Callable[[Any], object]


class FailingGuide:
    start: State = ()

    def scores(self, states: Sequence[State]) -> Scores:
        raise IndexError("no such n-gram")

    def after(self, state: State, label: int) -> State:
        return state


@pytest.fixture
def made(tmp_path: Path) -> Path:
    return make_bundle(tmp_path / "bundle").path


def rewrite(bundle: Path, **fields: object) -> None:
    """Change fields of the manifest; `input__height=1` is the field `height` of `input`."""
    file = bundle / NAME
    manifest = json.loads(file.read_text())
    for name, value in fields.items():
        *outer, last = name.split("__")
        where = manifest
        for part in outer:
            where = where[part]
        where[last] = value
    file.write_text(json.dumps(manifest))


def test_a_sound_bundle_is_read(made: Path) -> None:
    bundle = Bundle.load(made)
    assert bundle.network == made / NETWORK
    assert bundle.alphabet.classes == 12
    assert set(bundle.manifest.files) == {NETWORK, "golden/bars.png"}
    assert Recognizer.load(made).manifest == bundle.manifest


@pytest.mark.parametrize(
    "field",
    "format alphabet blank input temperature levels golden files "
    "input.height input.stride input.margin input.buckets golden.0.image golden.0.text".split(),
)
def test_missing_field(made: Path, field: str) -> None:
    manifest = json.loads((made / NAME).read_text())
    *outer, last = field.split(".")
    where = manifest
    for part in outer:
        where = where[int(part) if part.isdigit() else part]
    del where[last]
    (made / NAME).write_text(json.dumps(manifest))
    with pytest.raises(BundleError) as raised:
        Bundle.load(made)
    assert raised.value.field == field
    assert str(raised.value) == f"{made / NAME}: {field}: Field required"


@pytest.mark.parametrize(
    ("name", "value", "field"),
    [
        ("format", "1", "format"),
        ("format", 2, "format"),
        ("format", None, "format"),
        ("alphabet", "", "alphabet"),
        ("alphabet", ["a"], "alphabet"),
        ("alphabet", "aba", None),
        ("blank", -1, "blank"),
        ("blank", 12, None),
        ("blank", "0", "blank"),
        ("input", [], "input"),
        ("input__height", 0, "input.height"),
        ("input__height", 32.5, "input.height"),
        ("input__height", 1_000_000, "input.height"),
        ("input__stride", 0, "input.stride"),
        ("input__stride", 7, "input"),
        ("input__margin", -1, "input.margin"),
        ("input__margin", 1000, "input.margin"),
        ("input__buckets", [], "input.buckets"),
        ("input__buckets", [512, 256], "input.buckets"),
        ("input__buckets", [256, 256], "input.buckets"),
        ("input__buckets", [0, 256], "input.buckets"),
        ("input__buckets", [10_000_000], "input.buckets"),
        ("input__buckets", ["256"], "input.buckets.0"),
        ("input__buckets", [16], "input"),
        ("input__colour", "red", "input.colour"),
        ("temperature", 0, "temperature"),
        ("temperature", -1.0, "temperature"),
        ("temperature", 101, "temperature"),
        ("temperature", "warm", "temperature"),
        ("temperature", float("nan"), "temperature"),
        ("temperature", float("inf"), "temperature"),
        ("levels", [], "levels"),
        ("levels", ["page"], "levels.0"),
        ("levels", ["line", "line"], "levels"),
        ("levels", "line", "levels"),
        ("golden", [], "golden"),
        ("golden", [{"image": "", "text": "a"}], "golden.0.image"),
        ("golden", [{"image": "golden/bars.png", "text": 7}], "golden.0.text"),
        ("golden", [{"image": "golden/other.png", "text": "a"}], None),
        ("golden", [{"image": "../bars.png", "text": "a"}], "golden.0.image"),
        ("golden", [{"image": "/etc/hostname", "text": "a"}], "golden.0.image"),
        ("files", [], "files"),
        ("files", {}, "files"),
        ("files", {"golden/bars.png": DIGEST}, "files"),
        ("files", {NETWORK: "sha256:1234"}, f"files.{NETWORK}"),
        ("files", {NETWORK: "md5:" + "0" * 64}, f"files.{NETWORK}"),
        ("files", {NETWORK: DIGEST, "../secret": DIGEST}, "files"),
        ("files", {NETWORK: DIGEST, "/etc/passwd": DIGEST}, "files"),
        ("files", {NETWORK: DIGEST, "golden/../../x": DIGEST}, "files"),
        ("files", {NETWORK: DIGEST, "golden\\..\\x": DIGEST}, "files"),
        ("files", {NETWORK: DIGEST, "./x": DIGEST}, "files"),
        ("files", {NETWORK: DIGEST, "": DIGEST}, "files"),
        ("author", "me", "author"),
    ],
)
def test_broken_field(made: Path, name: str, value: object, field: str | None) -> None:
    rewrite(made, **{name: value})
    with pytest.raises(BundleError) as raised:
        Bundle.load(made)
    error = raised.value
    assert (error.file, error.field) == (str(made / NAME), field)
    assert str(error).startswith(f"{made / NAME}: {field}: " if field else f"{made / NAME}: ")
    assert len(str(error).splitlines()) == 1


def test_newer_format_is_said_first(made: Path) -> None:
    rewrite(made, format=3, alphabet=None, extra=1)
    with pytest.raises(BundleError, match=r"format: is 3; this program reads format 1$"):
        Bundle.load(made)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (b"", "is not JSON"),
        (b"{", "is not JSON"),
        (b"version: 1", "is not JSON"),
        (b"[" * 100_000, "is not JSON"),
        (b"\xff\xfe{}", "cannot be read"),
        (b"[]", "Input should be an object"),
        (b"null", "Input should be an object"),
    ],
)
def test_manifest_that_is_none(made: Path, text: bytes, problem: str) -> None:
    (made / NAME).write_bytes(text)
    with pytest.raises(BundleError, match=problem) as raised:
        Bundle.load(made)
    assert raised.value.file == str(made / NAME)


def test_no_bundle(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"recognizer\.json: is not there: not a bundle"):
        Bundle.load(tmp_path / "nowhere")
    (tmp_path / "file").touch()
    with pytest.raises(BundleError, match="cannot be read"):
        Bundle.load(tmp_path / "file")
    (tmp_path / NAME).mkdir()
    with pytest.raises(BundleError, match="cannot be read"):
        read_manifest(tmp_path / NAME)


@pytest.mark.parametrize("name", [NETWORK, "golden/bars.png"])
def test_missing_file(made: Path, name: str) -> None:
    (made / name).unlink()
    with pytest.raises(
        BundleError, match=r"is listed in recognizer\.json but is not there"
    ) as raised:
        Bundle.load(made)
    assert raised.value.file == str(made / name)


@pytest.mark.parametrize("name", ["x" * 300, "golden", "nul\0byte"])
def test_listed_name_that_cannot_be_a_file(made: Path, name: str) -> None:
    files = {**Bundle.load(made).manifest.files, name: DIGEST}
    rewrite(made, files=files)
    with pytest.raises(BundleError) as raised:
        Bundle.load(made)
    assert raised.value.file == str(made / name)


def test_damaged_file(made: Path) -> None:
    damage(made)
    with pytest.raises(BundleError, match="does not have the digest") as raised:
        Bundle.load(made)
    assert raised.value.file == str(made / NETWORK)
    # the manifest alone is sound still
    assert read_manifest(made / NAME).format == 1


def test_golden_image_read_as_another_text(tmp_path: Path) -> None:
    made = make_bundle(tmp_path / "b", golden="something else")
    with pytest.raises(BundleError, match="was read as 'aaa aa', expected 'something else'"):
        Recognizer.load(made.path)


def test_a_slip_in_a_long_golden_text_is_allowed(tmp_path: Path) -> None:
    made = make_bundle(tmp_path / "b").path
    text = "aaaa aaaa aaaa aaaa"
    (made / "golden" / "bars.png").write_bytes(bars(text))
    manifest = read_manifest(made / NAME)
    for expected in (text, text[:-1] + "b"):
        golden = [manifest.golden[0].model_copy(update={"text": expected})]
        seal(made, manifest.model_copy(update={"golden": golden}))
        Recognizer.load(made)
    golden = [manifest.golden[0].model_copy(update={"text": text[:-5] + "bbbbb"})]
    seal(made, manifest.model_copy(update={"golden": golden}))
    with pytest.raises(BundleError, match="was read as"):
        Recognizer.load(made)


def test_golden_image_that_is_none(made: Path) -> None:
    (made / "golden" / "bars.png").write_bytes(b"no image")
    seal(made, read_manifest(made / NAME))
    with pytest.raises(BundleError, match="cannot be read: Not an image") as raised:
        Recognizer.load(made)
    assert raised.value.file == str(made / "golden" / "bars.png")


def test_wrong_number_of_classes(made: Path) -> None:
    rewrite(made, alphabet="abc")
    with pytest.raises(BundleError, match="has 12 classes, the alphabet makes 4") as raised:
        Recognizer.load(made)
    assert raised.value.field == "alphabet"


def test_network_that_is_none(made: Path) -> None:
    (made / NETWORK).write_bytes(b"not a network")
    seal(made, read_manifest(made / NAME))
    with pytest.raises(BundleError, match="cannot be opened") as raised:
        Recognizer.load(made)
    assert len(str(raised.value).splitlines()) == 1


def test_network_of_another_height(made: Path) -> None:
    rewrite(made, input__height=48)
    with pytest.raises(BundleError, match=r"fails on bars\.png") as raised:
        Recognizer.load(made)
    assert raised.value.file == str(made / NETWORK)
    assert len(str(raised.value).splitlines()) == 1


def test_network_of_another_stride(made: Path) -> None:
    rewrite(made, input__stride=4)
    with pytest.raises(
        BundleError, match=r"gives \(1, \d+, 12\), the manifest says \(1, \d+, 12\)"
    ):
        Recognizer.load(made)


def test_network_of_a_single_number(made: Path) -> None:
    graph = helper.make_graph(
        [helper.make_node("ReduceSum", ["image"], ["sum"], keepdims=0)],
        "sum",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["n", 32, "w", 1])],
        [helper.make_tensor_value_info("sum", TensorProto.FLOAT, [])],
    )
    onnx.save(
        helper.make_model(graph, ir_version=10, opset_imports=[helper.make_opsetid("", 17)]),
        made / NETWORK,
    )
    seal(made, read_manifest(made / NAME))
    with pytest.raises(BundleError, match="has None classes"):
        Recognizer.load(made)


def test_network_of_one_image_at_a_time(made: Path) -> None:
    network = onnx.load(made / NETWORK)
    network.graph.input[0].type.tensor_type.shape.dim[0].dim_value = 1
    onnx.save(network, made / NETWORK)
    seal(made, read_manifest(made / NAME))
    with pytest.raises(BundleError, match="fails on two images at a time") as raised:
        Recognizer.load(made)
    assert raised.value.file == str(made / NETWORK)


def test_network_that_fails_on_wide_images(made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    infer, widest = Recognizer.infer, read_manifest(made / NAME).input.buckets[-1]

    def limited(self: Recognizer, prepared: Sequence[Prepared], **how: bool) -> list[LogProbs]:
        if any(each.ink.shape[1] == widest for each in prepared):
            raise RuntimeError("no positions beyond")
        return infer(self, prepared, **how)

    monkeypatch.setattr(Recognizer, "infer", limited)
    with pytest.raises(BundleError, match="fails on the widest image: no positions") as raised:
        Recognizer.load(made)
    assert raised.value.file == str(made / NETWORK)


@pytest.mark.parametrize(("decoder", "file"), [("beam", language.FILE), ("lexicon", wordlist.FILE)])
def test_guide_of_a_decoder_that_fails(tmp_path: Path, decoder: Decoder, file: str) -> None:
    recognizer = Recognizer(make_rich_bundle(tmp_path / "b"))
    recognizer.check()
    recognizer._guides[decoder] = FailingGuide()
    with pytest.raises(
        BundleError, match=f"fails on the decoder {decoder}: no such n-gram"
    ) as raised:
        recognizer.check()
    assert raised.value.file == str(recognizer.bundle.path / file)


@pytest.mark.parametrize("size", [None, (256, 320)])
def test_detector_of_a_fixed_size(made: Path, size: tuple[int, int] | None) -> None:
    rows, columns = size or ("rows", "columns")
    graph = helper.make_graph(
        [helper.make_node("Concat", ["ink"] * 3, ["maps"], axis=3)],
        "maps",
        [helper.make_tensor_value_info("ink", TensorProto.FLOAT, [1, rows, columns, 1])],
        [helper.make_tensor_value_info("maps", TensorProto.FLOAT, [1, rows, columns, 3])],
    )
    onnx.save(
        helper.make_model(graph, ir_version=10, opset_imports=[helper.make_opsetid("", 17)]),
        made / "detector.onnx",
    )
    seal(made, read_manifest(made / NAME).model_copy(update={"detector": "detector.onnx"}))
    if size is None:
        Recognizer.load(made)
        return
    with pytest.raises(BundleError, match="fails on a blank page") as raised:
        Recognizer.load(made)
    assert raised.value.file == str(made / "detector.onnx")
    assert len(str(raised.value).splitlines()) == 1


def test_seal_lists_every_file(made: Path) -> None:
    (made / "MODEL_CARD.md").write_text("A model.")
    bundle = seal(made, read_manifest(made / NAME))
    assert set(bundle.manifest.files) == {NETWORK, "golden/bars.png", "MODEL_CARD.md"}
    assert bundle.manifest.files["MODEL_CARD.md"] == digest(made / "MODEL_CARD.md")


def test_a_bundle_may_be_moved(made: Path, tmp_path: Path) -> None:
    shutil.move(made, tmp_path / "elsewhere")
    Recognizer.load(tmp_path / "elsewhere")
