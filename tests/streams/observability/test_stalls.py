"""What keeps an event loop from going on is named, by the function that it is in."""

import asyncio
import gc
import time

from prometheus_client import CollectorRegistry

from streams.observability.stalls import COLLECTING, STALLS, stalls_told

HELD = 0.3


def hold_up() -> None:
    """Keep the loop, in a library's function."""
    time.sleep(HELD)


def told() -> dict[str, float]:
    """Seconds by place."""
    registry = CollectorRegistry()
    registry.register(STALLS)
    return {
        sample.labels["place"]: sample.value
        for family in registry.collect()
        for sample in family.samples
        if sample.name.endswith("_total")
    }


async def test_a_function_that_keeps_the_loop_is_named_with_its_time() -> None:
    """Within the time that it takes to see it."""
    before = told().get(f"{__name__}.hold_up", 0.0)
    with stalls_told(asyncio.get_running_loop()):
        await asyncio.sleep(0.05)
        hold_up()
        await asyncio.sleep(0.05)

    assert HELD / 2 < told()[f"{__name__}.hold_up"] - before < 2 * HELD


async def test_a_garbage_collection_is_named_and_its_end_is_heard() -> None:
    """Not the function in which it happened to come."""
    many = [[number] for number in range(2_000_000)]
    with stalls_told(asyncio.get_running_loop()):
        await asyncio.sleep(0.05)
        gc.collect()
        await asyncio.sleep(0.05)
        callbacks = len(gc.callbacks)

    assert told()[COLLECTING] > 0
    assert len(gc.callbacks) == callbacks - 1
    del many  # there to be looked through
