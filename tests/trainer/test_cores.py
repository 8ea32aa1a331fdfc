"""What a processor tells of itself."""

from pathlib import Path

import pytest

from trainer import fit
from trainer.cores import computes_bfloat16


@pytest.mark.parametrize(
    ("told", "has"),
    [
        ("flags\t\t: fpu avx2 avx512f avx512_bf16 amx_bf16 amx_tile\n", True),
        ("flags\t\t: fpu avx2 avx512f avx512_vnni\n", False),
        ("Features\t: fp asimd i8mm bf16\n", True),
        ("model name\t: bf16 of all\nflags\t: fpu\n", False),
    ],
)
def test_bfloat16_is_known_by_the_flags(tmp_path: Path, told: str, has: bool) -> None:
    (tmp_path / "cpuinfo").write_text(told)
    assert computes_bfloat16(tmp_path / "cpuinfo") is has


def test_a_processor_that_tells_nothing_is_trusted(tmp_path: Path) -> None:
    assert computes_bfloat16(tmp_path / "none")


@pytest.mark.parametrize(("devices", "has"), [(["cpu:0"], False), (["gpu:0", "gpu:1"], True)])
def test_a_gpu_is_told_from_the_processor(
    monkeypatch: pytest.MonkeyPatch, devices: list[str], has: bool
) -> None:
    monkeypatch.setattr(fit.keras.distribution, "list_devices", lambda: devices)
    assert fit._accelerated() is has


def test_a_backend_without_devices_is_trusted(monkeypatch: pytest.MonkeyPatch) -> None:
    def none() -> list[str]:
        raise AttributeError("'NoneType' object has no attribute 'list_devices'")

    monkeypatch.setattr(fit.keras.distribution, "list_devices", none)
    assert fit._accelerated()
