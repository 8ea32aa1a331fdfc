"""Whether a request that changes something comes from a page that may ask for it."""

from contextlib import suppress
from ipaddress import ip_address
from urllib.parse import urlsplit

from fastapi import Request

from api.errors import OtherOriginError
from api.settings import Settings

NEVER_PUBLIC = ("localhost", "local", "internal", "home.arpa")
"""Ends of names that nobody on the internet can own (RFC 6761, 6762 and 8375; ICANN)."""


def check_origin(request: Request, settings: Settings) -> None:
    """A browser lets any page send a form anywhere: none of others may save or delete anything.

    Raises `OtherOriginError`.
    """
    origin, allowed = request.headers.get("origin"), settings.cors_origins
    if not origin or origin in allowed or "*" in allowed:
        return
    site = request.headers.get("sec-fetch-site")
    # not every browser says it, and none does where the page came without TLS
    ours = origin.partition("://")[2] == request.headers.get("host")
    if not (site == "same-origin" if site else ours):
        raise OtherOriginError("Open the page of this service, or name yours in CORS_ORIGINS.")
    if not site and not settings.api_keys and _can_be_rebound(origin):
        raise OtherOriginError(
            f"Anybody might own that name: put {origin} into CORS_ORIGINS, or set API_KEYS."
        )


def _can_be_rebound(origin: str) -> bool:
    """Whether the owner of the name can let it mean this machine once their page is there."""
    try:
        host = (urlsplit(origin).hostname or "").rstrip(".")
    except ValueError:
        return True
    with suppress(ValueError):
        ip_address(host)
        return False
    return "." in host and not host.endswith(tuple(f".{end}" for end in NEVER_PUBLIC))
