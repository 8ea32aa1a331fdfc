"""A browser, and services for it to look at.

All tests here are synchronous, and each module has a browser of its own: Playwright's loop runs in
their thread until it is closed, and no asynchronous test could run meanwhile.
"""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, sync_playwright

from api.settings import Settings
from bundles import bars, make_bundle
from sheets import TEXTS, png, sheet
from trainer.bootstrap import STARTER_BUNDLE
from visiting import Service, Shelf, Visitor

EXAMPLES = Path(__file__).parents[2] / "examples"
CHROMIUMS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.browser)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    found = next((path for name in CHROMIUMS if (path := shutil.which(name))), None)
    if found is None:
        pytest.skip(f"needs a browser: none of {', '.join(CHROMIUMS)} is on PATH")
    arguments = ["--disable-gpu"]  # one that is imitated costs more than none
    if os.geteuid() == 0:
        arguments.append("--no-sandbox")  # it refuses to run as root
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=arguments)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def shots(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where pictures of the page are left: BROWSER_SHOTS, or a folder of this run."""
    named = os.environ.get("BROWSER_SHOTS")
    folder = Path(named) if named else tmp_path_factory.mktemp("shots")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture(scope="session")
def starter(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service that really reads, and keeps corrections."""
    folder = tmp_path_factory.mktemp("starter")
    shelf = Shelf({"1": STARTER_BUNDLE})
    shelf.promote("1")
    settings = Settings(
        model_cache_dir=folder / "cache",
        corrections_dir=str(folder / "corrections"),
        corrections_days=90,
        poll_seconds=0.5,
        api_keys=(),
        log_level="ERROR",
    )
    with Service(settings, shelf) as service:
        service.wait_for("1")
        yield service


@pytest.fixture
def tiny(tmp_path: Path) -> Iterator[Callable[..., Service]]:
    """Makes services whose versions 1 and 2 write "a" and "b" for a bar.

    `tiny(promoted=None)` has none in production yet; other settings are passed on.
    """
    shelf = Shelf(
        {
            number: make_bundle(tmp_path / f"bundle-{number}", letter).path
            for number, letter in (("1", "a"), ("2", "b"))
        }
    )
    with ExitStack() as stack:

        def make(*, promoted: str | None = "1", below: str = "", **changes: Any) -> Service:
            if promoted:
                shelf.promote(promoted)
            settings = Settings(
                model_cache_dir=tmp_path / "cache", poll_seconds=0.1, log_level="ERROR", **changes
            )
            service = stack.enter_context(Service(settings, shelf, below=below))
            if promoted:
                service.wait_for(promoted)
            return service

        yield make


@pytest.fixture
def visit(browser: Browser, shots: Path) -> Iterator[Callable[..., Visitor]]:
    """Opens tabs: `visit(service, viewport=..., color_scheme=...)`. Each is checked at the end."""
    visitors: list[Visitor] = []

    def open_tab(service: Service, *, clock: bool = False, **kind: Any) -> Visitor:
        context = browser.new_context(**{"viewport": {"width": 1280, "height": 860}, **kind})
        visitor = Visitor(context, service, shots, clock=clock)
        visitors.append(visitor)
        return visitor

    yield open_tab
    try:
        for visitor in visitors:
            visitor.check()
    finally:
        for visitor in visitors:
            visitor.page.context.close()


@pytest.fixture
def visitor(visit: Callable[..., Visitor], starter: Service) -> Visitor:
    return visit(starter)


@pytest.fixture(scope="session")
def letter(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page of three lines."""
    file = tmp_path_factory.mktemp("letter") / "letter.png"
    file.write_bytes(png(sheet(TEXTS[:3])[0]))
    return file


@pytest.fixture
def line() -> Path:
    return EXAMPLES / "line.png"


@pytest.fixture
def barred(tmp_path: Path) -> Callable[[str], Path]:
    """Makes image files that tiny versions read: a bar for a letter."""

    def make(text: str) -> Path:
        file = tmp_path / f"{text.replace(' ', '-')}.png"
        file.write_bytes(bars(text))
        return file

    return make
