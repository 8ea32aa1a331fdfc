"""`make bench-serving` and `make bench-soak`."""

import datetime
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from tools.bench_reading.command import told
from tools.bench_reading.page import check, replace_part
from tools.bench_reading.problem import Problem, Unavailable
from tools.bench_reading.reading import machine
from tools.bench_serving.contenders import CONTENDERS
from tools.bench_serving.endurance import CLIENTS, Endurance
from tools.bench_serving.endurance import plot as draw
from tools.bench_serving.images import KINDS, Images, Kind
from tools.bench_serving.load import Answers, Target, generator, load, settle
from tools.bench_serving.plot import plot
from tools.bench_serving.record import LIMIT, Case, Record
from tools.bench_serving.servers import Running
from tools.bench_serving.soak import CALM, Stack
from tools.bench_serving.table import page_of
from trainer.bootstrap import STARTER_BUNDLE
from trainer.cli.common import console, reported, settings
from trainer.datasets.catalogue import at_hand, open_dataset

WORK = Path(".data/bench-serving")
PAGE = Path("docs/serving.md")
PICTURE = Path("serving/load.svg")
SOAK_PICTURE = Path("serving/soak.svg")
CASES = (
    # apart, as the median of both together lies in the gap between them and jumps
    Case("words", 1),
    Case("lines", 1),
    Case("mixed", 1),
    Case("mixed", 4),
    Case("mixed", 16),
    Case("mixed", 64),
    Case("words", 64),
    Case("lines", 64),
)

app = typer.Typer(add_completion=False, no_args_is_help=True, help=__doc__)

BundleFolder = Annotated[Path, typer.Option("--bundle", help="Default: the starter.")]
Sources = Annotated[
    list[str] | None,
    typer.Option(
        "--dataset", "-d", help="Where images come from; repeat it. Default: all at hand."
    ),
]
Most = Annotated[int, typer.Option(min=4, help="At most so many words, so many lines.")]
Cores = Annotated[int, typer.Option(min=1, help="Of this machine, for everything.")]
Page = Annotated[Path | None, typer.Option(help=f"Put the results into this page, as {PAGE}.")]


@app.command()
def compare(
    bundle: BundleFolder = STARTER_BUNDLE,
    dataset: Sources = None,
    images: Most = 200,
    server: Annotated[
        list[str] | None,
        typer.Option(help=f"{', '.join(CONTENDERS)}; repeat it. Default: all of them."),
    ] = None,
    load_: Annotated[
        list[str] | None,
        typer.Option("--load", help="KIND:CLIENTS, as in mixed:64; repeat it. Default: eight."),
    ] = None,
    rounds: Annotated[int, typer.Option(min=1)] = 5,
    seconds: Annotated[float, typer.Option(min=1, help="Of each load, each round.")] = 8.0,
    cores: Cores = 2,
    page: Page = None,
) -> None:
    """Compare servers of one version on the same images; three quarters of an hour by default.

    Each round measures every server under every load, one after another and every other round
    from the last to the first; the others are stopped meanwhile. What is printed are medians over
    the rounds, and ratios to the limit.
    """
    with reported():
        if page:
            check(page, "servers")
        _keep_to(cores)
        found = _images(dataset, images)
        cases = [_case(each) for each in load_] if load_ else list(CASES)
        record = Record(
            command=told("bench-serving", sys.argv[2:]),
            date=datetime.date.today().isoformat(),
            machine=f"{cores} of its cores used, {machine()}",
            generator=generator(),
            seconds=seconds,
        )
        files = _write(found, cases)
        with _limit(bundle) as limit, _servers(server, bundle, record) as servers:
            bodies = {each.spec.name: _bodies(each, files) for each in servers}
            for number in range(rounds):
                for case in cases:
                    everyone: list[Limit | Running] = [limit, *servers]
                    # in case it matters what came right before
                    for each in everyone if number % 2 == 0 else reversed(everyone):
                        if isinstance(each, Limit):
                            answers = each.measure(files[case.kind], case, seconds)
                            _note(record, number, LIMIT, case, answers)
                            continue
                        name = each.spec.name
                        try:
                            answers = _loaded(each, case, bodies[name][case.kind], seconds)
                        except Unavailable as error:
                            record.left_out[f"{name} ({case.name})"] = str(error)
                            _tell(f"{name}, {case.name}: {error}")
                        else:
                            _note(record, number, name, case, answers)
                record.save(WORK / "rounds.json")
        picture = (page or WORK / "page.md").parent / PICTURE
        plot(record, picture)
        text = page_of(record, PICTURE.as_posix())
        typer.echo(text)
        if page:
            replace_part(page, "servers", text)
        console.print(f"Every round is in {WORK / 'rounds.json'}, the plot in {picture}.")


@app.command()
def soak(
    bundle: BundleFolder = STARTER_BUNDLE,
    dataset: Sources = None,
    images: Most = 200,
    minutes: Annotated[float, typer.Option(min=0.1, help="At twice the load it bears.")] = 5.0,
    swaps: Annotated[int, typer.Option(min=0, help="Changes of version after that.")] = 50,
    swap_minutes: Annotated[float, typer.Option(min=0.1, help="That they are spread over.")] = 5.0,
    cores: Cores = 2,
    page: Page = None,
) -> None:
    """Send the API twice what it can bear, then change its version meanwhile, again and again.

    MLflow, the API and what sends the load share the cores. With the defaults ten minutes.
    """
    with reported():
        if page:
            check(page, "soak")
        _keep_to(cores)
        stack = Stack(bundle.resolve(), WORK / "soak", _images(dataset, images).of("mixed"))
        _tell("MLflow and the API are being started")
        with stack.running():
            memory, alone = stack.memory(), stack.alone()
            saturated = stack.saturated(10)
            _tell(f"alone {1000 * alone:.1f} ms, {CLIENTS} clients {saturated:.0f} images/s")
            overload = stack.stream(2 * saturated, 60 * minutes, usual=alone)
            _tell(f"as fast again after {overload.recovered:.1f} s")
            swapping = stack.stream(2 * saturated, 60 * swap_minutes, swaps, calm=CALM)
        found = Endurance(
            command=told("bench-soak", sys.argv[2:]),
            machine=f"{cores} of its cores used, {machine()}",
            date=datetime.date.today().isoformat(),
            cold_start=stack.cold_start,
            memory_at_start=memory,
            saturated=saturated,
            alone=alone,
            overload=overload,
            swapping=swapping,
        )
        draw(found, (page or WORK / "page.md").parent / SOAK_PICTURE)
        text = found.page(SOAK_PICTURE.as_posix())
        typer.echo(text)
        if page:
            replace_part(page, "soak", text)


def _images(sources: Sequence[str] | None, most: int) -> Images:
    """Raises `DatasetError` where a source is not there."""
    data_dir = settings().data_dir
    datasets = [open_dataset(name, data_dir) for name in sources or ["synthetic"]]
    return Images.collect(datasets if sources else [*datasets, *at_hand(data_dir)], most)


class Limit:
    """The process that reads without HTTP; it waits for jobs."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.answer()

    def measure(self, files: Sequence[Path], case: Case, seconds: float) -> Answers:
        job = {"files": list(map(str, files)), "clients": case.clients, "seconds": seconds}
        assert self._process.stdin
        self._process.stdin.write(json.dumps(job) + "\n")
        self._process.stdin.flush()
        found = self.answer()
        return Answers(found["rate"], found.get("median"), found.get("p99"))

    def answer(self) -> dict[str, float]:
        assert self._process.stdout
        line = self._process.stdout.readline()
        if not line:
            raise Problem("The process of the limit has ended; what it wrote is above.")
        found: dict[str, float] = json.loads(line)
        return found


@contextmanager
def _limit(bundle: Path) -> Iterator[Limit]:
    command = [sys.executable, "-m", "tools.bench_serving.limit", str(bundle)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        yield Limit(process)


@contextmanager
def _servers(names: Sequence[str] | None, bundle: Path, record: Record) -> Iterator[list[Running]]:
    """Those that start, stopped until they are measured; of the others the reason is noted."""
    running: list[Running] = []
    started: list[Running] = []
    try:
        for name in names or CONTENDERS:
            if name not in CONTENDERS:
                raise Problem(f"--server {name}: it must be one of {', '.join(CONTENDERS)}.")
            try:
                each = Running(CONTENDERS[name](bundle.resolve(), WORK.resolve()), WORK)
                running.append(each)
                _tell(f"{each.spec.name} is being started")
                each.start()
            except Unavailable as error:
                record.left_out[name] = str(error)
                _tell(f"{name} is left out: {error}")
            else:
                each.sleep()
                started.append(each)
        yield started
    finally:
        for each in running:
            each.stop()


def _keep_to(cores: int) -> None:
    """Everything that is started here stays on so many cores, load and all."""
    usable = sorted(os.sched_getaffinity(0))
    if cores > len(usable):
        raise Problem(f"--cores {cores}: this machine lets {len(usable)} be used.")
    os.sched_setaffinity(0, usable[:cores])


def _write(images: Images, cases: Sequence[Case]) -> dict[Kind, list[Path]]:
    """The images as files. Raises `Problem` where a load has none."""
    files: dict[Kind, list[Path]] = {}
    for kind in {case.kind for case in cases}:
        found = images.of(kind)
        if not found:
            raise Problem(f"There are no images for {kind}; name others with -d.")
        files[kind] = _files(WORK / "images" / kind, "png", found)
    return files


def _bodies(server: Running, files: dict[Kind, list[Path]]) -> dict[Kind, list[Path]]:
    """What the server is sent for each image, as files."""
    folder = WORK / "bodies" / server.spec.name.replace(" ", "-")
    return {
        kind: _files(folder / kind, "body", [server.spec.body(each.read_bytes()) for each in found])
        for kind, found in files.items()
    }


def _files(folder: Path, suffix: str, contents: Sequence[bytes]) -> list[Path]:
    folder.mkdir(parents=True, exist_ok=True)
    files = [folder / f"{number}.{suffix}" for number in range(len(contents))]
    for file, content in zip(files, contents, strict=True):
        file.write_bytes(content)
    return files


def _case(text: str) -> Case:
    kind, _, clients = text.partition(":")
    for each in KINDS:
        if each == kind and clients.isdecimal() and int(clients):
            return Case(each, int(clients))
    raise Problem(f"--load {text}: write KIND:CLIENTS, the kind one of {', '.join(KINDS)}.")


def _loaded(server: Running, case: Case, bodies: Sequence[Path], seconds: float) -> Answers:
    """How a server that was stopped answers a load. Raises `Unavailable`."""
    target = Target(server.url, server.spec.path, server.spec.content_type, bodies)
    with server.awake():
        try:
            return load(target, case.clients, seconds, WORK)
        finally:
            settle(target)


def _note(record: Record, number: int, server: str, case: Case, answers: Answers) -> None:
    record.add(server, case, answers)
    median = f", median {1000 * answers.median:.1f} ms" if answers.median else ""
    _tell(f"round {number + 1}: {server}, {case.name}: {answers.rate:.1f} images/s{median}")


def _tell(text: str) -> None:
    console.print(text, markup=False, highlight=False, soft_wrap=True)


if __name__ == "__main__":
    app()
