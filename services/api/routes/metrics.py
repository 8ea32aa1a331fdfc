from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_LATEST

from api.service import Parts

router = APIRouter(tags=["health"])


@router.get(
    "/metrics",
    response_class=Response,
    responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}},
)
def metrics(service: Parts) -> Response:
    """Numbers for Prometheus."""
    # no coroutine, so that FastAPI calls it in a thread: it takes longer than many a request
    return Response(service.metrics.text(), media_type=CONTENT_TYPE_LATEST)
