import time
from typing import Annotated

from fastapi import APIRouter, Query, Request

from api import answers
from api.connection import while_connected
from api.documentation import PROBLEMS
from api.engine import offered
from api.examples import IMAGE_URL
from api.schemas import Prediction
from api.service import Model, Options, Parts, RequestId

router = APIRouter(tags=["read"])
"""Part of the application only where IMAGE_URL_HOSTS names hosts."""


@router.get("/predict", responses=PROBLEMS)
async def predict_url(
    request: Request,
    image_url: Annotated[
        str,
        Query(
            min_length=1,
            max_length=4096,
            examples=[IMAGE_URL],
            description="An https or http address on a host that this service fetches from.",
        ),
    ],
    service: Parts,
    model: Model,
    asked: Options,
    request_id: RequestId,
) -> Prediction:
    """Read one image of a word or a line from the web."""
    started = time.perf_counter()
    offered(model, asked)  # before anybody else's server is asked
    async with while_connected(request):
        file = await service.image_at(image_url)
        read = await service.engine.read(model, file, asked)
    return answers.prediction(read, service.serving.name_of(model), request_id, started)
