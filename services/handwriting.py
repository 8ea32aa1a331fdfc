"""A client of the API: images in, readings out.

    from handwriting import Client

    with Client("http://127.0.0.1:8000") as client:
        print(client.read("letter.png").text)

`AsyncClient` has the same methods, to be awaited. Needs httpx, pydantic and tenacity, and nothing
else of this project: the file may be copied.
"""

import time
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self, TypedDict, Unpack

import httpx
from pydantic import BaseModel, ConfigDict
from tenacity import AsyncRetrying, RetryCallState, Retrying, retry_if_exception

Image = bytes | str | Path
"""The bytes of an image file, or its path."""

TOGETHER = 16
"""Images in one request of `read_many`."""
MOST_BYTES = 40_000_000
"""Of the images in one request; a larger one goes alone. Services take 50 MB, unless told other."""

LONGEST_WAIT = 30.0
_BUSY = frozenset({424, 429, 502, 503, 504})


class Asked(TypedDict, total=False):
    """How to read; what is left out is as the service has it."""

    level: Literal["auto", "word", "line", "page"]
    decoder: Literal["auto", "greedy", "beam", "lexicon"]
    alternatives: int


class _Answer(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


Box = tuple[int, int, int, int]
"""Left, top, right, bottom in pixels of the upright image."""


class Word(_Answer):
    """`confidence` lies between 0 and 1, here and everywhere."""

    text: str
    box: Box
    confidence: float


class Alternative(_Answer):
    text: str
    confidence: float


class Line(_Answer):
    """`baseline` is known on pages alone."""

    text: str
    box: Box
    polygon: tuple[tuple[int, int], ...]
    baseline: tuple[tuple[int, int], ...] | None
    confidence: float
    words: tuple[Word, ...]
    alternatives: tuple[Alternative, ...]


class Reading(_Answer):
    """What was read in one image."""

    text: str
    confidence: float
    level: Literal["word", "line", "page"]
    decoder: Literal["greedy", "beam", "lexicon"]
    width: int
    height: int
    lines: tuple[Line, ...]
    alternatives: tuple[Alternative, ...]


class Version(_Answer):
    """The version of the model that gave an answer."""

    name: str
    version: str
    stage: str


class Prediction(Reading):
    model: Version
    request_id: str


class Problem(_Answer):
    """Why there is no reading (RFC 9457). `type` is stable; `detail` is for people."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str = ""
    request_id: str | None = None


class Item(_Answer):
    """One of several images: `reading` or `problem`."""

    index: int
    reading: Reading | None = None
    problem: Problem | None = None


class HandwritingError(Exception):
    """The service gave no reading."""


class RefusedError(HandwritingError):
    """The service answered with a problem."""

    def __init__(self, problem: Problem, retry_after: float | None = None) -> None:
        super().__init__(problem.detail or problem.title)
        self.problem = problem
        self.retry_after = retry_after
        """Seconds after which the service may be asked again, where it said so."""


class UnreachableError(HandwritingError):
    """No answer came: nothing listens there, or the connection broke."""


class _Calls:
    """What both clients send, how they take the answers, and when they ask again."""

    def __init__(
        self,
        url: str = "http://127.0.0.1:8000",
        *,
        key: str | None = None,
        timeout: float = 30.0,
        patience: float = 60.0,
        transport: Any = None,
    ) -> None:
        """
        Args:
            url: of the service.
            key: an API key, where it wants one.
            timeout: seconds without an answer that count as none.
            patience: seconds for which a busy or unreachable service is asked again; 0: once.
            transport: of httpx, for tests and proxies.

        Raises:
            ValueError: the URL is not one of HTTP.
        """
        if not url.startswith(("http://", "https://")):
            raise ValueError(f"{url} must begin with http:// or https://")
        self._patience = patience
        self._options: dict[str, Any] = {
            "base_url": url,
            "timeout": timeout,
            "headers": {"Authorization": f"Bearer {key}"} if key else {},
            "transport": transport,
        }
        self._policy: dict[str, Any] = {
            "retry": retry_if_exception(_may_pass),
            "wait": _wait,
            "stop": self._out_of_patience,
            "reraise": True,
        }

    def _out_of_patience(self, state: RetryCallState) -> bool:
        """Also where the next wait would be too long: the error is told at once then."""
        spent = time.monotonic() - state.start_time
        return spent + _wait(state) > self._patience


class Client(_Calls):
    """Asks the service and waits for the answer. Safe to share by threads."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._http = httpx.Client(**self._options)

    def read(self, image: Image, **asked: Unpack[Asked]) -> Prediction:
        """Read one image of a word, a line or a page.

        Raises:
            RefusedError: the service cannot read it, or was busy for as long as it was asked.
            UnreachableError: no answer.
            OSError: there is no such file.
        """
        return Prediction.model_validate(self._send(_one(image, asked)))

    def read_url(self, url: str, **asked: Unpack[Asked]) -> Prediction:
        """Read an image on the web, where the service fetches from its host. Raises as `read`."""
        return Prediction.model_validate(self._send(_address(url, asked)))

    def read_many(self, images: Iterable[Image], **asked: Unpack[Asked]) -> Iterator[Item]:
        """Read images, some in each request, in their order. Raises as `read`.

        One that cannot be read has a problem in place of a reading, and the rest goes on. Those
        that the service was too busy for are asked for again, alone.
        """
        for first, some in _groups(images):
            group = _Group(first, some, asked)
            try:
                Retrying(**self._policy)(self._fill, group)
            except HandwritingError:
                if not group.items:
                    raise
            yield from group.items

    def model(self) -> dict[str, Any]:
        """What the service says of the version that it serves. Raises as `read`."""
        return self._send(_get("/model"))

    def close(self) -> None:
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _send(self, request: Mapping[str, Any]) -> dict[str, Any]:
        return Retrying(**self._policy)(self._ask, request)

    def _fill(self, group: "_Group") -> None:
        group.take(self._ask(group.request()))

    def _ask(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Once."""
        try:
            return _taken(self._http.request(**request))
        except httpx.HTTPError as error:
            raise _unreachable(self._http.base_url, error) from error


class AsyncClient(_Calls):
    """`Client` for an event loop."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._http = httpx.AsyncClient(**self._options)

    async def read(self, image: Image, **asked: Unpack[Asked]) -> Prediction:
        """See `Client.read`."""
        return Prediction.model_validate(await self._send(_one(image, asked)))

    async def read_url(self, url: str, **asked: Unpack[Asked]) -> Prediction:
        """See `Client.read_url`."""
        return Prediction.model_validate(await self._send(_address(url, asked)))

    async def read_many(
        self, images: Iterable[Image], **asked: Unpack[Asked]
    ) -> AsyncIterator[Item]:
        """See `Client.read_many`."""
        for first, some in _groups(images):
            group = _Group(first, some, asked)
            try:
                await AsyncRetrying(**self._policy)(self._fill, group)
            except HandwritingError:
                if not group.items:
                    raise
            for item in group.items:
                yield item

    async def model(self) -> dict[str, Any]:
        """See `Client.model`."""
        return await self._send(_get("/model"))

    async def close(self) -> None:
        await self._http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def _send(self, request: Mapping[str, Any]) -> dict[str, Any]:
        return await AsyncRetrying(**self._policy)(self._ask, request)

    async def _fill(self, group: "_Group") -> None:
        group.take(await self._ask(group.request()))

    async def _ask(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Once."""
        try:
            return _taken(await self._http.request(**request))
        except httpx.HTTPError as error:
            raise _unreachable(self._http.base_url, error) from error


def _one(image: Image, asked: Asked) -> dict[str, Any]:
    return _post("/predict", asked, files={"image": _file(image)})


def _many(images: Sequence[Image], asked: Asked) -> dict[str, Any]:
    return _post("/predict/batch", asked, files=[("images", _file(each)) for each in images])


def _address(url: str, asked: Asked) -> dict[str, Any]:
    return _post("/predict/json", asked, json={"url": url})


def _post(path: str, asked: Asked, **body: Any) -> dict[str, Any]:
    return {"method": "POST", "url": path, "params": dict(asked), **body}


def _get(path: str) -> dict[str, Any]:
    return {"method": "GET", "url": path}


def _file(image: Image) -> tuple[str, bytes]:
    """Its name and bytes; read at once, so that they can be sent again."""
    if isinstance(image, bytes):
        return "image", image
    return Path(image).name, Path(image).read_bytes()


def _groups(images: Iterable[Image]) -> Iterator[tuple[int, list[Image]]]:
    """Some at a time, and the number of the first."""
    some: list[Image] = []
    count = held = 0
    for image in images:
        size = len(image) if isinstance(image, bytes) else Path(image).stat().st_size
        if some and (len(some) == TOGETHER or held + size > MOST_BYTES):
            yield count, some
            count, some, held = count + len(some), [], 0
        some.append(image)
        held += size
    if some:
        yield count, some


class _Group:
    """Images that go in one request, and what came of them."""

    def __init__(self, first: int, images: Sequence[Image], asked: Asked) -> None:
        """`first`: the number of its first image among all."""
        self._first = first
        self._images = images
        self._asked = asked
        self._items: dict[int, Item] = {}
        self._missing = list(range(len(images)))

    @property
    def items(self) -> list[Item]:
        """In the order of the images; empty until an answer came."""
        return [self._items[index] for index in sorted(self._items)]

    def request(self) -> dict[str, Any]:
        """For those that have no reading yet, and may have one."""
        return _many([self._images[index] for index in self._missing], self._asked)

    def take(self, answer: Mapping[str, Any]) -> None:
        """Raises `RefusedError` where asking again may help."""
        asked, self._missing = self._missing, []
        busy = None
        for item in map(Item.model_validate, answer["results"]):
            index = asked[item.index]
            self._items[index] = item.model_copy(update={"index": self._first + index})
            if item.problem and item.problem.status in _BUSY:
                busy = item.problem
                self._missing.append(index)
        if busy:
            raise RefusedError(busy)


def _taken(response: httpx.Response) -> dict[str, Any]:
    """The JSON of an answer. Raises `RefusedError`."""
    try:
        body = response.json()
    except ValueError:
        body = None
    if response.is_success and isinstance(body, dict):
        return body
    reason = response.reason_phrase or f"HTTP {response.status_code}"
    plain = {"title": reason, "status": response.status_code, "detail": response.text[:200]}
    told = isinstance(body, dict) and {"title", "status"} <= set(body)
    raise RefusedError(Problem.model_validate(body if told else plain), _retry_after(response))


def _retry_after(response: httpx.Response) -> float | None:
    try:
        return max(0.0, float(response.headers["Retry-After"]))
    except (KeyError, ValueError):  # a date, which this service never sends
        return None


def _unreachable(url: httpx.URL, error: httpx.HTTPError) -> UnreachableError:
    return UnreachableError(f"No answer from {url}: {error or type(error).__name__}")


def _may_pass(error: BaseException) -> bool:
    """Whether asking again may help. To read an image twice does no harm."""
    if isinstance(error, RefusedError):
        return error.problem.status in _BUSY
    return isinstance(error, UnreachableError)


def _wait(state: RetryCallState) -> float:
    """As long as the service says, else half a second, doubled each time."""
    error = state.outcome.exception() if state.outcome else None
    if isinstance(error, RefusedError) and error.retry_after is not None:
        return error.retry_after
    return min(0.5 * 2.0 ** (state.attempt_number - 1), LONGEST_WAIT)
