"""`python -m api`: serve at API_HOST and API_PORT."""

KEEP_ALIVE_SECONDS = 75
"""Longer than proxies keep a connection that rests: they must not send on one that is closing."""


def main() -> None:
    # imported here, as the process that asks the registry imports this module, too
    import uvicorn

    from api import memory
    from api.main import app
    from api.protocol import WholeAnswers
    from api.server import Server
    from api.service import Service

    service: Service = app.state.service
    settings = service.settings
    config = uvicorn.Config(
        app,
        http=WholeAnswers,
        host=settings.api_host,
        port=settings.api_port,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
    )
    memory.look_no_more()
    Server(config, service.admission, settings.shutdown_seconds).run()


if __name__ == "__main__":
    main()
