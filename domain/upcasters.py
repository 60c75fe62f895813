"""How does an event of an old shape read today?

Ordered pure functions, applied when stored bytes are decoded.

An upcaster takes the stored data of `name.vN` as a dict and gives that of `name.vN+1`. Every shape
ever written has a golden payload beside the tests.
"""

from collections.abc import Callable, Mapping
from typing import Any

Shape = dict[str, Any]
Upcaster = Callable[[Shape], Shape]

UPCASTERS: dict[str, Upcaster] = {}
"""From `name.vN` to the function that makes it `name.vN+1`."""


def upcast(
    event_type: str, shape: Shape, upcasters: Mapping[str, Upcaster] = UPCASTERS
) -> tuple[str, Shape]:
    """Bring stored data to the newest version of its type.

    >>> renamed = {"salon-held.v1": lambda old: {"event": old["salon"]}}
    >>> upcast("salon-held.v1", {"salon": "tea"}, renamed)
    ('salon-held.v2', {'event': 'tea'})
    """
    while event_type in upcasters:
        shape = upcasters[event_type](shape)
        name, version = event_type.rsplit(".v", 1)
        event_type = f"{name}.v{int(version) + 1}"
    return event_type, shape
