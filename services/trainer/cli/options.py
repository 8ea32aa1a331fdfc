"""Options of the commands that train."""

from typing import Annotated

import typer

from trainer.sizes import OPTIMIZERS, SIZES


def _above_zero(value: float | None) -> float | None:
    if value is not None and not value > 0:
        raise typer.BadParameter(f"{value:g} is not above 0.")
    return value


Size = Annotated[str | None, typer.Option(help=f"{', '.join(SIZES)}. Default: TRAIN_SIZE.")]
Epochs = Annotated[int, typer.Option(min=1, help="At most this many.")]
Minutes = Annotated[
    float | None,
    typer.Option(
        callback=_above_zero,
        help="Time budget of each training itself; testing and the gate come on top.",
    ),
]
BatchSize = Annotated[int, typer.Option(min=1, help="Images in a step.")]
LearningRate = Annotated[
    float, typer.Option(callback=_above_zero, help="At its highest, after the warm-up.")
]
Patience = Annotated[
    int, typer.Option(min=1, help="Epochs without a better validation CER before it stops.")
]
Seed = Annotated[int, typer.Option(min=0, help="Of weights, order and augmentation.")]
FromScratch = Annotated[
    bool, typer.Option("--from-scratch", help="Random weights instead of the starter's.")
]
Augmentation = Annotated[
    float,
    typer.Option(min=0, max=1, help="Share of the images that are bent, stretched and blurred."),
]
Dropout = Annotated[
    float | None,
    typer.Option(
        min=0,
        max=0.9,
        help="Share of the features left out at random; less where much is read, more where "
        "little is. Default: that of the size.",
    ),
]
Optimizer = Annotated[str, typer.Option(help=f"{', '.join(OPTIMIZERS)}.")]
