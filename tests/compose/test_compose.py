"""The stack in containers, for real: built, started, asked, taken down and started again."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

pytestmark = pytest.mark.compose

ROOT = Path(__file__).resolve().parents[2]
API_IMAGE_LIMIT = 550e6
READY_SECONDS = 180
TRAINED_SECONDS = 900  # 60 where nothing else runs; training has the least share of the processor


def docker(
    *arguments: str, timeout: float = 60, **options: Any
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["docker", *arguments],
        cwd=options.pop("cwd", ROOT),
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
        **options,
    )


def without_settings() -> dict[str, str]:
    """The environment without anything that compose would read from it."""
    documented = (ROOT / ".env.example").read_text()
    return {name: value for name, value in os.environ.items() if f"#{name}=" not in documented}


@pytest.fixture(scope="module")
def compose_client() -> None:
    if shutil.which("docker") is None or docker("compose", "version").returncode != 0:
        pytest.skip("needs Docker with compose v2, which is not installed")


@pytest.fixture
def project(tmp_path: Path, compose_client: None) -> Path:
    """A folder with the compose files and nothing else."""
    for file in ("docker-compose.yml", "docker-compose.gpu.yml", ".env.example"):
        shutil.copy(ROOT / file, tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    "files", [["docker-compose.yml"], ["docker-compose.yml", "docker-compose.gpu.yml"]]
)
def test_the_configuration_is_valid_without_env_and_the_same_with_the_documented_one(
    project: Path, files: list[str]
) -> None:
    choose = [word for file in files for word in ("--file", file)]
    command = ["compose", *choose, "config"]
    plain = docker(*command, cwd=project, env=without_settings())
    assert plain.returncode == 0, plain.stderr
    assert plain.stderr == ""
    example = (project / ".env.example").read_text().splitlines()
    # As if the user had uncommented every line; the GPU file has other defaults for some.
    lines = [line[1:] for line in example if line[:1] == "#" and line[1:2].isupper()]
    own = ("TRAIN_SIZE=", "TRAIN_MINUTES=", "TRAINER_MEMORY=") if len(files) > 1 else ()
    (project / ".env").write_text("\n".join(line for line in lines if not line.startswith(own)))
    documented = docker(*command, cwd=project, env=without_settings())
    assert documented.returncode == 0, documented.stderr
    assert documented.stdout == plain.stdout


def free_ports(number: int) -> list[str]:
    probes = [socket.socket() for _ in range(number)]
    for probe in probes:
        probe.bind(("127.0.0.1", 0))
    ports = [str(probe.getsockname()[1]) for probe in probes]
    for probe in probes:
        probe.close()
    return ports


@dataclass
class Stack:
    """One compose project with a name and ports of its own."""

    api: str
    tracking: str
    env: dict[str, str]
    statuses: set[int] = field(default_factory=set)

    def compose(self, *arguments: str, timeout: float = 60) -> str:
        done = docker(
            # An `.env` of whoever runs this has no say.
            *("compose", "--env-file", os.devnull, *arguments),
            timeout=timeout,
            env=self.env,
        )
        assert done.returncode == 0, f"compose {' '.join(arguments)}:\n{done.stdout}{done.stderr}"
        return done.stdout

    def up(self) -> None:
        self.compose("up", "--detach", "--build", timeout=1500)

    def wait_until_ready(self) -> None:
        """Until the API has a model; notes every status that it gave on the way."""
        deadline = time.monotonic() + READY_SECONDS
        while time.monotonic() < deadline:
            try:
                status = httpx.get(f"{self.api}/health/ready", trust_env=False).status_code
            except httpx.TransportError:  # the container is still coming up
                continue
            finally:
                time.sleep(0.2)
            self.statuses.add(status)
            if status == 200:
                return
        pytest.fail(f"not ready in {READY_SECONDS} s:\n{self.compose('logs', '--no-color')}")

    def wait_until_trained(self) -> None:
        deadline = time.monotonic() + TRAINED_SECONDS
        while time.monotonic() < deadline:
            found = self.compose("ps", "--all", "--format", "json", "trainer").splitlines()
            if found and json.loads(found[0])["State"] == "exited":
                assert json.loads(found[0])["ExitCode"] == 0, self.compose("logs", "trainer")
                return
            time.sleep(1)
        pytest.fail(f"still training after {TRAINED_SECONDS} s:\n{self.compose('logs', 'trainer')}")

    def versions(self) -> dict[str, str]:
        """The stage of every registered version."""
        answer = httpx.get(
            f"{self.tracking}/api/2.0/mlflow/model-versions/search",
            params={"filter": "name='handwriting'"},
            trust_env=False,
        )
        found = answer.raise_for_status().json().get("model_versions", [])
        return {version["version"]: version["current_stage"] for version in found}

    def predict(self, image: Path) -> dict[str, Any]:
        files = {"image": (image.name, image.read_bytes())}
        answer = httpx.post(f"{self.api}/predict", files=files, trust_env=False)
        reading: dict[str, Any] = answer.raise_for_status().json()
        return reading


@pytest.fixture(scope="module")
def stack(compose_client: None) -> Iterator[Stack]:
    """The whole stack, built from the working tree; afterwards nothing of it is left."""
    if docker("info").returncode != 0:
        pytest.skip("needs a Docker engine, and none answers")
    api_port, tracking_port = free_ports(2)
    env = {
        **without_settings(),
        "COMPOSE_PROJECT_NAME": f"handwriting-test-{os.getpid()}",
        "API_PORT": api_port,
        "TRACKING_PORT": tracking_port,
        "TRAIN_MINUTES": "0.3",
        "POLL_SECONDS": "1",
        "CORRECTIONS_DIR": "/data/corrections",
    }
    stack = Stack(f"http://127.0.0.1:{api_port}", f"http://127.0.0.1:{tracking_port}", env)
    try:
        stack.up()
        yield stack
    finally:
        stack.compose("down", "--volumes", "--rmi", "local", "--timeout", "20", timeout=180)


@pytest.fixture(scope="module")
def example() -> Path:
    return min((ROOT / "examples").glob("*.png"))


def test_the_api_waits_for_a_first_version_and_becomes_ready_by_itself(
    stack: Stack, example: Path
) -> None:
    stack.wait_until_ready()
    assert stack.statuses <= {503, 200}
    reading = stack.predict(example)
    assert reading["text"]
    assert reading["model"]["version"] in {"1", "2"}


def test_the_api_needs_little_memory(stack: Stack) -> None:
    """All its processes, with what they share counted once: two workers, and whom they need."""
    stack.wait_until_ready()
    count = "cat /proc/[0-9]*/smaps_rollup 2>/dev/null | awk '/^Pss:/ {sum += $2} END {print sum}'"
    kilobytes = int(stack.compose("exec", "-T", "api", "sh", "-c", count))
    cores = int(stack.compose("exec", "-T", "api", "nproc"))
    further = max(0, min(cores, 4) - 2)
    assert 150_000 < kilobytes < 350_000 + 100_000 * further


def test_the_api_image_is_small_and_holds_no_tensorflow(stack: Stack) -> None:
    image = json.loads(stack.compose("images", "--format", "json", "api"))[0]["ID"]
    size = int(docker("image", "inspect", "--format", "{{.Size}}", image).stdout)
    assert size < API_IMAGE_LIMIT
    names = stack.compose("exec", "-T", "api", "pip", "list", "--format=freeze").lower()
    packages = {line.partition("==")[0] for line in names.splitlines()}
    assert "mlflow-skinny" in packages
    assert packages.isdisjoint({"tensorflow", "keras", "mlflow", "pandas", "scipy"})


def test_the_api_runs_as_nobody_special_on_a_file_system_it_cannot_change(stack: Stack) -> None:
    code = "import os; print(os.getuid()); open('/app/new', 'w')"
    done = docker(
        *("compose", "--env-file", os.devnull, "exec", "-T", "api", "python", "-c", code),
        env=stack.env,
    )
    assert done.stdout.strip() == "10001"
    assert "Read-only file system" in done.stderr


def test_any_command_of_the_trainer_runs(stack: Stack) -> None:
    assert "--dataset" in stack.compose("run", "--rm", "trainer", "train", "--help")


def test_what_the_api_keeps_of_corrections_the_trainer_finds(stack: Stack, example: Path) -> None:
    stack.wait_until_ready()
    line = {"box": [0, 0, 20, 20], "reading": "", "text": "corrected here"}
    correction = json.dumps({"lines": [line], "level": "line"})
    answer = httpx.post(
        f"{stack.api}/corrections",
        files={"image": example.read_bytes()},
        data={"correction": correction},
        trust_env=False,
    )
    assert answer.status_code == 201, answer.text
    said = stack.compose("run", "--rm", "trainer", "datasets", "corrections", timeout=180)
    assert "handwriting is theirs" in said
    assert httpx.get(f"{stack.api}/corrections", trust_env=False).json()["corrections"] == 1
    retrain = docker(
        *("compose", "--env-file", os.devnull, "run", "--rm", "retrain"), timeout=180, env=stack.env
    )
    assert retrain.returncode == 1, retrain.stderr
    assert "1 corrected lines" in retrain.stdout
    assert "That is too little" in retrain.stderr


def test_down_and_up_keep_the_model_and_train_nothing(stack: Stack, example: Path) -> None:
    stack.wait_until_trained()
    versions = stack.versions()
    assert set(versions) == {"1", "2"}
    assert list(versions.values()).count("Production") == 1
    (serving,) = (number for number, stage in versions.items() if stage == "Production")
    stack.wait_until_ready()
    stack.compose("down", "--timeout", "20", timeout=120)
    stack.up()
    stack.wait_until_ready()
    stack.wait_until_trained()
    assert stack.versions() == versions
    assert stack.predict(example)["model"]["version"] == serving
