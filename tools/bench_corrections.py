"""What some hundred corrected lines of hands that a model has never seen do for it.

`python -m tools.bench_corrections SET -m BUNDLE -d OTHERS` takes whole documents of the training
split of a set, saves their lines as a person would who corrects them, lets `trainer retrain` learn
from them, and reads the set's test split before and after. MLflow must answer at
MLFLOW_TRACKING_URI; the versions get a model of their own there.
"""

import io
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

import typer
from PIL import Image

from corrections.record import CorrectedLine, Correction
from corrections.store import Store
from recognizer.address import Address
from recognizer.bundle import Bundle
from recognizer.recognizer import Recognizer
from trainer.datasets.base import Dataset, Sample
from trainer.datasets.catalogue import open_dataset
from trainer.evaluation import evaluate
from trainer.gate import frozen_sets
from trainer.metrics import Scores, cer_interval
from trainer.registry import Registry
from trainer.settings import load
from trainer.submit import Origin, enter, run_of


def main(
    corrected: Annotated[str, typer.Argument(metavar="SET", help="Whose lines are corrected.")],
    model: Annotated[Path, typer.Option("--model", "-m", help="A bundle that never saw the set.")],
    dataset: Annotated[
        list[str], typer.Option("--dataset", "-d", help="What retraining has beside corrections.")
    ],
    lines: Annotated[int, typer.Option(help="How many are corrected.")] = 300,
    minutes: Annotated[float, typer.Option(help="Of retraining.")] = 10,
    seed: Annotated[int, typer.Option(help="Of the choice of documents.")] = 1,
    options: Annotated[str, typer.Option(help="More options for `trainer retrain`.")] = "",
) -> None:
    """Measure what corrections do."""
    known = load()
    own = open_dataset(corrected, known.data_dir)
    others = [open_dataset(name, known.data_dir) for name in dataset]
    name = f"bench-corrections-{time.strftime('%Y%m%d-%H%M%S')}"
    registry = Registry(known.mlflow_tracking_uri, Address.parse(f"models:/{name}/Production"))
    origin = Origin(f"what {model.name} was trained on", real=True)
    with run_of(bundle := Bundle.load(model), origin):
        registry.promote(enter(registry, bundle, origin).number)
    chosen = _documents(own, lines, seed)
    sets = {"held out": own.samples("test"), **frozen_sets(others)}
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "corrections"
        _correct(chosen, Recognizer(bundle), Store(str(place)))
        command = [sys.executable, "-m", "trainer", "retrain", "--corrections", str(place)]
        command += [*(part for each in dataset for part in ("-d", each)), "--name", name]
        command += ["--minutes", str(minutes), *options.split()]
        environment = {**os.environ, "MODEL_URI": f"models:/{name}/Production"}
        subprocess.run(command, env=environment, check=True)
        newest = registry.versions()[0]
        new = Recognizer.load(registry.bundle(newest, Path(folder) / "new"))
        _tell(sets, Recognizer(bundle), new, len(chosen), own.name)


def _documents(dataset: Dataset, most: int, seed: int) -> list[Sample]:
    """Lines of whole documents of the training split, about so many."""
    documents: dict[str, list[Sample]] = {}
    for sample in dataset.samples("train"):
        documents.setdefault(sample.document, []).append(sample)
    names = sorted(documents)
    random.Random(seed).shuffle(names)
    return [sample for name in names for sample in documents[name]][:most]


def _correct(samples: list[Sample], recognizer: Recognizer, store: Store) -> None:
    """Save each line with what it says, and what is read in it now."""
    for sample in samples:
        pixels = sample.image()
        height, width = pixels.shape
        stream = io.BytesIO()
        Image.fromarray(pixels).save(stream, "PNG")
        (reading,) = recognizer.read([pixels], level="line")
        line = CorrectedLine(box=(0, 0, width, height), reading=reading.text, text=sample.text)
        store.save(
            stream.getvalue(), Correction(lines=(line,), level="line", document=sample.document)
        )


def _tell(
    sets: Mapping[str, Sequence[Sample]], old: Recognizer, new: Recognizer, count: int, name: str
) -> None:
    print(f"\n{count} corrected lines of {name}; CER, greedy decoder\n")
    print("| set | lines | before | after | change |\n| --- | --- | --- | --- | --- |")
    frozen: list[tuple[Scores, Scores]] = []
    for each, samples in sets.items():
        before, after = evaluate(old, samples), evaluate(new, samples)
        first, then = before.scores, after.scores
        pairs = [(judged.sample.text, judged.text) for judged in after.judged]
        interval = cer_interval(pairs, [judged.sample.document for judged in after.judged])
        print(
            f"| {each} | {first.samples} | {first.cer:.2%} | {then.cer:.2%} "
            f"({interval.low:.1%} to {interval.high:.1%}) | {then.cer / first.cer - 1:+.1%} |",
            flush=True,
        )
        if each != "held out":
            frozen.append((first, then))
    was, now = (sum(pair[i].cer for pair in frozen) / len(frozen) for i in (0, 1))
    print(f"| mean of the others | | {was:.2%} | {now:.2%} | {now / was - 1:+.1%} |")


if __name__ == "__main__":
    typer.run(main)
