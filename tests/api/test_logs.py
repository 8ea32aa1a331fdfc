"""Lines of the log."""

import pytest
import structlog

from api import logs


def test_a_terminal_is_told_nothing_by_a_path(capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    before = structlog.get_config()
    try:
        logs.configure("INFO", "console")
        structlog.get_logger("test").info("request", path="/\x1b[2J\x07", text="b\u00e9e")
    finally:
        structlog.configure(**before)
    written = capsysbinary.readouterr().err
    assert b"\x1b[2J" not in written
    assert b"/\\x1b[2J\\x07" in written
    assert "b\u00e9e".encode() in written
