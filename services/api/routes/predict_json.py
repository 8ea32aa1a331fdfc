import time

from fastapi import APIRouter

from api import answers, uploads
from api.documentation import PROBLEMS
from api.schemas import ImageBody, Prediction
from api.service import Model, Options, Parts, RequestId

router = APIRouter(tags=["read"])


@router.post("/predict/json", responses=PROBLEMS)
async def predict_json(
    body: ImageBody, service: Parts, model: Model, asked: Options, request_id: RequestId
) -> Prediction:
    """Read one image sent as base64 or as a data URI in JSON."""
    started = time.perf_counter()
    file = await uploads.from_text(body.image, max_bytes=service.settings.max_upload_bytes)
    read = await service.engine.read(model, file, asked)
    return Prediction(
        **dict(answers.reading(read)),
        model=service.serving.name_of(model),
        request_id=request_id,
        timing_ms=answers.timing(read, time.perf_counter() - started),
    )
