"""One of several workers: see `api.workers`."""

import signal
import socket
from collections.abc import Sequence
from multiprocessing.connection import Connection
from pathlib import Path

from prometheus_client import values

from api import memory
from api.board import Board
from api.main import create_app
from api.mapped import AllocatedDict
from api.server import server_of
from api.settings import Settings


def work(
    settings: Settings,
    folder: Path,
    number: int,
    listener: socket.socket,
    orders: Connection,
    not_its: Sequence[socket.socket | Connection],
) -> None:
    """Answer at a socket until ordered to stop.

    Args:
        folder: what the workers share, see `Board`.
        number: of this worker, from 0.
        orders: where signals come from; its end means that the process that sent them has gone.
        not_its: what belongs to others and was inherited, to be closed.
    """
    signals = (signal.SIGINT, signal.SIGTERM)
    for each in signals:
        signal.signal(each, signal.SIG_IGN)  # meant for the process that started this one
    signal.pthread_sigmask(signal.SIG_UNBLOCK, signals)
    for inherited in not_its:
        inherited.close()
    # numbers are kept by the worker's and not by the process's, and so go on in its successor
    values.MmapedDict = AllocatedDict  # type: ignore[attr-defined]
    values.ValueClass = values.MultiProcessValue(lambda: number)  # type: ignore[no-untyped-call]
    app = create_app(settings, board=Board(folder, number, settings.processes))
    memory.look_no_more()
    server_of(app, orders).run(sockets=[listener])
