"""`serve`: the API on a version, without the rest of the stack."""

import os
import socket
import sys
from importlib.util import find_spec
from typing import Annotated
from urllib.parse import urlsplit

import typer
from dotenv import dotenv_values

from trainer.cli.common import Failure, Model, app, console, reported, settings

LOCAL = ("127.0.0.1", "localhost", "0.0.0.0", "::1")


@app.command()
def serve(
    model: Model = None,
    port: Annotated[int, typer.Option(min=1, max=65535, help="Where it answers.")] = 8001,
    host: Annotated[str, typer.Option(help="0.0.0.0 answers other machines too.")] = "127.0.0.1",
) -> None:
    """Serve a version of the registry: the API with its page and /docs, until Ctrl-C.

    A stage or an alias is followed: when it moves, the API changes over. A run is served by the
    version that it registered.

    Example: `python -m trainer serve -m models:/handwriting/2 --port 8001`
    """
    with reported():
        if find_spec("api") is None:
            raise Failure("The API is not installed here; with compose, the service `api` serves.")
        known = settings()
        from trainer.models import address_of

        address = address_of(model or known.model_uri, known)
        tracking = urlsplit(known.mlflow_tracking_uri)
        if tracking.port == port and tracking.hostname in LOCAL:
            raise Failure(f"--port {port} is MLflow's, at {known.mlflow_tracking_uri}.")
        _check_free(host, port)
        console.print(f"Serving {address} at http://{host}:{port} (/docs says how to ask).")
        setting = {
            "MODEL_URI": str(address),
            "MLFLOW_TRACKING_URI": known.mlflow_tracking_uri,
            "API_HOST": host,
            "API_PORT": str(port),
        }
        # the API itself reads no file
        written = {name: value for name, value in dotenv_values(".env").items() if value}
        # as for the trainer's own settings, what is empty in the environment does not count
        given = {name: value for name, value in os.environ.items() if value or name not in written}
        environment = {**written, **given, **setting}
        # in this process's place: signals and exit status are the API's own
        os.execve(sys.executable, [sys.executable, "-m", "api"], environment)


def _check_free(host: str, port: int) -> None:
    """Raises `Failure` where something listens there: known before an API has started."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind((host, port))
        except OSError as error:
            raise Failure(f"--port {port} cannot be had on {host}: {error.strerror}.") from None
