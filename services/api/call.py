"""A request to read: how, with which version, under which id, and since when."""

import time
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Query, Request

from api import answers
from api.answers import Fields
from api.connection import WhileConnected
from api.job import Asked, Read
from api.schemas import AskedDecoder, AskedLevel, ModelName
from api.service import Service
from api.serving import Served


@dataclass(frozen=True)
class Call:
    """What the routes that read images work with."""

    request: Request
    service: Service
    model: Served
    """The version this request keeps to its end."""
    asked: Asked
    started: float
    """Seconds of `time.perf_counter`."""

    @property
    def request_id(self) -> str:
        request_id: str = self.request.state.request_id
        return request_id

    @property
    def model_name(self) -> ModelName:
        return self.service.serving.name_of(self.model)

    def while_connected(self) -> WhileConnected:
        """See `WhileConnected`."""
        return WhileConnected(self.request, self.service.watched)

    async def read(self, file: bytes, *, admitted: bool = False) -> Read:
        """Read one image file. See `Engine.read`."""
        engine = self.service.engine
        return await engine.read(self.model, file, self.asked, admitted=admitted)

    def prediction(self, read: Read) -> Fields:
        """The answer where the request is for one image, see `answers.prediction`."""
        return answers.prediction(read, self.model_name, self.request_id, self.started)


# One dependency, where four were tidier: FastAPI takes a tenth of a millisecond for each. And a
# coroutine: it sends any other through a thread of its own.
async def _call(
    request: Request,
    level: Annotated[
        AskedLevel, Query(description="What the image shows; `word` forbids spaces.")
    ] = "auto",
    decoder: Annotated[
        AskedDecoder,
        Query(
            description="`greedy` is fastest, by far where many images come. `beam` reads with the "
            "model's language model, `lexicon` also prefers known words; `/model` says which the "
            "version offers, and `auto` takes the best of them."
        ),
    ] = "auto",
    alternatives: Annotated[
        int, Query(ge=0, le=10, description="How many other texts to give, at most.")
    ] = 0,
) -> Call:
    request.state.asked = Asked(level, decoder, alternatives)
    return begun(request, request.state.asked)


def begun(request: Request, asked: Asked) -> Call:
    """A request that is answered from here on. Raises `NoModelError`."""
    started = time.perf_counter()
    service: Service = request.app.state.service
    model = service.serving.current()
    request.state.model_version = model.version.version
    return Call(request, service, model, asked, started)


Called = Annotated[Call, Depends(_call)]
