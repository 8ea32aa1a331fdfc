"""`/`: the page on which people read images, made of the files of `api/page`."""

import hashlib
import mimetypes
from importlib.resources import files

from fastapi import APIRouter, HTTPException, Request, Response

router = APIRouter(include_in_schema=False)

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""Everything comes from here; images are those that somebody has just chosen or drawn."""

_TYPES = {".js": "text/javascript", ".webp": "image/webp"}  # not every system knows them
_FILES = {each.name: each.read_bytes() for each in files("api").joinpath("page").iterdir()}
_DIGESTS = {name: f'"{hashlib.sha256(data).hexdigest()[:32]}"' for name, data in _FILES.items()}


@router.get("/")
async def home(request: Request) -> Response:
    answer = _file("index.html", request)
    answer.headers["Content-Security-Policy"] = POLICY
    return answer


@router.get("/page/{name}")
async def asset(name: str, request: Request) -> Response:
    if name not in _FILES or name == "index.html":
        raise HTTPException(404)
    return _file(name, request)


def _file(name: str, request: Request) -> Response:
    # asked for anew each time, so that page and API are never of two releases
    headers = {"Cache-Control": "no-cache", "ETag": _DIGESTS[name]}
    if request.headers.get("if-none-match") == _DIGESTS[name]:
        return Response(status_code=304, headers=headers)
    suffix = name[name.rindex(".") :]
    kind = _TYPES.get(suffix) or mimetypes.guess_type(name)[0]
    return Response(_FILES[name], media_type=kind, headers=headers)
