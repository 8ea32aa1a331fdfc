from urllib.parse import quote

from fastapi import APIRouter

from api.schemas import Limits, ModelState
from api.service import Parts
from api.serving import Version
from api.settings import Settings
from recognizer.recognizer import MOST_ALTERNATIVES

router = APIRouter(tags=["model"])


@router.get("/model")
async def model_state(service: Parts) -> ModelState:
    """Which version is served, since when, and what stands in the way of another."""
    settings, serving = service.settings, service.serving
    model, status = serving.model, serving.status
    version = model.version if model else None
    return ModelState(
        name=serving.address.name,
        version=version.version if version else None,
        stage=serving.address.label,
        model_uri=settings.model_uri,
        run_id=version.run_id if version else None,
        registry_url=_page_of(settings, version) if version else None,
        metrics=version.metrics if version else {},
        tags=version.tags if version else {},
        gate=status.gate,
        alphabet=model.recognizer.manifest.alphabet if model else None,
        levels=model.levels if model else [],
        decoders=model.decoders if model else [],
        limits=Limits(
            bytes=settings.max_upload_bytes,
            pixels=settings.max_pixels,
            batch_images=settings.max_batch_images,
            batch_bytes=settings.max_batch_bytes,
            alternatives=MOST_ALTERNATIVES,
        ),
        loaded_at=model.loaded_at if model else None,
        polled_at=status.polled_at,
        registry_error=status.registry_error,
        waiting_for=status.waiting_for,
        reload_error=status.reload_error,
        from_cache=bool(model and model.from_cache),
    )


def _page_of(settings: Settings, version: Version) -> str | None:
    home = settings.mlflow_page
    return home and f"{home}/#/models/{quote(version.name)}/versions/{version.version}"
