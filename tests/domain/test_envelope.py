"""What follows from an event has one content, however the state that it follows from came about."""

from hypothesis import given
from hypothesis import strategies as st

from domain.envelope import following
from domain.offers.events import ExampleLabelled
from streams.journal.codec import canonical
from tests.conftest import recorded


@given(st.permutations(["assets-bits", "tenure-months", "company=0", "age"]))
def test_the_order_in_which_a_state_was_made_changes_nothing(names: list[str]) -> None:
    """Trap: read again from where it is kept, a state has its dicts in order.

    The second telling would be another content under the same id.
    """
    told = following(recorded(example(names)), "kind", "model:offer", example(names))
    assert canonical(told) == canonical(
        following(recorded(example(names)), "kind", "model:offer", example(sorted(names)))
    )


def example(names: list[str]) -> ExampleLabelled:
    """An example whose features were found in this order."""
    return ExampleLabelled(
        offer="offer",
        decision="1",
        customer="customer:1",
        features=dict.fromkeys(names, 1),
        accepted=True,
    )
