from typing import Annotated

from fastapi import APIRouter, Path, Request, Response

from api import uploads
from api.documentation import IMAGE_ERRORS, form, problems
from api.errors import (
    CorrectionsFullError,
    CorrectionsOffError,
    CorrectionsUnavailableError,
    FieldError,
    OtherOriginError,
)
from api.schemas import Corrections, SavedCorrection
from api.service import Parts
from corrections.errors import NoSuchCorrectionError
from corrections.record import Correction

router = APIRouter(tags=["corrections"])


@router.get("/corrections", responses=problems(CorrectionsUnavailableError))
async def corrections_kept(service: Parts) -> Corrections:
    """Whether corrections are kept here, how many there are, and the latest."""
    return await service.keeper.state()


@router.post(
    "/corrections",
    status_code=201,
    responses={
        200: {"model": SavedCorrection, "description": "The same was there already"},
        **problems(
            *IMAGE_ERRORS,
            OtherOriginError,
            CorrectionsOffError,
            CorrectionsFullError,
            CorrectionsUnavailableError,
        ),
    },
    openapi_extra=form(
        "image",
        "The image that was read: a file, or its base64.",
        correction={
            "type": "string",
            "contentMediaType": "application/json",
            "contentSchema": Correction.model_json_schema(),
            "description": "What stands in its lines, as JSON.",
        },
    ),
)
async def save_correction(request: Request, response: Response, service: Parts) -> SavedCorrection:
    """Keep an image and what a person says that stands in it, to train on."""
    _check_origin(request, service.settings.cors_origins)
    service.keeper.check_on()
    file, text = await uploads.one_and_text(
        request, "correction", max_bytes=service.settings.max_upload_bytes
    )
    saved = await service.keeper.save(file, text, await service.engine.size(file))
    response.status_code = 201 if saved.new else 200
    return saved


@router.delete(
    "/corrections/{id}",
    status_code=204,
    responses=problems(
        FieldError, CorrectionsOffError, NoSuchCorrectionError, CorrectionsUnavailableError
    ),
)
async def delete_correction(
    id: Annotated[str, Path(pattern="^[0-9a-f]{64}$", description="As it was given when saved.")],
    service: Parts,
) -> None:
    """Remove a correction and its image. What a model has learnt of it stays learnt."""
    await service.keeper.delete(id)


def _check_origin(request: Request, allowed: tuple[str, ...]) -> None:
    """A browser lets any page send a form anywhere: none of others may teach the model."""
    origin = request.headers.get("origin")
    if not origin or origin in allowed or "*" in allowed:
        return
    site = request.headers.get("sec-fetch-site")
    # not every browser says it, and none does where the page came without TLS
    ours = origin.partition("://")[2] == request.headers.get("host")
    if not (site == "same-origin" if site else ours):
        raise OtherOriginError("Open the page of this service, or name yours in CORS_ORIGINS.")
