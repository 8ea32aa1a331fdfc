"""`promote` and `register`: versions in the registry."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from trainer.cli.common import Datasets, Force, app, console, reported, settings

if TYPE_CHECKING:
    from trainer.gate import Decision
    from trainer.registry import Version


@app.command()
def promote(
    version: Annotated[int, typer.Option("--version", "-v", min=1, help="Its number.")],
) -> None:
    """Make a version the one that MODEL_URI names: move the stage or the alias to it.

    The API notices within POLL_SECONDS and swaps without losing a request. To roll back,
    promote the version before.
    """
    with reported():
        known = settings()
        from trainer.registry import Registry

        registry = Registry(known.mlflow_tracking_uri, known.address)
        before = registry.current()
        registry.promote(str(version))
        came = f" (before: version {before.number})" if before else ""
        console.print(f"{known.model_uri} is now version {version}{came}.")


@app.command()
def register(
    bundle: Annotated[Path, typer.Argument(help="Folder of a bundle, as `export` writes it.")],
    dataset: Datasets = None,
    synthetic: Annotated[
        bool, typer.Option("--synthetic", help="It has never seen handwriting, fonts alone.")
    ] = False,
    force: Force = False,
) -> None:
    """Make a bundle from elsewhere a version, and promote it if it reads no worse than the current.

    The gate compares on synthetic lines, on the real sets in DATA_DIR and on those named here.

    Example: `python -m trainer register my-bundle -d hooker`
    """
    with reported():
        known = settings()
        from recognizer.bundle import Bundle
        from trainer.datasets.base import check_names
        from trainer.datasets.catalogue import open_dataset
        from trainer.registry import Registry
        from trainer.submit import Origin, run_of, submit

        taken = Bundle.load(bundle)
        datasets = [open_dataset(name, known.data_dir) for name in dataset or []]
        check_names(datasets)
        named = " + ".join(each.name for each in datasets) or "data that was not named"
        registry = Registry(known.mlflow_tracking_uri, known.address)
        origin = Origin(named, real=not synthetic)
        with console.status("Comparing with the current version ..."), run_of(taken, origin):
            version, decision = submit(
                registry, taken, origin, datasets, settings=known, force=force
            )
        tell(version, decision)


def tell(version: "Version", decision: "Decision") -> None:
    """What became of a new version."""
    console.print(f"Registered as version {version.number} (run {version.run_id}).")
    console.print(f"Gate: {decision.decision}. {decision.reason}")
    if not decision.promotes:
        console.print(
            f"To promote it all the same: python -m trainer promote --version {version.number}"
        )
