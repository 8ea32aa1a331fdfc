"""One module a route; `ROUTERS` has them in the order of the documentation."""

from fastapi.routing import APIRoute

from api.routes import (
    batch,
    corrections,
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
    corrections.router,
    model.router,
    health.router,
    metrics.router,
    home.router,
    docs.router,
)

IMAGES = frozenset(
    (method, route.path)
    for router in ROUTERS
    for route in router.routes
    if isinstance(route, APIRoute)
    for method in route.methods or ()
    if "read" in router.tags or (method, route.path) == ("POST", "/corrections")
)
"""The methods and paths that take images."""

PATHS = frozenset(
    route.path for router in ROUTERS for route in router.routes if isinstance(route, APIRoute)
)
