"""Reads PNG images, one JSON line each, with the recogniser of rapidocr-onnxruntime.

Run by the Python of its own environment; `rapidocr.py` speaks with it. First it writes `{}`
to say that it is ready, then for each `{"image": base64}` a `{"text": ...}`.
"""

import base64
import importlib
import json
import sys

import cv2
import numpy as np


def main() -> None:
    answers, sys.stdout = sys.stdout, sys.stderr  # whatever the library prints is no answer
    engine = importlib.import_module("rapidocr_onnxruntime").RapidOCR()
    print("{}", file=answers, flush=True)
    for line in sys.stdin:
        data = np.frombuffer(base64.b64decode(json.loads(line)["image"]), np.uint8)
        image = cv2.imdecode(data, cv2.IMREAD_COLOR)
        found, _ = engine(image, use_det=False, use_cls=False, use_rec=True)
        text = " ".join(part for part, *_ in found or [])
        print(json.dumps({"text": text}), file=answers, flush=True)


if __name__ == "__main__":
    main()
