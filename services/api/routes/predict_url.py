from typing import Annotated

from fastapi import APIRouter, Query

from api.answers import Fields
from api.call import Called
from api.documentation import URL_PROBLEMS
from api.engine import offered
from api.examples import IMAGE_URL
from api.schemas import Prediction

router = APIRouter(tags=["read"])
"""Part of the application only where IMAGE_URL_HOSTS names hosts."""


@router.get("/predict", response_model=Prediction, responses=URL_PROBLEMS)
async def predict_url(
    call: Called,
    image_url: Annotated[
        str,
        Query(
            min_length=1,
            max_length=4096,
            examples=[IMAGE_URL],
            description="An https or http address on a host that this service fetches from.",
        ),
    ],
) -> Fields:
    """Read one image of a word, a line or a page from the web."""
    offered(call.model, call.asked)  # before anybody else's server is asked
    with call.while_connected():
        read = await call.read(await call.service.image_at(image_url))
    return call.prediction(read)
