"""API keys: their hashes in the settings, the check of a request, and how one is made.

`python -m api.keys NAME` makes a key and the entry that API_KEYS takes for it.
"""

import hashlib
import hmac
import re
import secrets
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from api.errors import UnauthorizedError, answer
from api.paths import path_of

HEADER = "X-API-Key"

# What shows no image and no reading: whoever watches the service has no key to lose, and a
# browser loads page and documentation before anybody can type one into them.
OPEN = frozenset({"/", "/docs", "/openapi.json", "/health", "/health/live", "/health/ready"})
OPEN_BELOW = ("/docs/", "/page/")

_ENTRY = re.compile(r"(?:(?P<name>[A-Za-z0-9._-]{1,64}):)?(?P<digest>[0-9a-f]{64})")


@dataclass(frozen=True)
class ApiKey:
    """A key as the settings hold it: what the log calls it, and the SHA-256 of the key itself.

    A plain hash is enough because nobody chooses the key: it is 256 random bits, which no list
    of passwords holds and no search finds.
    """

    name: str
    digest: bytes = field(repr=False)


def parse(text: str) -> tuple[ApiKey, ...]:
    """Read `name:hash` or `hash` entries, with commas or spaces between them.

    Raises:
        ValueError: saying which entry is wrong, never what it holds.
    """
    keys = []
    for number, entry in enumerate(re.split(r"[,\s]+", text.strip(" ,\n\t")), start=1):
        found = _ENTRY.fullmatch(entry)
        if not found:
            raise ValueError(
                f"entry {number} is neither NAME:HASH nor the SHA-256 of a key in 64 hex digits; "
                "make one with `python -m api.keys NAME`"
            )
        keys.append(ApiKey(found["name"] or f"key-{number}", bytes.fromhex(found["digest"])))
    return tuple(keys)


def holder(key: str, keys: Sequence[ApiKey]) -> ApiKey | None:
    """Whose key this is. Takes equally long whichever it is, and where it is none."""
    digest = hashlib.sha256(key.encode()).digest()
    matching = [each for each in keys if hmac.compare_digest(each.digest, digest)]
    return matching[0] if matching else None


class KeyCheck:
    """401 before a byte of the body is read, unless a key that is known comes with the request."""

    def __init__(self, app: ASGIApp, keys: Sequence[ApiKey], also_open: frozenset[str]) -> None:
        """`also_open`: paths that need no key, besides `OPEN` and what lies below `OPEN_BELOW`."""
        self._app = app
        self._keys = keys
        self._open = OPEN | also_open

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        path = path_of(scope)
        if path in self._open or path.startswith(OPEN_BELOW):
            await self._app(scope, receive, send)
            return
        given = _given(Headers(scope=scope))
        holders = [holder(key, self._keys) for key in given]
        found = holders[0] if holders and all(holders) else None
        if found is None:
            error = UnauthorizedError(given=bool(given))
            await answer(error, Request(scope))(scope, receive, send)
            return
        scope.setdefault("state", {})["key"] = found.name
        await self._app(scope, receive, send)


def _given(headers: Headers) -> list[str]:
    """The keys of a request: in a header of its own, as `Authorization: Bearer`, or both.

    Where both are there both must be known: which of them was meant is nothing to guess.
    """
    scheme, _, credentials = headers.get("authorization", "").partition(" ")
    bearer = credentials if scheme.lower() == "bearer" else ""
    return [key for key in (headers.get(HEADER, "").strip(), bearer.strip()) if key]


def make(name: str) -> tuple[str, str]:
    """A new key, and the entry of API_KEYS that admits it."""
    key = secrets.token_urlsafe(32)
    entry = f"{name}:{hashlib.sha256(key.encode()).hexdigest()}"
    parse(entry)
    return key, entry


def main(arguments: Sequence[str]) -> int:
    if len(arguments) != 1 or arguments[0].startswith("-"):
        print("usage: python -m api.keys NAME      makes a key for NAME", file=sys.stderr)
        return 2
    try:
        key, entry = make(arguments[0])
    except ValueError:
        print("A name has up to 64 letters, digits, dots, dashes, underscores.", file=sys.stderr)
        return 2
    print(f"key, for the client, kept nowhere here: {key}")
    print(f"entry, to add to API_KEYS:              {entry}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
