"""The route of one image: documented and checked by FastAPI, then called without it."""

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request
from fastapi.responses import Response
from fastapi.routing import APIRoute

from api.call import begun
from api.job import Asked

MOST_KEPT = 64
LONGEST_KEPT = 100
"""Bytes of a query."""


class ReadRoute(APIRoute):
    """For functions that take a `Called` and nothing else, and return a model.

    FastAPI solves what such a function asks for anew at each request, which takes a good part of
    the time that a request spends outside of the engine. The same query is asked the same way:
    what FastAPI found of one is kept, and the next request with it goes straight to the function.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        whole = super().get_route_handler()
        known: dict[bytes, Asked] = {}

        async def handle(request: Request) -> Response:
            query = request.scope["query_string"]
            asked = known.get(query)
            if asked is not None:
                answer = await self.endpoint(begun(request, asked))
                return Response(
                    answer.__pydantic_serializer__.to_json(answer), media_type="application/json"
                )
            response = await whole(request)
            if len(known) == MOST_KEPT:
                known.clear()  # somebody asks anything; what is asked in earnest comes again
            if len(query) <= LONGEST_KEPT:
                known[query] = request.state.asked
            return response

        return handle
