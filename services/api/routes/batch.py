import time
from functools import partial

import anyio
import structlog
from fastapi import APIRouter, Request

from api import answers, uploads
from api.connection import while_connected
from api.documentation import PROBLEMS, form
from api.engine import Asked, offered
from api.errors import ApiError, problem_of
from api.schemas import BatchItem, BatchPrediction, BatchTiming
from api.service import Model, Options, Parts, RequestId, Service
from api.serving import Served
from api.uploads import Upload

router = APIRouter(tags=["read"])

log = structlog.get_logger()

IMAGES_AT_A_TIME = 16


@router.post(
    "/predict/batch",
    responses=PROBLEMS,
    openapi_extra=form("images", "Image files, or base64 as text of the field.", many=True),
)
async def predict_batch(
    request: Request, service: Parts, model: Model, asked: Options, request_id: RequestId
) -> BatchPrediction:
    """Read many images in one request; one that cannot be read does not fail the others."""
    started = time.perf_counter()
    offered(model, asked)  # what fails for every image fails the request
    found = await uploads.many(
        request,
        max_bytes=service.settings.max_upload_bytes,
        most=service.settings.max_batch_images,
    )
    results: dict[int, BatchItem] = {}
    # the whole request was let in by one place: it takes some at a time, and leaves others theirs
    places = anyio.CapacityLimiter(IMAGES_AT_A_TIME)
    read_item = partial(_item, service, model, asked, places, results)
    async with while_connected(request), anyio.create_task_group() as group:
        for index, upload in enumerate(found):
            group.start_soon(read_item, index, upload)
    return BatchPrediction(
        results=[results[index] for index in range(len(found))],
        model=service.serving.name_of(model),
        request_id=request_id,
        timing_ms=BatchTiming(total=answers.milliseconds(time.perf_counter() - started)),
    )


async def _item(
    service: Service,
    model: Served,
    asked: Asked,
    places: anyio.CapacityLimiter,
    results: dict[int, BatchItem],
    index: int,
    upload: Upload,
) -> None:
    item = BatchItem(index=index, filename=upload.filename, reading=None, problem=None)
    try:
        if isinstance(upload.file, ApiError):
            raise upload.file
        async with places:
            read = await service.engine.read(model, upload.file, asked, admitted=True)
        item.reading = answers.reading(read)
    except Exception as error:
        item.problem = problem_of(error)
        if item.problem.status == 500:
            log.exception("unexpected error", image=index)
    results[index] = item
