"""How do the messages of a bank really come?

As its core systems send them: one in a hundred late, one in a thousand twice, a few garbled first.
"""

import gc
import multiprocessing
import os
from collections.abc import Callable, Iterator
from itertools import chain
from multiprocessing.connection import Connection
from typing import NamedTuple
from zlib import crc32

from streams.ingest.cloudevents import write
from streams.sources.synth.bank import PART, Bank, Hidden, months_of, of_the_bank, parts_of
from streams.sources.synth.life import HOUR, Message

LATE_ONE_IN = 100
LATEST = 96
"""Hours by which a message is late, at most."""
TWICE_ONE_IN = 1_000
GARBLED_ONE_IN = 30_000
SMALL = 20_000
"""Customers times months up to which one process is quicker than several."""


Line = tuple[int, bytes]
"""When a line is sent, in seconds since 1970, and the line."""


class Made(NamedTuple):
    """What a share of the customers sends in a month, in order, and what is never told."""

    lines: list[Line]
    hidden: list[Hidden]


def sent(bank: Bank, tell: Callable[[Hidden], None] = lambda _hidden: None) -> Iterator[bytes]:
    """The lines of a bank as they are sent, one CloudEvent each: same bank, same bytes.

    `tell` hears what the bank never does.
    """
    shares, late = _shares(bank), list[Line]()
    for month in months_of(bank):
        of_all = [next(share) for share in shares]
        own = [(at, write(event)) for at, event in of_the_bank(bank.seed, month)]
        lines = sorted(chain(late, own, *(made.lines for made in of_all)))
        ends = max(at for at, _ in own)
        late = [(at, line) for at, line in lines if at > ends]
        yield from (line for at, line in lines if at <= ends)
        for hidden in sorted(chain.from_iterable(made.hidden for made in of_all)):
            tell(hidden)
    yield from (line for _, line in late)


def _shares(bank: Bank) -> list[Iterator[Made]]:
    """What is made month by month, by as many processes as there are cores."""
    count = min(os.cpu_count() or 1, -(-bank.customers // PART))
    if count == 1 or bank.customers * bank.months <= SMALL:
        return [_made(bank, 0, 1)]
    return [_received(_started(bank, first, count), bank) for first in range(count)]


def _made(bank: Bank, first: int, step: int) -> Iterator[Made]:
    parts = parts_of(bank, slice(first, None, step))
    for index, month in enumerate(months_of(bank)):
        lines, hidden = list[Line](), list[Hidden]()
        for part in parts:
            for message in part.month(month, index):
                _send(message, bank.seed, lines)
            hidden += part.hidden
        lines.sort()
        yield Made(lines, hidden)


def _send(message: Message, seed: int, lines: list[Line]) -> None:
    """How one event is sent: as a rule once, at once."""
    at, event = message
    line, lot = write(event), crc32(event.id.encode(), seed & 0xFFFFFFFF)
    if lot % GARBLED_ONE_IN == 2:
        lines.append((at, line[: len(line) * 2 // 3]))
        at += HOUR
    elif lot % LATE_ONE_IN == 0:
        at += HOUR * (1 + lot // LATE_ONE_IN % LATEST)
    lines.append((at, line))
    if lot % TWICE_ONE_IN == 1:
        lines.append((at + HOUR, line))


def _started(bank: Bank, first: int, step: int) -> Connection:
    """A process that makes a share, and is never more than a month ahead."""
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe(duplex=False)
    context.Process(target=_work, args=(bank, first, step, there), daemon=True).start()
    there.close()
    return here


def _received(here: Connection, bank: Bank) -> Iterator[Made]:
    for _ in months_of(bank):
        yield here.recv()


def _work(bank: Bank, first: int, step: int, there: Connection) -> None:
    gc.disable()  # what is made is free of cycles, and there is much of it
    for made in _made(bank, first, step):
        there.send(made)
