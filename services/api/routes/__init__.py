"""One module a route; `ROUTERS` has them in the order of the documentation."""

from fastapi.routing import APIRoute

from api.routes import (
    batch,
    docs,
    health,
    home,
    metrics,
    model,
    predict,
    predict_json,
    predict_url,
)

ROUTERS = (
    predict.router,
    predict_json.router,
    predict_url.router,
    batch.router,
    model.router,
    health.router,
    metrics.router,
    home.router,
    docs.router,
)

READING = frozenset(
    route.path
    for router in ROUTERS
    for route in router.routes
    if isinstance(route, APIRoute) and "read" in router.tags
)
"""The paths that read images."""

PATHS = frozenset(
    route.path for router in ROUTERS for route in router.routes if isinstance(route, APIRoute)
)
