from fastapi import APIRouter

from api import uploads
from api.answers import Fields
from api.call import Called
from api.documentation import PROBLEMS, form
from api.routes.read_route import ReadRoute
from api.schemas import Prediction

PATH = "/predict"

router = APIRouter(tags=["read"], route_class=ReadRoute)


@router.post(
    PATH,
    response_model=Prediction,
    responses=PROBLEMS,
    openapi_extra=form("image", "An image file, or its base64 as text of the field."),
)
async def predict(call: Called) -> Fields:
    """Read one image of a word, a line or a page."""
    file = await uploads.one(call.request, max_bytes=call.service.settings.max_upload_bytes)
    with call.while_connected():
        read = await call.read(file)
    return call.prediction(read)
