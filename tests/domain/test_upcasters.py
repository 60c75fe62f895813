"""Old shapes read as new ones, step by step."""

from domain.upcasters import upcast


def test_upcasters_run_in_order_up_to_the_newest() -> None:
    """Each step goes from one version to the next."""
    steps = {"a.v1": lambda old: {"two": old["one"]}, "a.v2": lambda old: {"three": old["two"] + 1}}

    assert upcast("a.v1", {"one": 1}, steps) == ("a.v3", {"three": 2})


def test_a_newest_shape_is_left_alone() -> None:
    """Nothing happens to what is up to date."""
    assert upcast("a.v3", {"three": 2}, {"a.v1": dict}) == ("a.v3", {"three": 2})
