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
from api.origins import check_origin
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
    check_origin(request, service.settings)
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
        FieldError,
        OtherOriginError,
        CorrectionsOffError,
        NoSuchCorrectionError,
        CorrectionsUnavailableError,
    ),
)
async def delete_correction(
    id: Annotated[str, Path(pattern="^[0-9a-f]{64}$", description="As it was given when saved.")],
    request: Request,
    service: Parts,
) -> None:
    """Remove a correction and its image. What a model has learnt of it stays learnt."""
    check_origin(request, service.settings)
    await service.keeper.delete(id)
