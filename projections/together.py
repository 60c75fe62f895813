"""How do many who ask at the same moment come by one round trip?"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

W = TypeVar("W")
G = TypeVar("G")


class Together(Generic[W, G]):
    """Does at once what is asked for at the same moment: one round trip for all of it."""

    def __init__(self, do: Callable[[Sequence[W]], Awaitable[Sequence[G]]]) -> None:
        self._do = do
        self._wanted: list[tuple[W, asyncio.Future[G]]] = []
        self._doing: set[asyncio.Task[None]] = set()

    async def __call__(self, wanted: W) -> G:
        """What comes of one of these; raises what went wrong with all of them."""
        loop = asyncio.get_running_loop()
        given: asyncio.Future[G] = loop.create_future()
        if not self._wanted:
            loop.call_soon(self._begin)
        self._wanted.append((wanted, given))
        return await given

    def _begin(self) -> None:
        wanted, self._wanted = self._wanted, []
        task = asyncio.get_running_loop().create_task(self._give(wanted))
        self._doing.add(task)
        task.add_done_callback(self._doing.discard)

    async def _give(self, wanted: Sequence[tuple[W, asyncio.Future[G]]]) -> None:
        try:
            given = await self._do([each for each, _ in wanted])
        except Exception as error:  # noqa: BLE001 - whoever asked gets to know
            for _, waiting in wanted:
                if not waiting.done():
                    waiting.set_exception(error)
            return
        for (_, waiting), each in zip(wanted, given, strict=True):
            if not waiting.done():
                waiting.set_result(each)
