"""The learning rate over a training."""

import math


def learning_rate(highest: float, warmup: float, done: float) -> float:
    """Linear warm-up, then half a cosine down to nearly nothing.

    Args:
        warmup: share of the training until it is at its highest.
        done: share of the training that is done; beyond 1 is as 1.
    """
    if done < warmup:
        return highest * max(done / warmup, 0.01)
    fall = (min(done, 1.0) - warmup) / (1 - warmup)
    return highest * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * fall)))
