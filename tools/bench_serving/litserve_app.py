"""The same recognizer behind LitServe, with its batching on. Run by a Python of its own."""

import base64
import os
from pathlib import Path
from typing import Any

import litserve  # type: ignore[import-not-found]

from recognizer import image
from recognizer.bundle import Bundle
from recognizer.reading import Reading
from recognizer.recognizer import Recognizer

CORES = len(os.sched_getaffinity(0))
MOST_IMAGES = 16
WAIT_SECONDS = 0.005


class Api(litserve.LitAPI):  # type: ignore[misc]
    """Reads `{"image": base64}`; a batch goes through the recognizer by widths, as elsewhere."""

    def setup(self, device: str) -> None:
        self.recognizer = Recognizer(Bundle.load(Path(os.environ["BENCH_BUNDLE"])), threads=1)

    def decode_request(self, request: dict[str, str]) -> bytes:
        return base64.b64decode(request["image"])

    def batch(self, inputs: list[bytes]) -> list[bytes]:
        return inputs

    def predict(self, files: list[bytes]) -> list[Reading]:
        return self.recognizer.read([image.decode(file) for file in files])

    def unbatch(self, output: list[Reading]) -> list[Reading]:
        return output

    def encode_response(self, output: Reading) -> dict[str, Any]:
        return {"text": output.text, "confidence": output.confidence}


if __name__ == "__main__":
    server = litserve.LitServer(
        Api(max_batch_size=MOST_IMAGES, batch_timeout=WAIT_SECONDS),
        accelerator="cpu",
        workers_per_device=CORES,
    )
    server.run(
        host="127.0.0.1",
        port=int(os.environ["BENCH_PORT"]),
        generate_client_file=False,
        log_level="warning",
    )
