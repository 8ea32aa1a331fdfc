"""`python -m api`: serve at API_HOST and API_PORT."""

import sys


def main() -> None:
    # structlog loads it where it is installed, as beside the trainer, to show errors in colour:
    # that is a tenth of a start
    sys.modules.setdefault("rich", None)  # type: ignore[arg-type]
    # imported here, as the process that asks the registry imports this module, too
    from api.settings import load_settings

    settings = load_settings()
    if settings.processes > 1:
        from api.workers import serve

        serve(settings)
        return

    from api import memory
    from api.main import create_app
    from api.server import server_of

    server = server_of(create_app(settings))
    memory.look_no_more()
    server.run()


if __name__ == "__main__":
    main()
