"""This project's API, and the ways to serve the same version that others offer."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import httpx
import mlflow.pyfunc

import recognizer
from api.cache import Cache
from api.serving import Version
from tools.bench_reading.problem import Unavailable
from tools.bench_serving.servers import (
    FORM,
    GREEDY,
    JSON,
    Spec,
    dataframe,
    multipart,
    plain_json,
    python,
)

LITSERVE = (
    "litserve==0.2.19",
    "numpy==2.4.6",
    "onnxruntime==1.31.1",
    "pillow==13.0.0",
    "pydantic==2.14.3",
)
NO_REGISTRY = "http://127.0.0.1:9"
"""Nothing listens there: the API serves what its cache holds."""
MODEL_URI = "models:/handwriting/1"


def api(bundle: Path, folder: Path) -> Spec:
    cache_dir = folder / "cache"
    shutil.rmtree(cache_dir, ignore_errors=True)
    copy = folder / "bundle"
    shutil.copytree(bundle, copy, dirs_exist_ok=True)
    version = Version(name="handwriting", version="1", run_id=None, source="bench", created=1)
    cache = Cache(cache_dir, NO_REGISTRY, MODEL_URI)
    cache.keep(copy, version)
    cache.remember(version)
    return Spec(
        "this API",
        python("-m", "api"),
        multipart,
        FORM,
        path=GREEDY,
        ready="/health/ready",
        env={
            "MODEL_CACHE_DIR": str(cache_dir),
            "MLFLOW_TRACKING_URI": NO_REGISTRY,
            "MODEL_URI": MODEL_URI,
            "API_PORT": "{port}",
            "API_HOST": "127.0.0.1",
            # the others let everybody wait: what is compared is how much is read
            "MAX_QUEUE_IMAGES": "1000",
            "QUEUE_SECONDS": "60",
            "REQUEST_SECONDS": "60",
        },
        settled=_asked_the_registry,
    )


def _asked_the_registry(client: httpx.Client) -> bool:
    """The process that asks it has MLflow by then; to import that takes seconds on a core."""
    return client.get("/model").json()["registry_error"] is not None


def mlflow_serve(bundle: Path, folder: Path) -> Spec:
    """The version as the trainer logs it, from a folder in place of the registry."""
    model = folder / "pyfunc"
    shutil.rmtree(model, ignore_errors=True)
    package = Path(recognizer.__file__).parent
    mlflow.pyfunc.save_model(
        model,
        python_model=str(package / "pyfunc.py"),
        artifacts={"bundle": str(bundle)},
        code_paths=[str(package)],
        pip_requirements=[],
    )
    command = ["-m", "mlflow", "models", "serve", "--env-manager", "local", "--model-uri"]
    return Spec(
        "mlflow models serve",
        python(*command, str(model), "--host", "127.0.0.1", "--port", "{port}"),
        dataframe,
        JSON,
        path="/invocations",
        ready="/ping",
        # it starts whatever `uvicorn` is first there
        env={"PATH": f"{Path(sys.executable).parent}:{os.environ.get('PATH', '')}"},
    )


def keras_endpoint(bundle: Path, folder: Path) -> Spec:
    app = "tools.bench_serving.keras_app:app"
    return Spec(
        "FastAPI with Keras",
        python("-m", "uvicorn", app, "--port", "{port}", "--no-access-log"),
        multipart,
        FORM,
        env={"BENCH_BUNDLE": str(bundle), "TF_CPP_MIN_LOG_LEVEL": "2"},
    )


def litserve(bundle: Path, folder: Path) -> Spec:
    """In an environment of its own. Raises `Unavailable`."""
    home = folder / "litserve"
    executable, installed = home / "bin" / "python", home / ".installed"
    wanted = "\n".join(LITSERVE)
    if not installed.is_file() or installed.read_text("utf-8") != wanted:
        _run(sys.executable, "-m", "venv", "--clear", str(home))
        _run(str(executable), "-m", "pip", "install", "--quiet", *LITSERVE)
        installed.write_text(wanted, "utf-8")
    return Spec(
        "LitServe",
        python("-m", "tools.bench_serving.litserve_app", executable=str(executable.absolute())),
        plain_json,
        JSON,
        env={"BENCH_BUNDLE": str(bundle), "BENCH_PORT": "{port}"},
    )


CONTENDERS: dict[str, Callable[[Path, Path], Spec]] = {
    "api": api,
    "mlflow": mlflow_serve,
    "keras": keras_endpoint,
    "litserve": litserve,
}


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, timeout=900)
    if done.returncode:
        raise Unavailable(f"{' '.join(command[:4])} failed: {done.stderr.strip()[-300:]}")
