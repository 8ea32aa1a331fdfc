from fastapi import APIRouter

from api.answers import Fields
from api.call import Called
from api.documentation import URL_PROBLEMS
from api.engine import offered
from api.schemas import ImageBody, Prediction

router = APIRouter(tags=["read"])


@router.post("/predict/json", response_model=Prediction, responses=URL_PROBLEMS)
async def predict_json(call: Called, body: ImageBody) -> Fields:
    """Read one image sent as base64 or as a data URI in JSON, or named by its address."""
    offered(call.model, call.asked)  # before anybody else's server is asked
    with call.while_connected():
        read = await call.read(await call.service.image_of(body))
    return call.prediction(read)
