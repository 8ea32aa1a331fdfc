from typing import Any

from fastapi import APIRouter, Response

from api.schemas import Health, Live
from api.service import Parts, Service

router = APIRouter(prefix="/health", tags=["health"])

NOT_READY: dict[int | str, dict[str, Any]] = {
    503: {"model": Health, "description": "No model is ready yet; the reasons say why."}
}


@router.get("", responses=NOT_READY)
async def health(service: Parts, response: Response) -> Health:
    """Whether the process answers and an image would be read, and what is amiss."""
    return _health(service, response)


@router.get("/live")
async def live() -> Live:
    """The process answers."""
    return Live()


@router.get("/ready", responses=NOT_READY)
async def ready(service: Parts, response: Response) -> Health:
    """A model is loaded and has read its golden images."""
    return _health(service, response)


def _health(service: Service, response: Response) -> Health:
    serving = service.serving
    model = serving.model
    draining = service.admission.draining
    ready = service.ready and not draining
    if not ready:
        response.status_code = 503
        response.headers["Retry-After"] = str(serving.retry_after)
    reasons = ["The service is being stopped."] if draining else []
    if model and not service.ready:
        reasons.append("Not every worker has opened its copy of the model yet.")
    return Health(
        status="draining" if draining else "ready" if ready else "waiting",
        ready=ready,
        model=serving.name_of(model) if model else None,
        reasons=[*reasons, *serving.reasons()],
    )
