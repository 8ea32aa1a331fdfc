"""Where a request goes, whatever path of a proxy the service lies below."""

from starlette.types import Scope


def path_of(scope: Scope) -> str:
    """The path as the routes have it: without the prefix that the server was told of, if any."""
    path: str = scope["path"]
    prefix: str = scope.get("root_path", "")
    return path[len(prefix) :] if prefix and path.startswith(f"{prefix}/") else path
