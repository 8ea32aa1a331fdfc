"""The profile `observability`: what its files name is there."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from fastapi import FastAPI

from api.main import create_app
from api.service import Service
from api.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
FILES = ROOT / "deploy" / "observability"
DASHBOARD = FILES / "grafana" / "dashboards" / "handwriting.json"
NAME = re.compile(r"\b((?:handwriting|process)_[a-z_]+)\b")


@pytest.fixture(scope="module")
def dashboard() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(DASHBOARD.read_text("utf-8"))
    return found


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> FastAPI:
    return create_app(Settings(model_cache_dir=tmp_path_factory.mktemp("cache")))


def series(app: FastAPI) -> dict[str, set[str]]:
    """Every name that a query may use, with the labels of its metric."""
    service: Service = app.state.service
    found: dict[str, set[str]] = {}
    suffixes = {
        "counter": ["_total"],
        "histogram": ["_bucket", "_sum", "_count"],
        "info": ["_info"],
    }
    for collector in list(service.metrics.registry._collector_to_names):
        labels = set(getattr(collector, "_labelnames", ())) | {"le", "job"}
        if any(name.endswith("_info") for name in service.metrics.registry._get_names(collector)):
            labels |= {"name", "version", "stage"}
        for metric in collector.collect():
            for suffix in suffixes.get(metric.type, [""]):
                found[f"{metric.name}{suffix}"] = labels
    return found


def queries(dashboard: dict[str, Any]) -> list[str]:
    panels = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    return panels + [each["expr"] for each in dashboard["annotations"]["list"]]


def test_every_query_names_metrics_and_labels_that_exist(
    dashboard: dict[str, Any], app: FastAPI
) -> None:
    known = series(app)
    for query in queries(dashboard):
        names = set(NAME.findall(query))
        assert names, query
        assert names <= known.keys(), query
        labels = set().union(*(known[name] for name in names))
        for group in re.findall(r"by \(([^)]*)\)", query):
            assert {label.strip() for label in group.split(",")} <= labels, query
        for label in re.findall(r"[{,](\w+)=~?\"", query):
            assert label in labels, query


def test_every_stage_and_drift_signal_is_shown(dashboard: dict[str, Any], app: FastAPI) -> None:
    shown = " ".join(queries(dashboard))
    own = {name for name in series(app) if name.startswith("handwriting_")}
    missing = {name.removesuffix("_bucket") for name in own if name.endswith("_bucket")}
    assert [name for name in missing if name not in shown] == []


def test_panels_do_not_overlap(dashboard: dict[str, Any]) -> None:
    taken: set[tuple[int, int]] = set()
    for panel in dashboard["panels"]:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        cells = {
            (place["x"] + dx, place["y"] + dy)
            for dx in range(place["w"])
            for dy in range(place["h"])
        }
        assert not cells & taken, panel["title"]
        taken |= cells


def test_the_parts_know_each_other() -> None:
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    services = compose["services"]
    config = yaml.safe_load((FILES / "prometheus.yml").read_text())
    (target,) = config["scrape_configs"][0]["static_configs"][0]["targets"]
    host, port = target.split(":")
    assert host in services
    assert services[host]["ports"][0].endswith(f":{port}")
    source = yaml.safe_load(
        (FILES / "grafana/provisioning/datasources/prometheus.yml").read_text()
    )["datasources"][0]
    assert source["url"] == "http://prometheus:9090"
    used = {
        target["datasource"]["uid"]
        for panel in json.loads(DASHBOARD.read_text())["panels"]
        for target in panel["targets"]
    }
    assert used == {source["uid"]}
    for name in ("prometheus", "grafana"):
        assert services[name]["profiles"] == ["observability"]
        for volume in services[name]["volumes"]:
            if volume.startswith("./"):
                assert (ROOT / volume.split(":")[0]).exists()
