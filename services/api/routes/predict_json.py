import time

from fastapi import APIRouter, Request

from api import answers
from api.connection import while_connected
from api.documentation import PROBLEMS
from api.engine import offered
from api.schemas import ImageBody, Prediction
from api.service import Model, Options, Parts, RequestId

router = APIRouter(tags=["read"])


@router.post("/predict/json", responses=PROBLEMS)
async def predict_json(
    request: Request,
    body: ImageBody,
    service: Parts,
    model: Model,
    asked: Options,
    request_id: RequestId,
) -> Prediction:
    """Read one image sent as base64 or as a data URI in JSON, or named by its address."""
    started = time.perf_counter()
    offered(model, asked)  # before anybody else's server is asked
    async with while_connected(request):
        file = await service.image_of(body)
        read = await service.engine.read(model, file, asked)
    return answers.prediction(read, service.serving.name_of(model), request_id, started)
