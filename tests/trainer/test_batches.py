"""Samples made into batches by worker processes."""

import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import psutil
import pytest

from recognizer.alphabet import Alphabet
from recognizer.manifest import Input
from recognizer.prepare import prepare
from samples import Scrawl, scrawls
from trainer.batches import CHUNK, LABEL_STEP, Batch, Pipeline
from trainer.datasets.base import FileSample, Sample
from trainer.datasets.synthetic import SyntheticDataset

SERVICES = Path(__file__).parents[2] / "services"
SPEC = Input(height=32, stride=4, margin=8, buckets=[128, 256, 512])


@pytest.fixture(scope="module")
def pipeline() -> Iterator[Pipeline]:
    with Pipeline(SPEC, Alphabet("ab c"), workers=1) as pipeline:
        yield pipeline


def same(first: Sequence[Batch], second: Sequence[Batch]) -> bool:
    return len(first) == len(second) and all(
        a.samples == b.samples
        and a.fresh == b.fresh
        and np.array_equal(a.ink, b.ink)
        and np.array_equal(a.labels, b.labels)
        and np.array_equal(a.lengths, b.lengths)
        for a, b in zip(first, second, strict=True)
    )


def test_every_sample_comes_once(pipeline: Pipeline) -> None:
    samples = scrawls(75)
    for epoch in (None, (1, 0), (1, 7)):
        batches = list(pipeline.batches(samples, 8, epoch=epoch))
        shown = [sample.id for batch in batches for sample in batch.samples[: batch.fresh]]
        assert sorted(shown) == sorted(sample.id for sample in samples)


def test_a_batch_holds_images_of_one_bucket(pipeline: Pipeline) -> None:
    for batch in pipeline.batches(scrawls(40), 4):
        assert batch.ink.dtype == np.float32
        assert batch.ink.shape[:2] == (4, 32)
        assert batch.ink.shape[2] in SPEC.buckets
        assert batch.ink.shape[3] == 1
        for sample, ink in zip(batch.samples, batch.ink, strict=True):
            expected = prepare(sample.image(), SPEC).ink
            np.testing.assert_allclose(ink[..., 0], expected, atol=0.5 / 255 + 1e-6)


def test_labels_write_the_texts(pipeline: Pipeline) -> None:
    for batch in pipeline.batches(scrawls(40), 4, epoch=(3, 1)):
        assert batch.labels.dtype == batch.lengths.dtype == np.int32
        assert batch.labels.shape == (4, LABEL_STEP)
        for sample, labels, length in zip(batch.samples, batch.labels, batch.lengths, strict=True):
            assert pipeline.alphabet.decode(labels[:length].tolist()) == sample.text
            assert not labels[length:].any()


def test_last_batches_are_filled_with_repeats(pipeline: Pipeline) -> None:
    samples = scrawls(7, widths=(60, 400))
    batches = list(pipeline.batches(samples, 3))
    assert [batch.fresh for batch in batches] == [3, 3, 1]
    for batch in batches:
        assert len(batch.ink) == len(batch.samples) == len(batch.labels) == 3
        for place in range(batch.fresh, 3):
            assert batch.samples[place] == batch.samples[place % batch.fresh]
            np.testing.assert_array_equal(batch.ink[place], batch.ink[place % batch.fresh])


def test_without_an_epoch_order_and_images_stay(pipeline: Pipeline) -> None:
    samples = scrawls(10, widths=(60,))
    batches = list(pipeline.batches(samples, 5))
    assert [sample for batch in batches for sample in batch.samples] == samples
    assert same(batches, list(pipeline.batches(samples, 5)))


def test_epochs_differ_and_repeat(pipeline: Pipeline) -> None:
    samples = scrawls(20)
    first = list(pipeline.batches(samples, 4, epoch=(1, 0)))
    assert same(first, list(pipeline.batches(samples, 4, epoch=(1, 0))))
    assert not same(first, list(pipeline.batches(samples, 4, epoch=(1, 1))))
    assert not same(first, list(pipeline.batches(samples, 4, epoch=(2, 0))))


def test_an_epoch_may_leave_the_images_as_they_are(pipeline: Pipeline) -> None:
    samples = scrawls(6, widths=(60,))
    (plain,) = pipeline.batches(samples, 6)
    (shuffled,) = pipeline.batches(samples, 6, epoch=(1, 0), augmentation=0)
    assert shuffled.samples != plain.samples
    for sample, ink in zip(shuffled.samples, shuffled.ink, strict=True):
        np.testing.assert_array_equal(ink, plain.ink[plain.samples.index(sample)])


def test_an_epoch_may_change_a_share_of_the_images(pipeline: Pipeline) -> None:
    samples = scrawls(40, widths=(60,))
    (plain,) = pipeline.batches(samples, 40)
    some = list(pipeline.batches(samples, 40, epoch=(1, 0), augmentation=0.5))
    kept = sum(
        any(np.array_equal(ink, other) for other in plain.ink)
        for batch in some
        for ink in batch.ink[: batch.fresh]
    )
    assert 10 < kept < 30


def test_batches_do_not_depend_on_the_number_of_workers(pipeline: Pipeline) -> None:
    samples = scrawls(3 * CHUNK + 5)
    expected = list(pipeline.batches(samples, 8, epoch=(1, 2)))
    with Pipeline(SPEC, pipeline.alphabet, workers=3) as several:
        assert same(expected, list(several.batches(samples, 8, epoch=(1, 2))))


def test_images_of_any_dataset_can_be_sent(pipeline: Pipeline) -> None:
    dataset = SyntheticDataset(train=4, val=0, test=0, level="word")
    samples = [
        FileSample(sample.id, "a", sample.document, Path("nowhere.png"))
        for sample in dataset.samples("train")
    ]
    with Pipeline(SPEC, Alphabet.of(s.text for s in dataset.samples("train")), workers=1) as own:
        shown = sum(batch.fresh for batch in own.batches(dataset.samples("train"), 2))
        assert shown == 4
        assert list(own.batches(samples, 2)) == []


def test_broken_images_are_skipped_with_one_warning_each(
    pipeline: Pipeline, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "text.png").write_bytes(b"no image")
    (tmp_path / "empty.png").touch()
    broken: list[Sample] = [
        FileSample("missing", "a", "d", tmp_path / "none.png"),
        FileSample("text", "a", "d", tmp_path / "text.png"),
        FileSample("empty", "a", "d", tmp_path / "empty.png"),
        FileSample("folder", "a", "d", tmp_path),
        Scrawl("strange", "a", -1),
    ]
    samples = [*scrawls(3), *broken, *scrawls(3)]
    with caplog.at_level(logging.WARNING):
        for epoch in (None, (1, 0), (1, 1)):
            shown = sum(batch.fresh for batch in pipeline.batches(samples, 4, epoch=epoch))
            assert shown == 6
    messages = sorted(record.getMessage() for record in caplog.records)
    assert [message.split(" is skipped: ")[0] for message in messages] == sorted(
        sample.id for sample in broken
    )
    assert any("Not an image in a format we read" in message for message in messages)
    assert any("No such file" in message for message in messages)


def test_texts_that_do_not_fit_their_image_are_left_out(
    pipeline: Pipeline, caplog: pytest.LogCaptureFixture
) -> None:
    """CTC writes at most one label a step, and needs a blank between doubled letters."""
    steps = 128 // SPEC.stride
    fits = [Scrawl("1", "ab" * (steps // 2), 60), Scrawl("2", "a" * (steps // 2), 60)]
    too_long = [Scrawl("3", "ab" * (steps // 2) + "a", 60), Scrawl("4", "a" * (steps // 2 + 1), 60)]
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            (batch,) = pipeline.batches([*fits, *too_long, Scrawl("5", "", 60)], 2)
            assert list(batch.samples) == fits
    assert [record.getMessage() for record in caplog.records] == [
        f"3 is skipped: {steps + 1} characters, which {steps} steps cannot write",
        f"4 is skipped: {steps // 2 + 1} characters, which {steps} steps cannot write",
    ]


def test_a_signal_for_the_whole_group_does_not_end_the_workers(pipeline: Pipeline) -> None:
    """Batch systems send theirs to each process: the parent alone ends the work."""
    samples = scrawls(3)
    assert sum(batch.fresh for batch in pipeline.batches(samples, 4)) == 3
    workers = list(pipeline._pool._processes)
    assert workers
    assert all(os.getpgid(worker) != os.getpgrp() for worker in workers)


def test_no_samples_no_batches(pipeline: Pipeline) -> None:
    assert list(pipeline.batches([], 4, epoch=(1, 0))) == []


def test_an_unfinished_epoch_does_not_disturb_the_next(pipeline: Pipeline) -> None:
    samples = scrawls(200)
    expected = list(pipeline.batches(samples, 8))
    for _ in pipeline.batches(samples, 8, epoch=(1, 0)):
        break
    assert same(expected, list(pipeline.batches(samples, 8)))


PARENT = """
import multiprocessing
import time
from recognizer.alphabet import Alphabet
from recognizer.manifest import Input
from trainer.batches import Pipeline
from trainer.datasets.synthetic import SyntheticDataset

if __name__ == "__main__":
    samples = SyntheticDataset(train=5000, val=0, test=0).samples("train")
    alphabet = Alphabet.of(sample.text for sample in samples)
    spec = Input(height=32, stride=4, margin=8, buckets=[128, 256, 512, 1024, 2048])
    with Pipeline(spec, alphabet, workers=2) as pipeline:
        next(pipeline.batches(samples, 4, epoch=(1, 0)))
        print(*[child.pid for child in multiprocessing.active_children()], flush=True)
        time.sleep(60)
"""


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_workers_end_with_a_killed_parent(tmp_path: Path, how: signal.Signals) -> None:
    script = tmp_path / "parent.py"
    script.write_text(PARENT)
    with subprocess.Popen(
        [sys.executable, str(script)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(SERVICES)},
    ) as parent:
        assert parent.stdout
        workers = [psutil.Process(int(pid)) for pid in parent.stdout.readline().split()]
        try:
            assert len(workers) == 2
            parent.send_signal(how)
            parent.wait(timeout=10)
            _, alive = psutil.wait_procs(workers, timeout=10)
            # a container may have nobody to bury them
            assert [each for each in alive if each.status() != psutil.STATUS_ZOMBIE] == []
        finally:
            parent.kill()
            for worker in workers:
                if worker.is_running():
                    worker.kill()


def test_workers_end_with_the_pipeline() -> None:
    me = psutil.Process()
    before = set(me.children())
    with Pipeline(SPEC, Alphabet("ab c"), workers=2) as pipeline:
        list(pipeline.batches(scrawls(80), 4))
        started = set(me.children()) - before
        assert len(started) >= 2
    until = time.monotonic() + 10
    while time.monotonic() < until and any(child.is_running() for child in started):
        time.sleep(0.05)
    # the process that tracks what processes share stays; it is the interpreter's own
    left = [" ".join(child.cmdline()) for child in started if child.is_running()]
    assert all("resource_tracker" in command for command in left)
