"""The serving bench: its clients, its limit, its medians and its table."""

import asyncio
import json
import os
import shutil
from pathlib import Path

import pytest

from bundles import bars, make_bundle
from parrot import server
from recognizer.recognizer import Recognizer
from tools.bench_serving import __main__ as bench
from tools.bench_serving import load as loading
from tools.bench_serving import servers
from tools.bench_serving.client import Clients, request_of
from tools.bench_serving.images import Images
from tools.bench_serving.limit import one_by_one, together
from tools.bench_serving.load import Answers, Target, load
from tools.bench_serving.plot import plot
from tools.bench_serving.record import LIMIT, Case, Record
from tools.bench_serving.servers import BOUNDARY, FORM, dataframe, multipart, plain_json
from tools.bench_serving.table import page_of, ratio, table
from trainer.datasets.catalogue import open_dataset

BUSY, LONE = Case("mixed", 64), Case("mixed", 1)


def record() -> Record:
    made = Record("make bench-serving", "2026-01-02", "on 2 cores", "wrk", 5)
    for rate in (90.0, 100.0, 400.0):  # one round was disturbed
        made.add(LIMIT, BUSY, Answers(rate))
        made.add("this API", BUSY, Answers(0.9 * rate, 0.5, 0.7, refused=3))
    made.add(LIMIT, LONE, Answers(100, 0.010, 0.012))
    made.add("this API", LONE, Answers(80, 0.012, 0.020))
    return made


def test_ratios_are_of_medians() -> None:
    made = record()
    assert made.median(LIMIT, BUSY, lambda each: each.rate) == 100
    assert ratio(made, "this API", BUSY, lambda each: each.rate) == "0.90"
    assert ratio(made, "this API", LONE, lambda each: each.median) == "1.20"


def test_the_table_has_a_row_for_each_server_and_every_row_is_as_long() -> None:
    lines = table(record()).splitlines()
    assert len(lines) == 4
    assert len({line.count("|") for line in lines}) == 1
    assert "this API" in lines[3]
    assert "make bench-serving" in page_of(record())


def test_rounds_are_kept_and_the_plot_is_drawn(tmp_path: Path) -> None:
    made = record()
    made.save(tmp_path / "rounds.json")
    kept = json.loads((tmp_path / "rounds.json").read_text())["measured"]
    assert [len(each["rounds"]) for each in kept] == [3, 3, 1, 1]
    plot(made, tmp_path / "load.svg")
    assert "this API" in (tmp_path / "load.svg").read_text()


def test_mixed_images_are_words_and_lines_by_turns() -> None:
    images = Images(words=(b"w1", b"w2", b"w3"), lines=(b"l1", b"l2"))
    assert images.of("mixed") == [b"w1", b"l1", b"w2", b"l2"]
    assert images.of("words") == [b"w1", b"w2", b"w3"]


def test_synthetic_images_are_of_both_kinds(tmp_path: Path) -> None:
    images = Images.collect([open_dataset("synthetic:20", tmp_path)], most=3)
    assert len(images.words) == len(images.lines) == 3
    assert all(file.startswith(b"\x89PNG") for file in images.of("mixed"))


def test_sets_at_hand_are_taken_without_a_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    rows = []
    for number, text in enumerate(("one", "one line")):
        (folder / f"{number}.png").write_bytes(bars("a"))
        rows.append(f"{number}.png\ttest\t{text}\t{number}\n")
    (folder / "lines.tsv").write_text("".join(rows))
    monkeypatch.setenv("DATA_DIR", str(tmp_path))
    mine = bench._images([f"lines:{folder}"], 50)
    assert (len(mine.words), len(mine.lines)) == (1, 1)
    all_of_them = bench._images(None, 50)
    assert mine.words[0] in all_of_them.words
    assert len(all_of_them.words) > 1


def test_the_query_of_an_address_is_asked_too() -> None:
    asked = request_of("http://127.0.0.1:80/predict?decoder=greedy", FORM, b"body")
    assert asked.startswith(b"POST /predict?decoder=greedy HTTP/1.1\r\nHost: 127.0.0.1\r\n")
    assert request_of("http://127.0.0.1/predict", FORM, b"").startswith(b"POST /predict HTTP")


def test_servers_do_not_inherit_the_settings_of_a_service(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("API_KEYS", "me:0000")
    monkeypatch.setenv("WORKERS", "1")
    inherited = servers._inherited()
    assert not {"API_KEYS", "WORKERS"} & set(inherited)
    assert inherited["PATH"] == os.environ["PATH"]


def test_every_body_holds_the_image() -> None:
    file = bars("a")
    assert file in multipart(file)
    assert multipart(file).startswith(f"--{BOUNDARY}".encode())
    assert json.loads(plain_json(file)).keys() == {"image"}
    assert json.loads(dataframe(file))["dataframe_split"]["columns"] == ["image"]


def test_the_limit_is_measured_one_by_one_and_together(tmp_path: Path) -> None:
    recognizer = Recognizer(make_bundle(tmp_path / "bundle"), threads=1, alone_threads=2)
    files = [bars("a"), bars("aa a")]
    lone = one_by_one(recognizer, files, 0.3)
    assert 0 < lone["median"] <= lone["p99"]
    assert together(recognizer, files, 0.3)["rate"] > 0


async def test_the_small_client_counts_answers_and_refusals() -> None:
    async with server([200, 200, 503]) as url:
        found = await Clients(f"{url}/predict", "text/plain", [b"x" * 1000]).run(4, 0.3)
    assert found["broken"] == 0
    assert found["answered"] > 10
    assert found["refused"] == pytest.approx(found["answered"] / 3, abs=4)
    assert 0 < found["median"] <= found["p99"]


@pytest.mark.parametrize("with_wrk", [True, False])
async def test_load_is_the_same_from_wrk_and_without_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, with_wrk: bool
) -> None:
    if with_wrk and not shutil.which("wrk"):
        pytest.skip("wrk is not installed")
    if not with_wrk:
        monkeypatch.setattr(loading.shutil, "which", lambda name: None)
    (tmp_path / "1.body").write_bytes(b"x" * 1000)
    async with server([200, 503]) as url:
        target = Target(url, "/predict", "text/plain", [tmp_path / "1.body"])
        found = await asyncio.to_thread(load, target, 4, 1, tmp_path)
    assert found.rate > 10
    assert found.refused > 10
    assert found.median is not None
    assert found.p99 is not None
    assert 0 < found.median <= found.p99
