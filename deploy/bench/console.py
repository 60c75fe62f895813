"""How fast are the console's pages, and whom do they keep waiting?

A hundred thousand customers in Redis, events flowing in; people open pages while channels ask for
offers.
"""

import asyncio
import random
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import cycle
from multiprocessing import get_context
from multiprocessing.synchronize import Event
from statistics import median

import httpx

from deploy.bench.lookups import ask, bank, flowing, load
from deploy.bench.parts import Figure, free_port
from deploy.bench.path import at
from deploy.console.links import make_link
from deploy.operations.feed import feed_all
from deploy.operations.summary import wait_until_settled
from deploy.settings import Settings
from domain.access.roles import Caller
from streams.ingest.cloudevents import write
from streams.sources.synth import Bank, synth

KNOWN = 100_000
WITH_HISTORY = Bank(customers=300, months=6, seed=9)
"""Customers whose events are in the journal too, so that pages can be made from it."""
OPENED = 300
"""How often each page is opened."""
PAGES_A_SECOND = 5
OFFERS, OFFERS_A_SECOND, IN_TURN = 3_000, 300, 3
BEGINS = 4.0
"""Seconds until that process opens its first page."""
READ_MODELS = ("", "/tier", "/ledger", "/foresight")
JOURNAL = ("/history", "/explain", "/as-of", "/timeline")
BYTES_A_KB = 1024


def console(known: int = KNOWN) -> list[Figure]:
    """The 95th percentile of each page in milliseconds, its size, and the lookups' p99 with and
    without people who open pages.
    """
    with bank(console_port=free_port(), rate_of_people="100000/minute") as settings:
        asyncio.run(load(settings, known))
        feed_all(settings, [*map(write, synth(WITH_HISTORY))], lambda _count: None)
        asyncio.run(wait_until_settled(settings, patience=600))
        return asyncio.run(_measured(settings, known))


async def _measured(settings: Settings, known: int) -> list[Figure]:
    chance = random.Random(7)  # noqa: S311 - a draw with a seed
    some = [f"{100_000 + number}" for number in range(WITH_HISTORY.customers)]
    async with flowing(settings, known):
        figures = [
            *await _opened(settings, Caller("li", ("supervisor",)), READ_MODELS, some),
            *await _opened(settings, Caller("wang", ("auditor",)), JOURNAL, some),
        ]

        def offers() -> str:
            return f"/v1/customers/{chance.randrange(known)}/next-best-offer"

        quiet, busy = list[float](), list[float]()
        for _ in range(IN_TURN):
            quiet.append(at((await ask(settings, offers, OFFERS, OFFERS_A_SECOND)).waits, 0.99))
            with _opening(settings, some):
                busy.append(at((await ask(settings, offers, OFFERS, OFFERS_A_SECOND)).waits, 0.99))
    beside = {"without people at the console": median(quiet)}
    return [*figures, Figure("offer_p99_ms beside pages", median(busy), "ms", beside)]


async def _opened(
    settings: Settings, caller: Caller, pages: tuple[str, ...], some: list[str]
) -> list[Figure]:
    found, customers = list[Figure](), cycle(some)
    async with _sitting(settings, caller) as client:
        for page in pages:
            waits, largest = list[float](), 0
            for _ in range(OPENED):
                begun = time.perf_counter()
                answer = await client.get(f"/customers/{next(customers)}{page}")
                answer.raise_for_status()
                waits.append((time.perf_counter() - begun) * 1000)
                largest = max(largest, len(answer.content))
            name = page.removeprefix("/") or "overview"
            found += [
                Figure(f"page_p95_ms {name}", at(sorted(waits), 0.95), "ms"),
                Figure(f"page_kB {name}", largest / BYTES_A_KB, "kB"),
            ]
    return found


@contextmanager
def _opening(settings: Settings, some: list[str]) -> Iterator[None]:
    """Somebody opens pages meanwhile, in a process of their own: what is measured is the bank."""
    context = get_context("spawn")
    stop = context.Event()
    people = context.Process(target=_people, args=(settings, some, stop), daemon=True)
    people.start()
    time.sleep(BEGINS)
    try:
        yield
    finally:
        stop.set()
        people.join()


def _people(settings: Settings, some: list[str], stop: Event) -> None:
    asyncio.run(_keep_opening(settings, some, stop))


async def _keep_opening(settings: Settings, some: list[str], stop: Event) -> None:
    pages: Iterator[str] = cycle(READ_MODELS)
    async with _sitting(settings, Caller("li", ("supervisor",))) as client:
        for customer in cycle(some):
            if stop.is_set():
                return
            await client.get(f"/customers/{customer}{next(pages)}")
            await asyncio.sleep(1 / PAGES_A_SECOND)


def _sitting(settings: Settings, caller: Caller) -> httpx.AsyncClient:
    """A browser in which somebody has logged in."""
    address, own = settings.console_address, {"sec-fetch-site": "same-origin"}
    link = make_link(settings.console_links, address, caller)
    with httpx.Client(base_url=address, headers=own, trust_env=False) as first:
        [code] = re.findall(r'name="code" value="([\w-]+)"', first.get(link).text)
        first.post("/login", data={"code": code})
        cookies = dict(first.cookies)
    return httpx.AsyncClient(
        base_url=address, headers=own, cookies=cookies, timeout=30, trust_env=False
    )
