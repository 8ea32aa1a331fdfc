"""What many would write: a FastAPI endpoint that calls the Keras network, one image at a time."""

import os
from pathlib import Path

import numpy as np
from fastapi import FastAPI, UploadFile

from recognizer import image as images
from recognizer.bundle import Bundle
from recognizer.prepare import Prepared, prepare
from recognizer.recognizer import Recognizer
from trainer.checkpoint import load_model
from trainer.network import plain, reader

bundle = Bundle.load(Path(os.environ["BENCH_BUNDLE"]))
recognizer = Recognizer(bundle, threads=1)  # for decoding alone
network = reader(plain(load_model(bundle.path / "model.keras")))
app = FastAPI()


def log_probs_of(ready: Prepared) -> np.ndarray:
    outputs: np.ndarray = network.predict_on_batch(ready.ink[np.newaxis, ..., np.newaxis])
    return np.asarray(outputs[0], np.float32)


for width in bundle.manifest.input.buckets:  # TensorFlow traces each shape once
    blank = np.zeros((bundle.manifest.input.height, width), np.float32)
    log_probs_of(Prepared(blank, scale=1.0, left=0))


@app.get("/health")
def health() -> str:
    return "ready"


@app.post("/predict")
def predict(image: UploadFile) -> dict[str, str | float]:
    gray = images.decode(image.file.read())
    ready = prepare(gray, bundle.manifest.input)
    reading = recognizer.interpret(
        log_probs_of(ready),
        ready,
        width=gray.shape[1],
        level="auto",
        decoder="greedy",
        alternatives=0,
    )
    return {"text": reading.text, "confidence": reading.confidence}
