"""Names of figures."""

import pytest
from mlflow.utils.validation import _validate_metric_name

from trainer.tracking import _key


@pytest.mark.parametrize(
    "name",
    ["lines/letters (1890)", "lines/Smith & Sons, 2", "lines/a'b@c+d", "page/d\u00e9j\u00e0 vu"],
)
def test_any_name_of_a_folder_makes_a_figure_that_mlflow_takes(name: str) -> None:
    _validate_metric_name(f"test.{_key(name)}_cer")


def test_plain_names_stay_and_others_are_kept_apart() -> None:
    assert _key("lines/hooker") == "lines-hooker"
    assert len({_key("lines/a(b)"), _key("lines/a[b]"), _key("lines/a-b-")}) == 3
