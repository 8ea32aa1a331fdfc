"""The average of a network's weights over its last steps, which reads better than any of them."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

EVERY = 8
"""Steps between two looks at the weights: they move too little in fewer to pay for one."""


class Average:
    """Exponential moving average of all weights and moving means of one network.

    The idea is Polyak & Juditsky's (1992); that it serves as the network to validate and keep,
    Tarvainen & Valpola's (2017, arXiv:1703.01780, section 2).
    """

    def __init__(
        self, model: Any, decay: float, kept: Sequence[NDArray[np.float32]] | None = None
    ) -> None:
        """Begin at the weights of `model`, or go on from what `values` gave.

        Args:
            decay: share of the average that a step leaves in place; 0 averages nothing.
        """
        self._model = model
        self._decay = decay
        self._looks = 0 if kept is None else int(kept[0])
        # copies: a backend may lend the memory of its own variables
        begun = model.get_weights() if kept is None else kept[1:]
        self._mean = [np.array(each) for each in begun]

    @property
    def values(self) -> list[NDArray[np.float32]]:
        """What a checkpoint keeps."""
        return [np.array(self._looks), *self._mean]

    def follow(self, step: int) -> None:
        """Take in the weights after a step, counted from 1 over the whole training."""
        young = step < EVERY  # there may be no more: up to then it is the last weights
        if step % EVERY and not young:
            return
        # young averages forget their beginning sooner
        decay = 0.0 if young else min(self._decay**EVERY, self._looks / (self._looks + 10))
        self._looks += not young
        for mean, now in zip(self._mean, self._model.get_weights(), strict=True):
            mean += (1 - decay) * (now - mean)

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """The network with the averaged weights."""
        if not self._decay:
            yield
            return
        now = [np.array(each) for each in self._model.get_weights()]
        self._model.set_weights(self._mean)
        try:
            yield
        finally:
            self._model.set_weights(now)
