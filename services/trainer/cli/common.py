"""What all commands share: options, settings, and errors told in a line or two."""

import logging
import os
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer
from rich.console import Console
from rich.logging import RichHandler
from rich.markup import escape

from recognizer.errors import RecognizerError
from trainer.settings import Settings, load

if TYPE_CHECKING:
    from handwriting import Client

# Before MLflow, TensorFlow and Ray are imported: three tries where MLflow would make seven with
# growing waits, no bars for files of a few MB, no usage data sent, nothing said of CUDA. oneDNN's
# kernels also on processors without AVX-512, where TensorFlow leaves them off though they train
# faster. Ray Tune writes down each second what has ended, so that a kill forgets none, and leaves
# results to MLflow.
for _name, _value in {
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "3",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "GIT_PYTHON_REFRESH": "quiet",
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "TF_ENABLE_ONEDNN_OPTS": "1",
    "RAY_AIR_NEW_OUTPUT": "0",
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_GLOBAL_CHECKPOINT_S": "1",
    "TUNE_PRINT_ALL_TRIAL_ERRORS": "0",
    "TUNE_WARN_EXCESSIVE_EXPERIMENT_CHECKPOINT_SYNC_THRESHOLD_S": "0",
}.items():
    os.environ.setdefault(_name, _value)

Name = TypeVar("Name", bound=str)

console = Console(soft_wrap=True)
app = typer.Typer(
    name="trainer",
    help="Train handwriting recognisers, judge them, and put them into production.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
)

Datasets = Annotated[
    list[str] | None,
    typer.Option(
        "--dataset",
        "-d",
        metavar="SOURCE",
        help="Where the data comes from: synthetic, lines:PATH, page:PATH, iam, a fetched set, ... "
        "(`trainer datasets` lists the forms). Repeat it to mix; SOURCE@0.5 draws half of it in "
        "each epoch, @2 all of it twice. Default: TRAIN_DATASET.",
    ),
]
Model = Annotated[
    str | None,
    typer.Option(
        "--model",
        "-m",
        metavar="MODEL",
        help="A bundle folder, models:/... or runs:/... Default: MODEL_URI.",
    ),
]
Force = Annotated[bool, typer.Option("--force", help="Promote even if the gate says no.")]
Decoder = Annotated[
    str, typer.Option(help="greedy (fast), beam (with the language model) or lexicon.")
]


Key = Annotated[str | None, typer.Option(envvar="API_KEY", help="Of the API, where it wants one.")]

PATIENCE = 15.0
"""Seconds for which an API that is busy or away is asked again."""


class Failure(Exception):
    """A command cannot go on; the message is for the user."""


def choice(option: str, value: str, names: Sequence[Name]) -> Name:
    """The one of these names that an option was given. Raises `Failure`."""
    for name in names:
        if name == value:
            return name
    raise Failure(f"{option} {value}: it must be one of {', '.join(names)}.")


def client_of(url: str, key: str | None) -> "Client":
    """A client of the API there. Raises `Failure` where it is no address."""
    from handwriting import Client

    try:
        return Client(url, key=key, patience=PATIENCE)
    except ValueError as error:
        raise Failure(f"--url: {error}.") from None


@contextmanager
def reported() -> Iterator[None]:
    """Turn errors that a user can do something about into one message and exit status 1."""
    try:
        yield
    except Exception as error:
        message = told(error)
        if message is None:
            raise
        Console(stderr=True).print(
            f"[bold red]Error:[/] {escape(message)}", highlight=False, soft_wrap=True
        )
        raise typer.Exit(1) from None


def told(error: Exception) -> str | None:
    """What to say of an error; None for a fault of the program, whose traceback is wanted."""
    # the project's own errors, by where they are defined: importing them all is slow
    own = type(error).__module__.startswith(("trainer.", "handwriting"))
    if own or isinstance(error, RecognizerError | Failure | FloatingPointError):
        return str(error)
    if type(error).__module__.startswith(("mlflow.", "requests.")):
        cause: BaseException = error
        # MLflow wraps an outage in several exceptions, each repeating the one below
        while (deeper := cause.__cause__ or cause.__context__) is not None:
            cause = deeper
        reason = (str(cause).splitlines() or [type(cause).__name__])[0]
        uri = load().mlflow_tracking_uri
        return f"MLflow at {uri} (MLFLOW_TRACKING_URI) does not do what was asked: {reason[:300]}"
    return None


def settings() -> Settings:
    """The settings, with logging set up for a person at a terminal or a container's log."""
    handler: logging.Handler = RichHandler(console=console, show_path=False, show_level=False)
    if not console.is_terminal:
        # one line a record, however long: these logs are read by programs too
        handler = logging.StreamHandler()
        handler.setFormatter(logging.Formatter("%(asctime)s %(message)s", "%H:%M:%S"))
    logging.basicConfig(level=logging.WARNING, format="%(message)s", handlers=[handler])
    logging.getLogger("trainer").setLevel(logging.INFO)
    logging.getLogger("mlflow").setLevel(logging.WARNING)
    logging.getLogger("urllib3").setLevel(logging.ERROR)  # says each retry at length
    # MLflow warns at each call that stages are old; `trainer.registry` says why they are used
    warnings.filterwarnings("ignore", category=FutureWarning, module="mlflow")
    return load()
