import pytest

from minisc.core.budget import is_multiple, tokens_of
from minisc.core.errors import UserError


@pytest.mark.parametrize(
    ("told", "tokens"),
    [("500M", 500_000_000), ("2B", 2 * 10**9), ("1.5k", 1500), (4_000_000, 4_000_000), ("20x", 100_000_000), ("0.5X", 2_500_000)],
)
def test_amounts_that_people_type(told: str, tokens: int) -> None:
    assert tokens_of(told, 5_000_000) == tokens


@pytest.mark.parametrize("told", ["", "many", "-5M", "5MM", "0", "5Mx", "1e9", "9" * 40])
def test_what_is_no_amount_is_refused_in_three_parts(told: str) -> None:
    with pytest.raises(UserError) as caught:
        tokens_of(told, 10)
    assert caught.value.where == f"budget={told}"
    assert "budget=" in caught.value.do


def test_a_multiple_needs_a_model() -> None:
    assert is_multiple("20x")
    assert not is_multiple("500M")
    with pytest.raises(UserError, match="needs a model"):
        tokens_of("20x", None)
