"""The walls between the packages: read from the source, and seen when it is imported."""

import ast
import os
import subprocess
import sys
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import pytest

SERVICES = Path(__file__).parents[2] / "services"
OURS = ("api", "corrections", "recognizer", "trainer")

FRAMEWORKS = {"tensorflow", "keras", "jax", "torch"}
CORE = ["network", "training", "checkpoint", "transfer", "batches", "augment", "metrics", "recipe"]
CORE += ["sizes", "state", "average", "fit", "corpus", "pack"]
# Ask which backend runs before they take the faster way of one: seen by the test on JAX.
ASKING = ["backend", "ctc", "normalization", "convolution", "recurrence"]
CORE += ASKING
ASKS = {f"trainer.{name}": {"tensorflow"} for name in ASKING}


@cache
def modules() -> dict[str, Path]:
    """Every module under services/ by its name."""
    found = {}
    for package in OURS:
        for file in sorted((SERVICES / package).rglob("*.py")):
            parts = file.relative_to(SERVICES).with_suffix("").parts
            found[".".join(parts).removesuffix(".__init__")] = file
    return found


@cache
def imports(module: str) -> frozenset[str]:
    """Full names of what a module imports, anywhere in it."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(modules()[module].read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module} imports relatively"
            assert node.module
            found |= {f"{node.module}.{alias.name}" for alias in node.names} | {node.module}
    return frozenset(found)


def reached(*starts: str) -> set[str]:
    """Our modules that these import, also through others, themselves included."""
    waiting, found = list(starts), set()
    while waiting:
        module = waiting.pop()
        if module in found or module not in modules():
            continue
        found.add(module)
        waiting += imports(module)
        waiting += [module.rpartition(".")[0]]
    return found


def packages(*starts: str) -> set[str]:
    """Top-level packages, ours and others', that these modules import, also through others."""
    return {
        name.partition(".")[0]
        for module in reached(*starts)
        for name in imports(module)
        if name.partition(".")[0] not in ASKS.get(module, set())
    }


def under(package: str, *, but: tuple[str, ...] = ()) -> list[str]:
    return [
        name
        for name in modules()
        if (name == package or name.startswith(f"{package}.")) and name not in but
    ]


def loaded(*names: str, **environment: str) -> set[str]:
    """Top-level packages in memory after a fresh interpreter has imported these modules."""
    program = "import importlib, sys\n"
    program += f"for name in {list(names)!r}: importlib.import_module(name)\n"
    program += "print(*sorted({name.partition('.')[0] for name in sys.modules}))"
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONPATH": str(SERVICES), **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split())


def test_this_test_sees_imports() -> None:
    assert {"recognizer.decode", "trainer.network"} <= reached("trainer.training")
    assert {"keras", "numpy", "onnxruntime"} <= packages(
        "trainer.training", "recognizer.recognizer"
    )


@pytest.mark.parametrize(
    ("package", "others"),
    [
        ("recognizer", {"api", "corrections", "trainer"}),
        ("corrections", {"api", "trainer"}),
        ("api", {"trainer"}),
        ("trainer", {"api"}),
    ],
)
def test_imports_between_our_packages_go_one_way(package: str, others: set[str]) -> None:
    for module in under(package):
        assert not packages(module) & others, module


def test_recognizer_knows_no_framework_and_no_service() -> None:
    forbidden = FRAMEWORKS | {"mlflow", "fastapi", "starlette", "typer", "cv2", "pandas"}
    core = under("recognizer", but=("recognizer.pyfunc",))
    for module in core:
        assert not packages(module) & forbidden, module
    assert not packages("recognizer.pyfunc") & (forbidden - {"mlflow", "pandas"})
    assert not loaded(*core) & forbidden


def test_training_knows_keras_alone() -> None:
    """No TensorFlow, MLflow or command line: so it runs on any backend, and in other programs."""
    core = [f"trainer.{name}" for name in CORE] + under("trainer.datasets")
    forbidden = (FRAMEWORKS - {"keras"}) | {"mlflow", "typer", "click", "fastapi", "ray"}
    for module in core:
        assert not packages(module) & forbidden, module
    # Keras imports the framework that it runs on
    if find_spec("jax"):
        assert not loaded(*core, KERAS_BACKEND="jax") & (forbidden - {"jax"})
    else:
        assert not loaded(*core) & (forbidden - FRAMEWORKS)


def test_workers_import_no_framework() -> None:
    """Each worker process would pay for it with seconds and hundreds of megabytes."""
    core = ["trainer.batches", "trainer.augment", *under("trainer.datasets")]
    forbidden = FRAMEWORKS | {"mlflow", "onnxruntime"}
    for module in core:
        assert not packages(module) & forbidden, module
    assert not loaded(*core) & forbidden


def test_readers_of_a_corpus_import_what_reading_takes() -> None:
    """Nor does the command line need Ray, which is an extra, before a corpus is read."""
    forbidden = FRAMEWORKS | {"mlflow", "ray"}
    assert not packages("trainer.transcription.reader") & forbidden
    assert not loaded("trainer.transcription.reader", "trainer.cli") & forbidden


def test_api_imports_no_framework() -> None:
    core = under("api", but=("api.__main__", "api.main"))
    for module in core:
        assert not packages(module) & (FRAMEWORKS | {"cv2", "typer", "pandas"}), module
    assert not loaded(*core) & (FRAMEWORKS | {"cv2"})


def test_the_command_line_starts_without_ray() -> None:
    """It is installed for some commands alone."""
    assert "ray" not in loaded("trainer.cli", "trainer.study", "trainer.sweep", "trainer.running")


def test_starter_is_registered_without_a_framework() -> None:
    assert not loaded("trainer.bootstrap", "trainer.registry", "trainer.cli") & FRAMEWORKS
