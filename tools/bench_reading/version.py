"""A version of this project as a reader: a bundle, with one of its decoders."""

import time

from recognizer.errors import ReadingError
from recognizer.manifest import NETWORK
from recognizer.recognizer import Decoder, Level, Recognizer
from tools.bench_reading.problem import Unavailable
from tools.bench_reading.record import Record
from tools.bench_reading.sets import TestSet
from trainer.evaluation import evaluate


class VersionReader:
    """Reads as the API would, image by image on all cores."""

    def __init__(self, name: str, recognizer: Recognizer, decoder: Decoder) -> None:
        self.name = name
        self.decoder = decoder
        self._recognizer = recognizer

    @property
    def what(self) -> str:
        """The digest of the network, which tells two versions of one name apart, and its aids."""
        manifest = self._recognizer.manifest
        aids = {"language model": manifest.language, "lexicon": manifest.lexicon}
        parts = [f"network {manifest.files[NETWORK][:19]}"]
        return ", ".join(parts + [name for name, aid in aids.items() if aid])

    def read(self, test: TestSet) -> Record:
        """Raises `Unavailable` where the bundle has no such decoder or level."""
        level: Level = "word" if test.level == "word" else "auto"
        started = time.perf_counter()
        try:
            found = evaluate(self._recognizer, test.samples, decoder=self.decoder, level=level)
        except ReadingError as error:
            raise Unavailable(str(error)) from error
        seconds = time.perf_counter() - started
        read = [(each.sample, each.text) for each in found.judged]
        return Record.of(self.name, self.decoder, test, read, seconds)
