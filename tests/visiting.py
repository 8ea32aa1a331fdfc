"""Somebody at a browser who looks at the page, and a service that they look at."""

import base64
import json
import mimetypes
import shutil
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

import uvicorn
from fastapi import FastAPI
from playwright.sync_api import BrowserContext, CDPSession, ConsoleMessage, Locator, Page, Request

from api.errors import RegistryError
from api.main import create_app
from api.registry import Answer, Registry
from api.serving import Version
from api.settings import Settings
from recognizer.address import Address
from servers import free_port, wait

VIOLATIONS = """
window.violations = [];
addEventListener("securitypolicyviolation", (event) =>
  violations.push(`${event.violatedDirective} ${event.blockedURI}`));
"""

DROP = """
([type, name, kind, data]) => {
  const bytes = Uint8Array.from(atob(data), (each) => each.charCodeAt(0));
  const carried = new DataTransfer();
  carried.items.add(new File([bytes], name, { type: kind }));
  const told = { bubbles: true, cancelable: true };
  document.body.dispatchEvent(
    type === "paste"
      ? new ClipboardEvent(type, { ...told, clipboardData: carried })
      : new DragEvent(type, { ...told, dataTransfer: carried }),
  );
}
"""


class Shelf(Registry):
    """A registry of bundles in folders, one of them in production."""

    def __init__(self, bundles: Mapping[str, Path]) -> None:
        super().__init__("http://registry.invalid", Address.parse("models:/handwriting/Production"))
        self._bundles = bundles
        self._number: str | None = None
        self.away = False

    def promote(self, number: str) -> None:
        self._number = number

    def resolve(self) -> Answer:
        if self.away:
            raise RegistryError("The registry does not answer")
        if self._number is None:
            return Answer(None, "No version of handwriting is in stage Production.", None)
        version = Version(
            name="handwriting", version=self._number, run_id="r", source="s", created=1
        )
        gate = {"version": self._number, "decision": "promoted", "reason": "It reads no worse."}
        return Answer(version, None, gate)

    def metrics(self, version: Version) -> dict[str, float]:
        return {"test_cer": 0.0812, "test_exact": 0.5, "test.hooker_cer": 0.177}

    def download(self, version: Version, into: Path) -> Path:
        return Path(shutil.copytree(self._bundles[version.version], into / "bundle"))


class Service:
    """The API, answering browsers from a thread of the test's process."""

    def __init__(self, settings: Settings, shelf: Shelf, *, below: str = "") -> None:
        """`below`: where on its host it stands, as behind a proxy that has other things."""
        self.shelf = shelf
        self.app = create_app(settings, shelf)
        served = self.app
        if below:
            served = FastAPI(lifespan=self.app.router.lifespan_context)
            served.mount(below, self.app)
        port = free_port()
        self.uri = f"http://127.0.0.1:{port}{below}/"
        self._server = uvicorn.Server(uvicorn.Config(served, port=port, log_level="warning"))
        self._thread = threading.Thread(target=self._server.run, daemon=True)

    def wait_for(self, version: str) -> None:
        serving = self.app.state.service.serving
        wait(lambda: serving.model is not None and serving.model.version.version == version, 60)

    def __enter__(self) -> Self:
        self._thread.start()
        wait(lambda: self._server.started, 30)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.should_exit = True
        self._thread.join(timeout=20)


class Visitor:
    """A tab on the page of a service: what it did, what it sent, and what it complained of."""

    def __init__(
        self, context: BrowserContext, service: Service, shots: Path, *, clock: bool
    ) -> None:
        """`clock`: time can be made to go faster with `later`."""
        self.service = service
        self._shots = shots
        self.requests: list[str] = []
        self.errors: list[str] = []
        self.page: Page = context.new_page()
        self.page.set_default_timeout(15_000)
        self.page.add_init_script(VIOLATIONS)
        self.page.on("request", self._asked)
        self.page.on("console", self._complained)
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        if clock:
            self.page.clock.install()
        self.page.goto(service.uri)

    def _asked(self, request: Request) -> None:
        self.requests.append(request.url)

    def _complained(self, message: ConsoleMessage) -> None:
        # of answers with an error status, too: tests cause them and look at what is made of them
        if message.type == "error" and not message.text.startswith("Failed to load resource"):
            self.errors.append(message.text)

    def check(self) -> None:
        """Nothing went elsewhere, nothing was against the policy, nothing failed unseen."""
        own = urlsplit(self.service.uri).netloc
        elsewhere = [
            url
            for url in self.requests
            if not url.startswith(("blob:", "data:")) and urlsplit(url).netloc != own
        ]
        assert elsewhere == []
        assert self.violations() == []
        assert self.errors == []

    def violations(self) -> list[str]:
        found: list[str] = self.page.evaluate("window.violations")
        return found

    # --- what somebody does ---------------------------------------------------------------

    def choose(self, *files: Path) -> None:
        self.page.locator("#files").set_input_files(list(files))

    def drop(self, file: Path, event: str = "drop") -> None:
        kind = mimetypes.guess_type(file.name)[0] or ""
        data = base64.b64encode(file.read_bytes()).decode()
        self.page.evaluate(DROP, [event, file.name, kind, data])

    def later(self, seconds: float) -> None:
        """So much later; as it was opened with a clock, at once."""
        self.page.clock.fast_forward(int(seconds * 1000))

    def pen(self, kind: str, x: float, y: float, **how: Any) -> None:
        """What an input device does at a place of the window, as the browser's own events."""
        session = self.page.context.new_cdp_session(self.page)
        with suppress(KeyError):
            how["force"] = float(how["force"])
        told = {"type": kind, "x": x, "y": y, "button": "left", "buttons": 1, **how}
        session.send("Input.dispatchMouseEvent", told)
        session.detach()

    def touch(self, kind: str, *place: float) -> None:
        """What a finger does; where, unless it is lifted."""
        points = [{"x": place[0], "y": place[1]}] if place else []
        self._fingers.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    @cached_property
    def _fingers(self) -> CDPSession:
        return self.page.context.new_cdp_session(self.page)  # a touch is over where it ends

    # --- what somebody sees ---------------------------------------------------------------

    def card(self, name: str) -> Locator:
        """The card of an image, once it stands there."""
        found = self.page.locator("article.card").filter(
            has=self.page.get_by_role("heading", name=name, exact=True)
        )
        found.wait_for()
        return found

    def read_card(self, name: str) -> Locator:
        """The card of an image, once it is read."""
        found = self.card(name)
        found.locator(".body.read").wait_for()
        return found

    def texts(self, card: Locator) -> list[str]:
        fields = card.locator(".line textarea")
        return [fields.nth(at).input_value() for at in range(fields.count())]

    def said(self) -> str:
        """All that a screen reader was told, since `listen`."""
        return " ".join(self.page.evaluate("window.said"))

    def listen(self) -> None:
        self.page.evaluate(
            """() => {
              window.said = [];
              const live = document.getElementById("live");
              new MutationObserver(() => live.textContent && said.push(live.textContent))
                .observe(live, { childList: true, characterData: true, subtree: true });
            }"""
        )

    def downloaded(self, card: Locator, label: str) -> tuple[str, str]:
        """The name and the text of a file that a button of a card gives."""
        with self.page.expect_download() as waiting:
            card.get_by_role("button", name=label).click()
        download = waiting.value
        return download.suggested_filename, Path(download.path()).read_text("utf-8")

    def bytes_of(self, image: Locator) -> bytes:
        """The file that an image of the page shows."""
        data: str = image.evaluate(
            """async (image) => {
              const blob = await new Promise((done) => {
                const canvas = document.createElement("canvas");
                [canvas.width, canvas.height] = [image.naturalWidth, image.naturalHeight];
                canvas.getContext("2d").drawImage(image, 0, 0);
                canvas.toBlob(done, "image/png");
              });
              const bytes = new Uint8Array(await blob.arrayBuffer());
              return btoa(String.fromCharCode(...bytes));
            }"""
        )
        return base64.b64decode(data)

    def shot(self, name: str, *, whole: bool = True) -> None:
        """A picture for whoever works on the page."""
        self.page.evaluate("document.fonts.ready")
        self.page.screenshot(path=self._shots / f"{name}.png", full_page=whole)


def seconds(since: float) -> float:
    return time.monotonic() - since


def json_of(text: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(text)
    return found
