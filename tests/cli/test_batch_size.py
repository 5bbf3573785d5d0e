"""``-b``: a number of images that a step can have."""

import pytest

from otadet.cli import train
from otadet.errors import InputError


@pytest.mark.parametrize("size", ["0", "-3", "99999999999999999999"])
def test_sizes_that_no_step_has(size: str) -> None:
    with pytest.raises(InputError, match=rf"-b {size}: expected 1 to 1,000,000 images per step"):
        train.main(["-n", "quickstart", "-d", "cpu", "-b", size])
