"""One module a route; `ROUTERS` has them in the order of the documentation."""

from fastapi.routing import APIRoute

from api.routes import batch, health, home, metrics, model, predict, predict_json

ROUTERS = (
    predict.router,
    predict_json.router,
    batch.router,
    model.router,
    health.router,
    metrics.router,
    home.router,
)

PATHS = frozenset(
    route.path for router in ROUTERS for route in router.routes if isinstance(route, APIRoute)
)
