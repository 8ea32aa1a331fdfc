"""What signals do to a server that has accepted requests."""

import asyncio
import signal

import pytest
import uvicorn
from fastapi import FastAPI

from api.admission import Admission
from api.metrics import Metrics
from api.server import Server


@pytest.fixture
async def server() -> Server:
    server = Server(uvicorn.Config(FastAPI()), Admission(60, 1.0, 4, Metrics()), seconds=5)
    server._loop = asyncio.get_running_loop()
    return server


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_it_ends_when_what_was_accepted_is_answered(server: Server, number: int) -> None:
    with server._admission.request():
        server.handle_exit(number, None)
        await asyncio.sleep(0.05)
        assert not server.should_exit
    assert server._drain
    await server._drain
    assert (server.should_exit, server.force_exit) == (True, False)


async def test_of_two_signals_each_counts_once(server: Server) -> None:
    with server._admission.request():
        server.handle_exit(signal.SIGINT, None)
        await asyncio.sleep(0.05)
        server.handle_exit(signal.SIGINT, None)
        assert server.should_exit
    assert server._drain
    await server._drain
    assert not server.force_exit  # what the application has to close is closed


async def test_who_asks_once_more_waits_for_nothing(server: Server) -> None:
    server.handle_exit(signal.SIGINT, None)
    await asyncio.sleep(0.05)
    server.handle_exit(signal.SIGINT, None)
    assert server.force_exit
