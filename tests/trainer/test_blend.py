"""A network goes back towards what it was, as far as it takes to forget nothing."""

import numpy as np
import pytest
from numpy.typing import NDArray

from trainer.blend import SHARES, blend
from trainer.gate import forgets

Weights = list[NDArray[np.float32]]


class Network:
    """All that is blended of one."""

    def __init__(self, *weights: float) -> None:
        self.set_weights([np.full(3, each, np.float32) for each in weights])

    def get_weights(self) -> Weights:
        return self._weights

    def set_weights(self, weights: Weights) -> None:
        self._weights = weights


BEFORE = [np.zeros(3, np.float32), np.full(3, 10, np.float32)]


@pytest.mark.parametrize("most", [1.0, 0.7, 0.4, 0.2])
def test_as_much_is_kept_of_what_is_new_as_forgets_nothing(most: float) -> None:
    network = Network(1, 20)
    share = blend(network, BEFORE, lambda: float(network.get_weights()[0][0]) > most + 1e-6)
    assert share == max(each for each in SHARES if each <= most)
    first, second = network.get_weights()
    assert first == pytest.approx(share)
    assert second == pytest.approx(10 + 10 * share)


def test_where_no_blend_will_do_nothing_is_changed() -> None:
    network = Network(1, 20)
    assert blend(network, BEFORE, lambda: True) is None
    assert [each[0] for each in network.get_weights()] == [1, 20]


def test_forgetting_is_told_by_the_mean() -> None:
    current = {"synthetic": 0.10, "lines/a": 0.10, "lines/b": 0.20}
    assert not forgets(current, current, part=0)
    # what one set loses another may win
    assert not forgets({**current, "lines/a": 0.12, "lines/b": 0.179}, current, part=0)
    assert forgets({**current, "lines/a": 0.1001}, current, part=0)
    assert forgets({**current, "lines/a": 0.12}, current, part=1)
    assert not forgets({**current, "lines/a": 0.105}, current, part=1)
    assert forgets({**current, "lines/a": 0.105}, current, part=0.5)
    assert forgets({"lines/b": 0.21}, current, part=1)
    assert not forgets({}, current, part=0)


def test_what_nobody_can_measure_is_not_forgotten() -> None:
    """Two per cent of a CER of two per cent are four characters in ten thousand."""
    assert not forgets({"synthetic": 0.0209}, {"synthetic": 0.02}, part=1)
    assert forgets({"synthetic": 0.0211}, {"synthetic": 0.02}, part=1)
    assert forgets({"synthetic": 0.0201}, {"synthetic": 0.02}, part=0)
