"""Between a network and what it has become by training on: what is new, and nothing forgotten.

M. Wortsman and others, "Robust fine-tuning of zero-shot models", CVPR 2022, section 3: weights in
between the two keep most of what either knows, and cost nothing to read with.
"""

import logging
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

log = logging.getLogger(__name__)

SHARES = (1.0, 0.8, 0.6, 0.4, 0.2)
"""Of the new weights; the largest that forgets nothing is taken."""


def blend(
    network: Any, before: Sequence[NDArray[np.float32]], forgets: Callable[[], bool]
) -> float | None:
    """Bring a network back towards earlier weights, as far as it takes to forget nothing.

    Args:
        network: gets the weights that were chosen; its own where no blend would do.
        before: weights of the same network before it was trained on.
        forgets: whether it reads too badly, with its weights as they are then, what it knew.

    Returns:
        The share of its own weights in those it has now; None where no blend would do.
    """
    after = [np.array(each) for each in network.get_weights()]
    for share in SHARES:
        network.set_weights(
            [old + share * (new - old) for old, new in zip(before, after, strict=True)]
        )
        if not forgets():
            log.info("%.0f %% of what was learnt is kept", 100 * share)
            return share
    network.set_weights(after)
    log.info("no blend forgets little enough: the network stays as it was trained")
    return None
