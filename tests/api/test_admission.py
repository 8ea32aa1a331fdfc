"""How many images are let in, and what the rest is told."""

from contextlib import ExitStack

import pytest

from api import admission
from api.admission import Admission
from api.errors import DrainingError, OverloadedError
from api.metrics import Metrics


class Clock:
    """Stands in for the module's own, so that rates are exact."""

    now = 0.0

    def perf_counter(self) -> float:
        return self.now

    monotonic = perf_counter


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(admission, "time", clock)
    return clock


def made(most: int = 60, seconds: float = 1.0, least: int = 4) -> Admission:
    return Admission(most, seconds, least, Metrics())


def full(gate: Admission, images: int, clock: Clock, rate: float, times: int = 200) -> ExitStack:
    """Keep so many images inside while others leave at a rate; what is still inside then."""
    stack = ExitStack()
    for _ in range(images - 1):
        stack.enter_context(gate.enter())
    for _ in range(times):
        with gate.enter():
            clock.now += 1 / rate
    return stack


def test_as_many_enter_as_may(clock: Clock) -> None:
    gate = made(most=3)
    with gate.enter(), gate.enter():
        gate.check()
        with gate.enter(), pytest.raises(OverloadedError) as raised:
            gate.check()
    assert raised.value.retry_after == 1
    gate.check()


def test_fewer_enter_while_a_version_is_opened(clock: Clock) -> None:
    """The machine reads more slowly then, which the rate would tell when it is over."""
    gate = made(most=100, seconds=1.0)
    with full(gate, 20, clock, rate=40):
        usual = gate.limit
        assert usual == pytest.approx(40, abs=1)
        with gate.slowed():
            assert gate.limit == usual // 2
            with pytest.raises(OverloadedError), gate.enter():
                gate.check()
        assert gate.limit == usual


def test_an_image_leaves_even_when_it_fails(clock: Clock) -> None:
    gate = made(most=1)
    with pytest.raises(ValueError, match="broken"), gate.enter():
        raise ValueError("broken")
    assert gate.inside == 0


def test_the_rate_is_measured_under_full_load(clock: Clock) -> None:
    gate = made()
    with full(gate, 30, clock, rate=25):
        assert gate.rate == pytest.approx(25, rel=0.05)
        assert gate.limit == pytest.approx(25, abs=1)


def test_single_images_say_nothing_of_the_rate(clock: Clock) -> None:
    gate = made()
    full(gate, 1, clock, rate=2)
    assert gate.rate is None
    assert gate.limit == 60


def test_a_slow_machine_takes_few_but_some(clock: Clock) -> None:
    gate = made(least=4)
    with full(gate, 30, clock, rate=0.5, times=30):
        assert gate.limit == 4


def test_a_fast_machine_takes_no_more_than_the_most(clock: Clock) -> None:
    gate = made(most=60)
    with full(gate, 30, clock, rate=1000, times=5000):
        assert gate.limit == 60


def test_the_rate_follows_the_load(clock: Clock) -> None:
    gate = made()
    full(gate, 30, clock, rate=50, times=1000).close()
    with full(gate, 30, clock, rate=10, times=200):
        assert gate.rate == pytest.approx(10, rel=0.2)


def test_those_that_go_away_do_not_make_it_faster(clock: Clock) -> None:
    gate = made()
    with full(gate, 30, clock, rate=10):
        for _ in range(1000):
            with pytest.raises(ValueError, match="gone"), gate.enter():
                raise ValueError("gone")
        assert gate.rate == pytest.approx(10, rel=0.2)


def test_retry_after_is_the_time_until_the_queue_is_empty(clock: Clock) -> None:
    gate = made(most=30, seconds=100)
    with full(gate, 30, clock, rate=5, times=100), gate.enter():
        with pytest.raises(OverloadedError) as raised:
            gate.check()
        assert raised.value.retry_after == pytest.approx(31 / 5, abs=1)
        assert f"in {raised.value.retry_after} s" in str(raised.value)


def test_nothing_new_enters_while_the_service_stops(clock: Clock) -> None:
    gate = made()
    gate.draining = True
    with pytest.raises(DrainingError):
        gate.check()
    gate.check_room()  # what was let in before is finished
