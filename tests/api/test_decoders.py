"""The decoders that a served version offers."""

from pathlib import Path

import pytest
from fastapi import FastAPI

from bundles import bars
from calls import connect, serve
from rich_bundles import make_rich_bundle


@pytest.mark.parametrize("decoder", ["greedy", "beam", "lexicon"])
async def test_a_version_with_a_lexicon_offers_every_decoder(
    empty_app: FastAPI, tmp_path: Path, decoder: str
) -> None:
    serve(empty_app, make_rich_bundle(tmp_path / "rich").path)
    async with connect(empty_app) as client:
        assert (await client.get("/model")).json()["decoders"] == ["greedy", "beam", "lexicon"]
        answer = await client.post(f"/predict?decoder={decoder}", files={"image": bars("aa a")})
    assert answer.status_code == 200
    assert answer.json()["text"] == "aa a"
