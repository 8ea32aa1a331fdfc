"""A bundle at work. `real` holds a network of the trainer's, `toy` one that reads bars."""

import math
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from bundles import bars, make_bundle
from pictures import scrawl
from recognizer.bundle import Bundle, read_manifest, seal
from recognizer.errors import ReadingError
from recognizer.image import Gray, decode
from recognizer.inference import BATCH
from recognizer.manifest import NAME
from recognizer.prepare import prepare
from recognizer.reading import Character, Reading
from recognizer.recognizer import MOST_ALTERNATIVES, Decoder, Recognizer

WIDTHS = [12, 90, 91, 140, 300, 301, 900, 2500, 4000]


def of_bars(text: str) -> Gray:
    return decode(bars(text))


@pytest.mark.parametrize("decoder", ["greedy", "beam"])
@pytest.mark.parametrize("text", ["a", "aa", "aaa aa a", "a" * 20])
def test_reads_what_is_there(toy: Recognizer, text: str, decoder: Decoder) -> None:
    (reading,) = toy.read([of_bars(text)], decoder=decoder)
    assert reading.text == text
    assert reading.confidence > 0.99
    assert "".join(each.text for each in reading.characters) == text
    assert [word.text for word in reading.words] == text.split()


def test_blank_image_gives_no_text(toy: Recognizer) -> None:
    (reading,) = toy.read([np.full((32, 200), 255, np.uint8)])
    assert reading == Reading("", pytest.approx(1, abs=1e-3), ())
    assert reading.words == ()


def test_no_images(toy: Recognizer) -> None:
    assert toy.read([]) == []


def test_characters_lie_where_their_ink_is(toy: Recognizer) -> None:
    gray = of_bars("aa aaa")
    dark = np.flatnonzero(gray.min(axis=0) == 0)
    (reading,) = toy.read([gray])
    letters = [each for each in reading.characters if each.text == "a"]
    for letter, left in zip(letters, dark[::8], strict=True):
        assert (letter.left, letter.right) == (left, left + 8)
    first, second = reading.words
    assert (first.left, first.right) == (letters[0].left, letters[1].right)
    assert (second.left, second.right) == (letters[2].left, letters[4].right)


def test_characters_lie_where_their_ink_is_at_another_scale(toy: Recognizer) -> None:
    gray = of_bars("aa aaa").repeat(3, axis=0).repeat(3, axis=1)
    (reading,) = toy.read([gray])
    dark = np.flatnonzero(gray.min(axis=0) == 0)
    letters = [each for each in reading.characters if each.text == "a"]
    for letter, left in zip(letters, dark[::24], strict=True):
        assert letter.left == pytest.approx(left, abs=1)
        assert letter.right == pytest.approx(left + 24, abs=1)


def test_random_network_reads_something_in_everything(real: Recognizer) -> None:
    """What the tests below show means nothing for empty texts."""
    texts = {reading.text for reading in real.read([scrawl(width) for width in WIDTHS])}
    assert len(texts) == len(WIDTHS)
    assert len("".join(texts)) > 200


@pytest.mark.parametrize("width", WIDTHS)
def test_a_reading_does_not_depend_on_what_shared_its_batch(real: Recognizer, width: int) -> None:
    gray = scrawl(width)
    spec = real.manifest.input
    same_bucket = [scrawl(width, seed=seed) for seed in range(1, BATCH)]
    others = [scrawl(other) for other in WIDTHS if other != width]
    (alone,) = real.read([gray])
    (log_probs,) = real.infer([prepare(gray, spec)])
    for company in (same_bucket, others, [*others, *same_bucket, *others]):
        for place in (0, len(company) // 2, len(company)):
            images = [*company[:place], gray, *company[place:]]
            found = real.infer([prepare(each, spec) for each in images])[place]
            np.testing.assert_allclose(found, log_probs, atol=1e-5)
            reading = real.read(images)[place]
            assert reading.text == alone.text
            assert reading.confidence == pytest.approx(alone.confidence, abs=1e-5)
            for mine, its in zip(reading.characters, alone.characters, strict=True):
                assert (mine.text, mine.left, mine.right) == (its.text, its.left, its.right)


def test_readings_come_in_the_order_of_their_images(real: Recognizer) -> None:
    images = [scrawl(width, seed=seed) for seed in range(5) for width in WIDTHS]
    texts = [reading.text for reading in real.read(images)]
    assert texts == [real.read([image])[0].text for image in images]


def test_log_probabilities_are_those_of_a_distribution(real: Recognizer) -> None:
    ready = [prepare(scrawl(width), real.manifest.input) for width in WIDTHS]
    for image, log_probs in zip(ready, real.infer(ready), strict=True):
        assert log_probs.shape == (image.ink.shape[1] // 4, 18)
        np.testing.assert_allclose(np.exp(log_probs).sum(axis=1), 1, rtol=1e-4)


@pytest.mark.parametrize("decoder", ["greedy", "beam"])
@pytest.mark.parametrize("level", ["auto", "word", "line"])
@pytest.mark.parametrize("width", WIDTHS)
def test_columns_increase_and_lie_in_the_image(
    real: Recognizer, width: int, level: str, decoder: Decoder
) -> None:
    (reading,) = real.read([scrawl(width)], level=level, decoder=decoder)
    columns = [column for each in reading.characters for column in (each.left, each.right)]
    assert columns == sorted(columns)
    assert all(0 <= column <= width for column in columns)
    assert 0 <= reading.confidence <= 1
    assert all(0 <= each.confidence <= 1 for each in reading.characters)
    assert "".join(each.text for each in reading.characters).strip() == reading.text


@pytest.mark.parametrize("decoder", ["greedy", "beam"])
def test_a_word_holds_no_space(real: Recognizer, decoder: Decoder) -> None:
    images = [scrawl(width, seed=seed) for width in WIDTHS for seed in range(3)]
    lines = real.read(images, level="line", decoder=decoder)
    assert any(" " in reading.text for reading in lines)
    for reading in real.read(images, level="word", decoder=decoder, alternatives=3):
        assert " " not in reading.text
        assert all(" " not in other.text for other in reading.alternatives)
        assert len(reading.words) <= 1


@pytest.mark.parametrize("decoder", ["greedy", "beam"])
@pytest.mark.parametrize("count", [1, 3, MOST_ALTERNATIVES])
def test_alternatives_are_other_texts_the_likeliest_first(
    real: Recognizer, count: int, decoder: Decoder
) -> None:
    for width in WIDTHS:
        (reading,) = real.read([scrawl(width)], decoder=decoder, alternatives=count)
        texts = [other.text for other in reading.alternatives]
        assert len(texts) <= count
        assert len({reading.text, *texts}) == len(texts) + 1
        shares = [other.confidence for other in reading.alternatives]
        assert shares == sorted(shares, reverse=True)
        assert 0 <= sum(shares) <= 1 + 1e-3
        (without,) = real.read([scrawl(width)], decoder=decoder)
        assert without.alternatives == ()
        assert without.text == reading.text


def test_alternatives_that_differ_in_outer_spaces_count_as_one(toy: Recognizer) -> None:
    """A gray bar before the text is a space, or nothing: either way the text is the same."""
    gray = of_bars("  aa").copy()
    ink = np.flatnonzero((gray == 128).any(axis=0))
    gray[:, ink] = 190  # half way between a space and paper
    (reading,) = toy.read([gray], alternatives=5)
    assert reading.text == "aa"
    assert "aa" not in {other.text for other in reading.alternatives}
    assert all(other.text == other.text.strip() for other in reading.alternatives)


def test_several_threads_read_the_same(real: Recognizer) -> None:
    images = [scrawl(width, seed=seed) for seed in range(2) for width in WIDTHS]
    expected = [real.read([image], alternatives=2)[0] for image in images]
    with ThreadPoolExecutor(6) as pool:
        for _ in range(3):
            found = pool.map(lambda image: real.read([image], alternatives=2)[0], images)
            assert list(found) == expected


@pytest.mark.parametrize("shape", [(1, 1), (1, 5000), (5000, 1), (3, 3)])
def test_extreme_shapes(real: Recognizer, shape: tuple[int, int]) -> None:
    noise = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    for gray in (noise, np.zeros_like(noise)):
        (reading,) = real.read([gray], decoder="beam", alternatives=1)
        assert math.isfinite(reading.confidence)
        assert all(0 <= each.left <= each.right <= shape[1] for each in reading.characters)


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"level": "page"}, "words? and lines? only"),
        ({"level": ""}, "words? and lines? only"),
        ({"decoder": "lexicon"}, "greedy or beam"),
        ({"alternatives": -1}, "between 0 and 10"),
        ({"alternatives": 11}, "between 0 and 10"),
    ],
)
def test_what_is_not_offered(toy: Recognizer, options: dict[str, object], reason: str) -> None:
    with pytest.raises(ReadingError, match=reason):
        toy.read([of_bars("a")], **options)


def test_level_that_a_bundle_does_not_have(tmp_path: Path) -> None:
    path = make_bundle(tmp_path / "b").path
    words = seal(path, read_manifest(path / NAME).model_copy(update={"levels": ["word"]}))
    recognizer = Recognizer.load(words.path)
    assert recognizer.read([of_bars("aa")], level="word")[0].text == "aa"
    assert recognizer.read([of_bars("aa")])[0].text == "aa"
    with pytest.raises(ReadingError, match="reads words only"):
        recognizer.read([of_bars("aa")], level="line")


def test_temperature_softens_confidences_and_leaves_texts(real_bundle: Bundle) -> None:
    images = [scrawl(width) for width in WIDTHS]
    manifest = real_bundle.manifest
    readings = {
        temperature: Recognizer(
            Bundle(real_bundle.path, manifest.model_copy(update={"temperature": temperature}))
        ).read(images)
        for temperature in (0.5, 1.0, 3.0)
    }
    for sharp, plain, soft in zip(*readings.values(), strict=True):
        assert sharp.text == plain.text == soft.text
        assert sharp.confidence > plain.confidence > soft.confidence


def test_words_are_characters_between_spaces() -> None:
    def characters(text: str) -> tuple[Character, ...]:
        return tuple(
            Character(each, 0.5 if each == "b" else 1.0, 10.0 * index, 10.0 * index + 8)
            for index, each in enumerate(text)
        )

    words = Reading("ab c", 1, characters(" ab  c ")).words
    assert [(word.text, word.left, word.right) for word in words] == [("ab", 10, 28), ("c", 50, 58)]
    assert [word.confidence for word in words] == [pytest.approx(math.sqrt(0.5)), 1.0]


def test_bundles_are_loaded_with_their_golden_images(bundle: Callable[..., Path]) -> None:
    assert Recognizer.load(bundle("c")).read([of_bars("aa a")])[0].text == "cc c"
