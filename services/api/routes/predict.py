import time

from fastapi import APIRouter, Request

from api import answers, uploads
from api.connection import while_connected
from api.documentation import PROBLEMS, form
from api.schemas import Prediction
from api.service import Model, Options, Parts, RequestId

router = APIRouter(tags=["read"])


@router.post(
    "/predict",
    responses=PROBLEMS,
    openapi_extra=form("image", "An image file, or its base64 as text of the field."),
)
async def predict(
    request: Request, service: Parts, model: Model, asked: Options, request_id: RequestId
) -> Prediction:
    """Read one image of a word or a line."""
    started = time.perf_counter()
    file = await uploads.one(request, max_bytes=service.settings.max_upload_bytes)
    async with while_connected(request):
        read = await service.engine.read(model, file, asked)
    return answers.prediction(read, service.serving.name_of(model), request_id, started)
