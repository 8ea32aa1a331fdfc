import time
from functools import partial

import anyio
import structlog
from fastapi import APIRouter

from api import answers, uploads
from api.call import Call, Called
from api.documentation import PROBLEMS, form
from api.engine import offered
from api.errors import ApiError, problem_of
from api.schemas import BatchItem, BatchPrediction, BatchTiming, Reading
from api.uploads import Upload

router = APIRouter(tags=["read"])

log = structlog.get_logger(__name__)

MOST_AT_A_TIME = 16


@router.post(
    "/predict/batch",
    responses=PROBLEMS,
    openapi_extra=form("images", "Image files, or base64 as text of the field.", many=True),
)
async def predict_batch(call: Called) -> BatchPrediction:
    """Read many images in one request; one that cannot be read does not fail the others."""
    settings = call.service.settings
    offered(call.model, call.asked)  # what fails for every image fails the request
    found = await uploads.many(
        call.request,
        max_bytes=settings.max_upload_bytes,
        most=settings.max_batch_images,
    )
    # many may have found the queue empty when they began to upload
    call.service.admission.check_room()
    results: dict[int, BatchItem] = {}
    # the whole request was let in by one place: it takes some at a time, and leaves others theirs,
    # also where few may be inside, as with slow pages
    at_a_time = max(1, min(MOST_AT_A_TIME, call.service.admission.limit // 2))
    places = anyio.CapacityLimiter(at_a_time)
    read_item = partial(_item, call, places, results)
    with call.while_connected():
        async with anyio.create_task_group() as group:
            for index, upload in enumerate(found):
                group.start_soon(read_item, index, upload)
    return BatchPrediction(
        results=[results[index] for index in range(len(found))],
        model=call.model_name,
        request_id=call.request_id,
        timing_ms=BatchTiming(total=answers.milliseconds(time.perf_counter() - call.started)),
    )


async def _item(
    call: Call,
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
            read = await call.read(upload.file, admitted=True)
        item.reading = Reading.model_validate(answers.reading(read))
    except Exception as error:
        item.problem = problem_of(error)
        if item.problem.status == 500:
            log.exception("unexpected error", image=index)
    results[index] = item
