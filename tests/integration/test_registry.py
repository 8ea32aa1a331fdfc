"""Which version is served, by a real MLflow server's word."""

import asyncio
import gc
import json
import sys
import warnings
import weakref
from collections.abc import Callable
from pathlib import Path

import mlflow
import psutil
import pytest

from api.remote import RemoteRegistry
from bundles import bars
from calls import connect, problem
from recognizer.address import Address
from servers import Mlflow
from sessions import Session
from trainer.bootstrap import STARTER_BUNDLE

Bundles = Callable[..., Path]


async def test_a_promoted_version_is_served(
    session: Callable[..., Session], bundle: Bundles
) -> None:
    api = session()
    first = api.register(bundle("a"), test_cer=0.25)
    api.server.client.set_model_version_tag(api.name, first, "gate.decision", "first")
    api.server.client.set_model_version_tag(api.name, first, "author", "me")
    api.move(first, "Production")
    found = await api.poll()
    assert (found["version"], found["stage"]) == (first, "Production")
    assert found["metrics"] == {"test_cer": 0.25}
    assert found["tags"] == {"gate.decision": "first"}
    assert found["from_cache"] is False
    assert await api.reads() == ("aa", first)

    second = api.publish(bundle("b"))
    assert await api.reads() == ("aa", first)
    await api.poll()
    assert await api.reads() == ("bb", second)

    api.move(first, "Production")
    await api.poll()
    assert await api.reads() == ("aa", first)
    async with connect(api.app) as client:
        text = (await client.get("/metrics")).text
    assert "handwriting_model_swaps_total 3.0" in text
    assert f'stage="Production",version="{first}"}} 1.0' in text
    assert "handwriting_ready 1.0" in text


async def test_an_alias_is_followed(session: Callable[..., Session], bundle: Bundles) -> None:
    api = session("@champion")
    first, second = api.register(bundle("a")), api.register(bundle("b"))
    assert "No version" in str((await api.poll())["waiting_for"])
    for version, letters in ((first, "aa"), (second, "bb")):
        api.server.client.set_registered_model_alias(api.name, "champion", version)
        found = await api.poll()
        assert (found["version"], found["stage"]) == (version, "champion")
        assert await api.reads() == (letters, version)


async def test_a_pinned_version_stays(session: Callable[..., Session], bundle: Bundles) -> None:
    api = session("/1")
    assert (await api.poll())["version"] is None
    first = api.publish(bundle("a"))
    api.publish(bundle("b"))
    found = await api.poll()
    assert (found["version"], found["stage"]) == (first, "version") == ("1", "version")
    assert await api.reads() == ("aa", "1")


async def test_nothing_promoted_yet_is_no_outage(
    session: Callable[..., Session], bundle: Bundles
) -> None:
    api = session()
    found = await api.poll()
    assert found["registry_error"] is None
    assert found["polled_at"]
    assert await api.reasons() == f"No model named {api.name} is registered yet."
    api.move(api.register(bundle()), "Staging")
    await api.poll()
    assert await api.reasons() == f"No version of {api.name} is in stage Production."
    async with connect(api.app) as client:
        answer = await client.post("/predict", files={"image": bars("a")})
    assert "stage Production" in problem(answer, 503, "no-model")["detail"]


async def test_the_newest_of_several_in_a_stage_is_served(
    session: Callable[..., Session], bundle: Bundles
) -> None:
    api = session()
    versions = [api.register(bundle(letter)) for letter in "abc"]
    for version in (versions[1], versions[0]):
        api.move(version, "Production", archive=False)
    await api.poll()
    assert await api.reads() == ("bb", versions[1])


async def test_an_emptied_stage_changes_nothing(
    session: Callable[..., Session], bundle: Bundles
) -> None:
    api = session()
    version = api.publish(bundle("a"))
    await api.poll()
    api.move(version, "Archived", archive=False)
    await api.poll()
    assert await api.reads() == ("aa", version)
    assert f"Version {version} keeps answering" in await api.reasons()
    api.server.client.delete_model_version(api.name, version)
    await api.poll()
    assert await api.reads() == ("aa", version)
    api.server.client.delete_registered_model(api.name)
    await api.poll()
    assert await api.reads() == ("aa", version)


async def test_a_logged_pyfunc_is_served(
    session: Callable[..., Session], bundle: Bundles, tmp_path: Path
) -> None:
    api = session()
    model = tmp_path / "model.py"
    model.write_text(
        "from mlflow.models import set_model\n"
        "from mlflow.pyfunc import PythonModel\n"
        "class Model(PythonModel):\n"
        "    def predict(self, context, model_input: list[str]) -> list[str]:\n"
        "        raise RuntimeError('the API must not run this')\n"
        "set_model(Model())\n"
    )
    before = mlflow.get_tracking_uri()
    mlflow.set_tracking_uri(api.server.uri)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what MLflow says of its own saving is not tested
            with mlflow.start_run():
                mlflow.pyfunc.log_model(
                    name="model",
                    python_model=str(model),
                    artifacts={"bundle": str(bundle("c"))},
                    pip_requirements=[],
                    registered_model_name=api.name,
                )
    finally:
        mlflow.set_tracking_uri(before)
    api.move("1", "Production")
    found = await api.poll()
    assert found["reload_error"] is None
    assert found["run_id"]
    assert await api.reads() == ("cc", "1")
    cached = {each.name for each in api.settings.model_cache_dir.rglob("*") if each.is_file()}
    assert cached - {"recognizer.json", "model.onnx", "bars.png"} == {
        next(api.settings.model_cache_dir.glob("resolved-*")).name
    }


async def test_what_the_gate_decided_last_is_shown(
    session: Callable[..., Session], bundle: Bundles
) -> None:
    api = session()
    version = api.publish(bundle())
    decision = {"version": "2", "decision": "rejected", "reason": "CER 0.3, before 0.2."}
    client = api.server.client
    client.set_registered_model_tag(api.name, "gate.latest", json.dumps(decision))
    assert (await api.poll())["gate"] == decision
    # the trainer tags a version after it has promoted it
    client.set_model_version_tag(api.name, version, "gate.cer", "0.2")
    assert (await api.poll())["tags"] == {"gate.cer": "0.2"}
    client.set_registered_model_tag(api.name, "gate.latest", "not JSON")
    assert (await api.poll())["gate"] is None


async def test_the_cache_keeps_two_versions(
    session: Callable[..., Session], bundle: Bundles
) -> None:
    api = session()
    for letter in "abcd":
        api.publish(bundle(letter))
        await api.poll()
    kept = sorted(path.name.split("-")[0] for path in api.settings.model_cache_dir.glob("*/*"))
    assert kept == ["3", "4"]
    assert not list(api.settings.model_cache_dir.glob(".staging-*"))


async def test_a_replaced_version_is_let_go(
    session: Callable[..., Session], bundle: Bundles
) -> None:
    api = session()
    api.publish(bundle("a"))
    await api.poll()
    await api.reads()
    network = weakref.ref(api.app.state.service.serving.model.recognizer._inference)
    api.publish(bundle("b"))
    await api.poll()
    gc.collect()
    assert network() is None


async def test_requests_finish_on_the_version_they_began_with(
    session: Callable[..., Session], bundle: Bundles
) -> None:
    api = session()
    first = api.publish(bundle("a"))
    await api.poll()
    api.publish(bundle("b"))
    async with connect(api.app) as client:
        # more images than threads: most of them wait while the version changes
        files = [("images", bars("a" * 60))] * 60
        batch = asyncio.create_task(client.post("/predict/batch", files=files))
        while not api.app.state.service.engine.admission.inside:
            await asyncio.sleep(0.001)
        await api.poll()
        found = (await batch).json()
    assert found["model"]["version"] == first
    assert {item["reading"]["text"].strip("a ") for item in found["results"]} == {""}
    assert (await api.reads())[0] == "bb"


async def test_a_registry_begun_anew_is_not_mistaken_for_the_old_one(
    session: Callable[..., Session], bundle: Bundles
) -> None:
    api = session()
    api.publish(bundle("a"))
    await api.poll()
    api.server.client.delete_registered_model(api.name)
    assert api.publish(bundle("b")) == "1"
    await api.poll()
    assert await api.reads() == ("bb", "1")


@pytest.mark.skipif(sys.platform != "linux", reason="resident memory as Linux counts it")
def test_downloads_leave_no_memory_in_the_process_that_asks(
    mlflow_server: Mlflow, tmp_path: Path
) -> None:
    name = "downloads"
    mlflow_server.move(mlflow_server.register(STARTER_BUNDLE, name), "Production", name)
    registry = RemoteRegistry(mlflow_server.uri, Address.parse(f"models:/{name}/Production"))
    resident = []
    try:
        version = registry.resolve().version
        assert version
        assert registry._asked
        process = psutil.Process(registry._asked[0].pid)
        for number in range(4):
            into = tmp_path / str(number)
            into.mkdir()
            assert (registry.download(version, into) / "model.onnx").is_file()
            resident.append(process.memory_full_info().uss / 2**20)
    finally:
        registry.close()
    assert resident[-1] < resident[0] + 4  # megabytes
