"""What does it look like when it runs?

The whole stack on a synthetic bank, with a summary to read.
"""

import asyncio
import signal
import threading
import time
from contextlib import suppress
from typing import Any

from rich.console import Console
from rich.table import Table

from deploy.console.links import make_link
from deploy.embedded.supervisor import running, starting
from deploy.operations.feed import feed_all
from deploy.operations.orders import carry_out, people
from deploy.operations.summary import some_customers, summary, wait_until_ready, wait_until_settled
from deploy.settings import Settings
from deploy.terminal import errors, progress, show
from domain.access.roles import Caller
from replay.erasure.commands import Order, restrict
from streams.sources.synth import Bank
from streams.sources.synth.people import FIRST_NUMBER
from streams.sources.synth.sent import sent

SHOWN = ("100000", "100001", "100100")
"""Two of the rich, a couple of whom one has bought a flat, and one of the others."""

RESTRICTED = "a complaint about what is held is being looked into"
"""Why the last of the bank is for auditors only."""

ASKED = (
    ("channel", f"/v1/customers/{SHOWN[0]}/next-best-offer"),
    ("manager", f"/v1/customers/{SHOWN[0]}"),
    ("supervisor", f"/v1/customers/{SHOWN[2]}/explain"),
    ("operator", "/openapi.json"),
)
"""What may be asked next, and as what."""


def run_demo(settings: Settings, bank: Bank, *, leave: bool, as_json: bool) -> None:
    """Start the stack, feed it a bank, show what came of it; then stay up until a
    signal, or leave.
    """
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    errors.print(starting(settings))
    with suppress(KeyboardInterrupt), running(settings) as stack:
        stop = threading.Event()
        watcher = threading.Thread(target=stack.watch, args=(stop,), daemon=True)
        watcher.start()
        try:
            _show_bank(settings, bank, as_json=as_json)
            if not leave:
                errors.print("Ctrl-C stops it.")
                stop.wait()
        finally:
            stop.set()
            watcher.join()


def _show_bank(settings: Settings, bank: Bank, *, as_json: bool) -> None:
    logs = settings.data_dir / "logs"
    errors.print(f"Waiting until they can answer: a minute on a slow machine. Logs: {logs}")
    asyncio.run(wait_until_ready(settings))
    errors.print("Feeding the synthetic bank.")
    started = time.monotonic()
    with progress("safe in the journal") as advance:
        fed = feed_all(settings, sent(bank), advance)
    errors.print("Waiting until all of it is folded.")
    asyncio.run(wait_until_settled(settings))
    report = asyncio.run(_report(settings, fed["sent"], time.monotonic() - started))
    last = str(FIRST_NUMBER + bank.customers - 1)
    numbers = people(settings, [last])
    if not {f"customer:{number}" for number in SHOWN} & {*numbers}:
        errors.print(f"Restricting customer {last}, so that there is somebody for auditors only.")
        done = carry_out(settings, restrict, Order(numbers, "demo", RESTRICTED))
        for each in done.certificate.not_done():
            errors.print(f"Not done: {each}")
    if as_json:
        show(report, as_json)
    else:
        _print(report, settings)


async def _report(settings: Settings, sent: int, seconds: float) -> dict[str, Any]:
    found = await summary(settings)
    shown = await some_customers(settings, SHOWN)
    return {
        **found,
        "sent": sent,
        "seconds": round(seconds, 2),
        "events_per_second": round(sent / seconds),
        "examples": shown,
    }


def _print(report: dict[str, Any], settings: Settings) -> None:
    console = Console()
    tiers = Table("tier", "customers", title=f"{report['customers']} customers")
    for tier, count in report["tiers"].items():
        tiers.add_row(tier, str(count))
    people = Table(
        "customer", "tier", "since", "missed months", "what was measured", title="Three of them"
    )
    for who in report["examples"]:
        people.add_row(
            who["customer"],
            who["tier"],
            who["since"],
            str(who["watch"]),
            ", ".join(f"{name} {value:,}" for name, value in who["seen"].items()),
        )
    console.print(tiers, people)
    outcomes = ", ".join(
        f"{report[name]} {name}" for name in ("recorded", "already", "quarantined", "refused")
    )
    console.print(f"{report['arrived']} arrived = {outcomes}")
    console.print(
        f"{report['sent']} events sent, recorded and folded in {report['seconds']} s: "
        f"{report['events_per_second']} a second; lag {report['lag']}"
    )
    console.print(
        "Ask, by the tokens that were made for you, a role a file, good for twelve hours:"
    )
    for role, question in ASKED:
        console.print(
            f"  curl -K {settings.data_dir / 'tokens' / role} {settings.address}{question}",
            soft_wrap=True,
            highlight=False,
        )
    if settings.has_console:
        link = make_link(
            settings.console_links, settings.console_address, Caller("li", ("supervisor",))
        )
        console.print(
            "Or look, in a browser; the link opens once, within ten minutes. "
            "`tierfold console-link` makes others:"
        )
        console.print(f"  {link}", soft_wrap=True, highlight=False)
