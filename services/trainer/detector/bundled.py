"""The detector that a bundle carries."""

import shutil
from pathlib import Path
from tempfile import TemporaryDirectory

from recognizer.bundle import Bundle, seal
from recognizer.detector import Network
from trainer.bootstrap import STARTER_BUNDLE

DETECTOR = "detector.onnx"


def detector_of(bundle: Bundle | None) -> Path | None:
    """The file of a bundle's detector, or else of the starter's; None where neither has one."""
    for each in (bundle, Bundle.load(STARTER_BUNDLE)):
        if each and each.manifest.detector:
            return each.path / each.manifest.detector
    return None


def with_detector(bundle: Bundle, detector: Path) -> Bundle:
    """Put a detector into a bundle, in the place of one that it may have.

    Raises:
        BundleError: the file is no detector; the bundle stays as it was.
    """
    Network(detector)
    with TemporaryDirectory(dir=bundle.path.parent, prefix=".bundle-") as folder:
        new = Path(folder) / "bundle"
        shutil.copytree(bundle.path, new)
        if bundle.manifest.detector:
            (new / bundle.manifest.detector).unlink()
        shutil.copy(detector, new / DETECTOR)
        seal(new, bundle.manifest.model_copy(update={"detector": DETECTOR}))
        old = Path(folder) / "old"
        bundle.path.rename(old)
        new.rename(bundle.path)
    return Bundle.load(bundle.path)
