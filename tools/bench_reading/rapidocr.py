"""PP-OCR's recogniser through rapidocr-onnxruntime, in an environment of its own.

Its requirements would clash with the project's, so it runs as another process of another
Python, `rapidocr_worker.py`, with a line of JSON for each image and each text.
"""

import base64
import json
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Any

from tools.bench_reading.problem import Unavailable
from tools.bench_reading.sets import TestSet

PACKAGE = "rapidocr-onnxruntime==1.4.4"
WORKER = Path(__file__).with_name("rapidocr_worker.py")
SETUP_TIMEOUT = 900.0


class RapidOcr:
    """Reads each image as one line: no detection, no turning."""

    name = "PP-OCRv4"
    what = f"the recogniser that {PACKAGE} brings: Chinese and English, few accents"

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._process: subprocess.Popen[str] | None = None
        self._errors: IO[str] | None = None

    def start(self) -> None:
        """Make the environment if it is not there, and open the model. Raises `Unavailable`."""
        python = self._folder / "bin" / "python"
        installed = self._folder / ".installed"
        if not installed.is_file() or installed.read_text("utf-8") != PACKAGE:
            self._run(sys.executable, "-m", "venv", "--clear", str(self._folder))
            self._run(str(python), "-m", "pip", "install", "--quiet", PACKAGE)
            installed.write_text(PACKAGE, "utf-8")
        self._errors = TemporaryFile("w+", encoding="utf-8")  # noqa: SIM115  # closed in stop()
        try:
            self._process = subprocess.Popen(
                [str(python), str(WORKER)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._errors,
                encoding="utf-8",
            )
        except OSError as error:
            raise Unavailable(f"{python} does not run: {error}") from error
        self._answer()

    def stop(self) -> None:
        if self._process is not None:
            for stream in (self._process.stdin, self._process.stdout):
                # a process that has ended takes nothing more
                with suppress(OSError):
                    if stream:
                        stream.close()
            self._process.wait()
            self._process = None
        if self._errors is not None:
            self._errors.close()
            self._errors = None

    def read(self, images: Sequence[bytes], test: TestSet) -> list[str]:
        texts = []
        for image in images:
            if self._process is None or self._process.stdin is None:
                raise Unavailable("it was not started")
            job = json.dumps({"image": base64.b64encode(image).decode("ascii")})
            try:
                self._process.stdin.write(job + "\n")
                self._process.stdin.flush()
            except OSError:
                raise Unavailable(self._last_words()) from None
            texts.append(str(self._answer()["text"]))
        return texts

    def _answer(self) -> dict[str, Any]:
        assert self._process is not None
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise Unavailable(self._last_words())
        answer: dict[str, Any] = json.loads(line)
        return answer

    def _last_words(self) -> str:
        assert self._process is not None
        assert self._errors is not None
        self._process.wait()
        self._errors.seek(0)
        said = self._errors.read().strip().splitlines() or ["it ended without a word"]
        return f"its process ended: {said[-1]}"

    def _run(self, *command: str) -> None:
        try:
            subprocess.run(
                command, check=True, capture_output=True, text=True, timeout=SETUP_TIMEOUT
            )
        except subprocess.CalledProcessError as error:
            said = (error.stderr or error.stdout).strip().splitlines() or [str(error)]
            raise Unavailable(f"{PACKAGE} could not be installed: {said[-1]}") from error
        except (OSError, subprocess.TimeoutExpired) as error:
            raise Unavailable(f"{PACKAGE} could not be installed: {error}") from error
