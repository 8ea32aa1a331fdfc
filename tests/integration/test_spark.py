"""A registered version as a function of Spark, as docs/corpora.md has it."""

import logging
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import mlflow
import pytest

from bundles import bars, make_bundle
from recognizer.address import Address
from servers import Mlflow
from trainer.registry import Registry

pytest.importorskip("pyspark", reason="needs Spark: services/trainer/requirements-spark.txt")
if not shutil.which("java"):
    pytest.skip("needs a Java, for Spark", allow_module_level=True)

NAME = "spark"


@pytest.fixture
def spark(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    from pyspark.sql import SparkSession

    logging.getLogger("py4j").setLevel(logging.WARNING)
    monkeypatch.setenv("PYSPARK_PYTHON", sys.executable)
    # its workers are processes of their own, which import the recognizer that the version holds
    monkeypatch.delenv("PYTHONPATH", raising=False)
    session = (
        SparkSession.builder.master("local[2]")
        .config("spark.ui.enabled", "false")
        .config("spark.driver.bindAddress", "127.0.0.1")
        .config("spark.driver.host", "127.0.0.1")
        .getOrCreate()
    )
    yield session
    session.stop()


def test_a_version_reads_a_folder_on_spark(
    mlflow_server: Mlflow, spark: Any, tmp_path: Path
) -> None:
    registry = Registry(mlflow_server.uri, Address.parse(f"models:/{NAME}/Production"))
    mlflow.set_experiment(NAME)
    with mlflow.start_run():
        registry.register(make_bundle(tmp_path / "made", "c"), description="Bars.", tags={})
    for number in range(6):
        (tmp_path / f"{number}.png").write_bytes(bars("a" * number + " aa"))
    (tmp_path / "broken.png").write_bytes(bars("a")[:50])

    read = mlflow.pyfunc.spark_udf(
        spark,
        f"models:/{NAME}/1",
        result_type="struct<text: string, confidence: double, error: string>",
        env_manager="local",
        params={"errors": "keep"},
        model_config={"threads": 1},
    )
    images = spark.read.format("binaryFile").load(f"{tmp_path}/*.png")
    readings = images.select("path", read("content").alias("read")).select("path", "read.*")
    found = {Path(row.path).name: row for row in readings.collect()}
    assert len(found) == 7
    for number in range(6):
        assert found[f"{number}.png"].text == ("c" * number + " cc").strip()
        assert found[f"{number}.png"].confidence > 0.9
        assert found[f"{number}.png"].error == ""
    assert found["broken.png"].text == ""
    assert "damaged" in found["broken.png"].error
