"""`python -m api`: serve at API_HOST and API_PORT."""

import uvicorn

from api.main import app
from api.server import Server
from api.service import Service

if __name__ == "__main__":
    service: Service = app.state.service
    settings = service.settings
    config = uvicorn.Config(
        app,
        host=settings.api_host,
        port=settings.api_port,
        log_config=None,
        access_log=False,
        server_header=False,
    )
    Server(config, service.admission, settings.shutdown_seconds).run()
