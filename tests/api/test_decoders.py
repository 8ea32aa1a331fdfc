"""The decoders that a served version offers."""

from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI

from bundles import bars
from calls import connect, serve
from rich_bundles import make_rich_bundle


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("", "lexicon"),
        ("?decoder=auto", "lexicon"),
        ("?decoder=greedy", "greedy"),
        ("?decoder=beam", "beam"),
        ("?decoder=lexicon", "lexicon"),
    ],
)
async def test_a_version_with_a_lexicon_offers_every_decoder(
    empty_app: FastAPI, tmp_path: Path, query: str, told: str
) -> None:
    serve(empty_app, make_rich_bundle(tmp_path / "rich").path)
    async with connect(empty_app) as client:
        assert (await client.get("/model")).json()["decoders"] == [
            "auto",
            "greedy",
            "beam",
            "lexicon",
        ]
        answer = await client.post(f"/predict{query}", files={"image": bars("aa a")})
    assert answer.status_code == 200
    assert (answer.json()["text"], answer.json()["decoder"]) == ("aa a", told)


async def test_a_version_that_knows_no_texts_reads_greedily(client: httpx.AsyncClient) -> None:
    answer = await client.post("/predict", files={"image": bars("aa a")})
    assert answer.json()["decoder"] == "greedy"
    answer = await client.post("/predict/batch", files={"images": bars("aa a")})
    assert answer.json()["results"][0]["reading"]["decoder"] == "greedy"
