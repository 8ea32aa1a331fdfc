"""`/` and its files: what they may load, what a browser keeps of them, and what is served."""

import re
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI

import api

PAGE = Path(api.__file__).parent / "page"
FILES = sorted(each.name for each in PAGE.iterdir() if each.name != "index.html")


async def test_the_page_admits_what_comes_from_here_and_nothing_within(
    client: httpx.AsyncClient,
) -> None:
    page = await client.get("/")
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    policy = dict(
        part.strip().split(" ", 1) for part in page.headers["content-security-policy"].split(";")
    )
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
    assert policy["img-src"] == "'self' blob: data:"
    assert not re.findall(r"<script(?![^>]*src=)|<style|\sstyle=|\son\w+=", page.text)


async def test_every_address_is_relative_so_that_any_root_will_do(
    client: httpx.AsyncClient,
) -> None:
    page = await client.get("/")
    linked = re.findall(r'(?:src|href)="(?!#)([^"]+)"', page.text)
    assert "page/main.js" in linked
    for link in linked:
        assert re.fullmatch(r"docs|page/[a-z-]+\.\w+", link)
        assert (await client.get(f"/{link}")).status_code == 200


@pytest.mark.parametrize("name", FILES)
async def test_files_come_with_their_type_and_once(client: httpx.AsyncClient, name: str) -> None:
    answer = await client.get(f"/page/{name}")
    assert answer.content == (PAGE / name).read_bytes()
    kind = {"js": "text/javascript", "css": "text/css", "svg": "image/svg+xml", "png": "image/png"}
    assert answer.headers["content-type"].startswith(kind[name.rpartition(".")[2]])
    again = await client.get(f"/page/{name}", headers={"If-None-Match": answer.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["etag"] == answer.headers["etag"]


@pytest.mark.parametrize("name", ["", "index.html", "../main.py", "..%2fmain.py", "%2e%2e/x", "x"])
async def test_nothing_else_is_served_beside_them(client: httpx.AsyncClient, name: str) -> None:
    answer = await client.get(f"/page/{name}")
    assert answer.status_code in (200, 404)
    assert "import" not in answer.text
    if answer.status_code == 200:  # a client that resolves dots has asked for something else
        assert not str(answer.request.url.path).startswith("/page/")


async def test_modules_import_each_other_alone_and_are_asked_for_at_once(app: FastAPI) -> None:
    page = (PAGE / "index.html").read_text()
    for file in PAGE.glob("*.js"):
        assert page.count(f'="page/{file.name}"') == 1
        for imported in re.findall(r'^(?:import|export) .*from "(.+)";$', file.read_text(), re.M):
            assert imported.startswith("./")
            assert (PAGE / imported).is_file()


def test_the_page_is_small() -> None:
    """Everything but the picture that is loaded when somebody wants an example."""
    weight = sum(each.stat().st_size for each in PAGE.iterdir() if each.suffix != ".png")
    assert weight < 120_000
