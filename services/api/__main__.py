"""`python -m api`: serve at API_HOST and API_PORT."""

import uvicorn

from api.settings import load_settings

if __name__ == "__main__":
    settings = load_settings()
    uvicorn.run(
        "api.main:app",
        host=settings.api_host,
        port=settings.api_port,
        log_config=None,
        access_log=False,
        server_header=False,
    )
