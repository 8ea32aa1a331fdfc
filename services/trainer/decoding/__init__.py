"""How a version decodes and what its confidences mean: language model, lexicon, calibration."""
