"""The flags ``--seeds`` and ``--vary``."""

from __future__ import annotations

import pytest

from spinn.studies.flags import parse_seeds, parse_vary
from spinn.support.errors import SpinnError


def test_values_have_the_types_of_their_options():
    assert parse_vary("trees=balanced, left") == ("trees", ["balanced", "left"])
    assert parse_vary("--hidden-size=100,300") == ("hidden_size", [100, 300])
    assert parse_vary("learning_rate=1e-3,2") == ("learning_rate", [0.001, 2.0])
    assert parse_vary("tracker=true,off") == ("tracker", [True, False])
    assert parse_seeds("3, 1") == (3, 1)


@pytest.mark.parametrize(
    ("flag", "cause"),
    [
        ("trees", "names no values"),
        ("hidden_size=", "names no values"),
        ("trees=left,right,", "has an empty value"),
        ("hidden_size=1.5", "'1.5' is not an integer"),
        ("tracker=perhaps", "true or false"),
        ("hiden_size=3", "Did you mean hidden_size"),
        ("seed=1,2", "--seeds 1,2,3"),
        ("train=a,b", "[[row]]"),
    ],
)
def test_invalid_values_are_rejected(flag, cause):
    with pytest.raises(SpinnError, match="--vary") as caught:
        parse_vary(flag)
    assert cause in str(caught.value)


@pytest.mark.parametrize("text", ["", "1,1", "a", "-1", "1.5", "1,,2"])
def test_invalid_seeds_are_rejected(text):
    with pytest.raises(SpinnError, match="Write --seeds 1,2,3"):
        parse_seeds(text)
