"""An API in the test's own process that follows a registered model of its own."""

import asyncio
from pathlib import Path

from fastapi import FastAPI

from api.main import create_app
from api.registry import Registry
from api.settings import Settings
from bundles import bars
from calls import connect
from servers import Mlflow


class Session:
    """An API whose watcher polls when the test says so, on a registered model of its own."""

    def __init__(self, server: Mlflow, name: str, cache: Path, suffix: str) -> None:
        self.server = server
        self.name = name
        self.settings = Settings(
            mlflow_tracking_uri=server.uri,
            model_uri=f"models:/{name}{suffix}",
            model_cache_dir=cache,
            poll_seconds=0.2,
        )
        self.app: FastAPI = create_app(self.settings, Registry(server.uri, self.settings.address))

    def register(self, bundle: Path, **metrics: float) -> str:
        return self.server.register(bundle, self.name, **metrics)

    def move(self, version: str, stage: str, *, archive: bool = True) -> None:
        self.server.move(version, stage, self.name, archive=archive)

    def publish(self, bundle: Path) -> str:
        version = self.register(bundle)
        self.move(version, "Production")
        return version

    async def poll(self) -> dict[str, object]:
        """Let the watcher ask once; what `/model` says then."""
        await asyncio.to_thread(self.app.state.service.watcher.poll)
        return await self.model()

    async def model(self) -> dict[str, object]:
        async with connect(self.app) as client:
            found: dict[str, object] = (await client.get("/model")).json()
            return found

    async def reads(self, text: str = "aa") -> tuple[str, str]:
        """The text of bars, and the version that read it."""
        async with connect(self.app) as client:
            answer = await client.post("/predict", files={"image": bars(text)})
            assert answer.status_code == 200, answer.text
            return answer.json()["text"], answer.json()["model"]["version"]

    async def reasons(self) -> str:
        async with connect(self.app) as client:
            return " ".join((await client.get("/health")).json()["reasons"])

    def again(self) -> "Session":
        """The same API after a restart: same settings, same cache, nothing else."""
        _, _, suffix = self.settings.model_uri.partition(f"/{self.name}")
        return Session(self.server, self.name, self.settings.model_cache_dir, suffix)
