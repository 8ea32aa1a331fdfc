"""Tesseract, called as people call it: one process an image."""

import os
import shutil
import subprocess
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from tools.bench_reading.problem import Unavailable
from tools.bench_reading.sets import TestSet

INSTALL = "Debian: apt-get install tesseract-ocr tesseract-ocr-eng tesseract-ocr-fra"
MODES = {"line": "7", "word": "8"}
TIMEOUT = 60.0  # seconds for an image; one that takes longer counts as read empty


class Tesseract:
    """The `tesseract` on the PATH, as many at a time as there are cores."""

    name = "Tesseract"

    def __init__(self) -> None:
        """Raises `Unavailable` where it is not installed."""
        program = shutil.which("tesseract")
        if program is None:
            raise Unavailable(f"tesseract is not installed ({INSTALL})")
        self._program = program
        try:
            version = self._said("--version").splitlines()[0]
            self._languages = set(self._said("--list-langs").splitlines()[1:])
        except (OSError, subprocess.SubprocessError, IndexError) as error:
            raise Unavailable(f"{program} does not run: {error}") from error
        self.what = f"{version}, `--psm 7` for lines and `--psm 8` for words, language by set"

    def read(self, images: Sequence[bytes], test: TestSet) -> list[str]:
        missing = set(test.language.split("+")) - self._languages
        if missing:
            raise Unavailable(f"no language data for {', '.join(sorted(missing))} ({INSTALL})")
        options = ["--psm", MODES[test.level], "-l", test.language]

        def one(image: bytes) -> str:
            return self._read(image, options)

        with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
            return list(pool.map(one, images))

    def _read(self, image: bytes, options: Sequence[str]) -> str:
        try:
            done = subprocess.run(
                [self._program, "stdin", "stdout", *options],
                input=image,
                capture_output=True,
                check=True,
                timeout=TIMEOUT,
                # its threads gain nothing on one line; the processes use the cores
                env={**os.environ, "OMP_THREAD_LIMIT": "1"},
            )
        except subprocess.SubprocessError:
            return ""
        return done.stdout.decode("utf-8", "replace")

    def _said(self, option: str) -> str:
        done = subprocess.run(
            [self._program, option], capture_output=True, check=True, timeout=TIMEOUT, text=True
        )
        return done.stdout or done.stderr
