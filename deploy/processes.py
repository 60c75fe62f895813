"""How are the parts put together?

One function per process, each importing only what that process needs.
"""

import gc
import os
import signal
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import structlog

from deploy.settings import Settings
from deploy.wiring import broker_of, journal_of, notary_of, producer_of, store_of

if TYPE_CHECKING:
    from fastapi import FastAPI
    from starlette.types import ASGIApp

    from streams.web.dependencies import WebDependencies

log = structlog.get_logger()

HAND_OVER = 0.0005
"""Seconds after which the thread that sends decisions lets those who answer go on.

Python's own are ten times as many.
"""
LONG = 3_600.0
"""Seconds in which whoever looks through whole shards gets on.

A step of theirs is as long as a shard.
"""
EMBEDDED_SESSION = 3.0
PREPARED_AFTER = 10.0
"""Seconds after which agents load river, which takes two of a core.

Whoever waits for them to fold goes first.
"""
LOG_BROKEN = 3
"""The exit code of an intake whose broker has lost messages that are journalled."""
GUARD_NICE = 19
"""Whatever else there is to do goes first."""
NOTARY_NICE = 5
"""Folds and answers go first: a checkpoint has a minute."""


def run(process: str, settings: Settings) -> None:
    """Be one of the processes, with logs and traces of its own, until a signal."""
    from deploy.observability.logs import set_up_logs
    from deploy.observability.spans import set_up_traces

    set_up_logs(settings.log_level, process)
    if process in TRACED:
        set_up_traces(process)
    PROCESSES[process](settings)


def tell(settings: Settings, process: str, within: float = 60.0) -> None:
    """Let this process answer how it is, where settings say so.

    It is alive while it gets on within so many seconds.
    """
    if settings.metrics_port is not None:
        from streams.observability.metrics import serve

        serve(process, within, settings.metrics_host, settings.metrics_port)


def run_intake(settings: Settings) -> None:
    """Take messages into the journal until a signal."""
    from deploy.active_groups import screens_of
    from deploy.keys import vouching_of
    from streams.broker.kafka import GROUP
    from streams.ingest.intake import Intake, LogBroken

    collect_seldom()
    tell(settings, "intake")
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    group = (
        GROUP if settings.broker_keeps else None
    )  # trap: the embedded broker's groups may hang after many joins
    journal = journal_of(settings)
    screens = screens_of(settings, journal)
    screens()  # a policy that cannot be read is said before anything is taken
    intake = Intake(
        broker_of(settings),
        journal,
        group,
        screens,
        vouching_of(settings),
    )
    try:
        intake.run(stop)
    except LogBroken as error:
        log.critical("log_broken", reason=str(error))
        raise SystemExit(LOG_BROKEN) from error


def run_agents(settings: Settings) -> None:
    """Fold, learn and react until a signal."""
    collect_seldom()
    from deploy.active_groups import register_of
    from deploy.keys import vouching_of
    from projections.models.learner import prepare
    from streams.folds.agents import SESSION, run, worker
    from streams.publish.reactions import emitter

    _later(PREPARED_AFTER, prepare)
    tell(settings, "agents")
    journal, store = journal_of(settings), store_of(settings)
    emit = emitter(producer_of(settings, journal), journal, settings.shards)
    session = SESSION if settings.broker_keeps else EMBEDDED_SESSION
    run(
        worker(
            settings.broker,
            store,
            journal,
            emit,
            register_of(settings, store, journal),
            vouching_of(settings),
            settings.security,
            settings.data_dir / "agents",
            session,
            alone=not settings.broker_keeps and settings.workers == 1,
        )
    )


def run_web(settings: Settings) -> None:
    """Answer lookups until a signal."""
    from deploy.terminal import UserError
    from streams.folds.active_groups import decided
    from streams.policies.in_force import Unreadable
    from streams.publish.adoption import TooLarge, adopt

    collect_seldom()
    sys.setswitchinterval(HAND_OVER)
    app, deps = web_app(settings)
    deps.register.begin()
    try:
        deps.policies.read()
        adopt(deps.policies.begun, decided(deps.journal), deps.journal, deps.producer, deps.zone)
    except (TooLarge, Unreadable) as error:
        raise UserError(f"it does not start: {error}") from error
    _serve(app, settings.host, settings.port)


def web_app(settings: Settings) -> "tuple[FastAPI, WebDependencies]":
    """Every route, and what they reach; nothing is reached yet."""
    from datetime import datetime
    from functools import partial
    from zoneinfo import ZoneInfo

    from deploy.active_groups import (
        begun,
        begun_with,
        register_of,
        rules_in_force,
        tried,
    )
    from deploy.keys import tokens_of
    from replay.web.differences import add_differences
    from replay.web.history import add_decisions, add_households_past, add_past
    from replay.web.policies import add_policies
    from replay.web.restatements import add_restatements
    from replay.web.what_if import add_what_if
    from streams.ingest.screening import Screens
    from streams.policies.in_force import InForce
    from streams.queries.health import Health
    from streams.queries.lookups import Lookups
    from streams.web.api.jobs import add_jobs
    from streams.web.app import web
    from streams.web.dependencies import WebDependencies
    from streams.web.jobs import Jobs

    journal, store = journal_of(settings), store_of(settings)
    register = register_of(settings, store, journal)
    policies = InForce(begun(settings), lambda: register.last.versions)
    deps = WebDependencies(
        store=store,
        journal=journal,
        producer=producer_of(settings, journal),
        health=Health(journal, store, broker_of(settings), register, settings.lag_limit),
        lookups=Lookups(store, register, settings.shards),
        register=register,
        policies=policies,
        shards=settings.shards,
        wait_for_journal=not settings.broker_keeps,
        zone=ZoneInfo(settings.timezone),
        tokens=tokens_of(settings),
        rates=(settings.rate, settings.rate_of_people),
        screens=Screens(policies, ZoneInfo(settings.timezone)),
        tell_stalls=settings.lookup_stalls,
        prometheus=settings.prometheus_url,
    )
    app = web(deps)
    add_past(
        app,
        journal,
        policies,
        partial(rules_in_force, settings, journal),
        lambda: datetime.now(deps.zone).date(),
    )
    add_households_past(app, journal, policies)
    add_differences(app, journal, policies, partial(rules_in_force, settings, journal))
    add_restatements(app, journal)
    add_decisions(app, journal, policies, begun_with(settings))
    add_what_if(app, partial(tried, settings))
    add_policies(app, journal, policies, begun_with(settings))
    command = (sys.executable, "-m", "deploy.cli", "job")
    add_jobs(app, Jobs(settings.jobs_dir, command) if settings.jobs else None)
    return app, deps


def run_console(settings: Settings) -> None:
    """Show the bank to people, in a browser, until a signal."""
    from functools import partial
    from zoneinfo import ZoneInfo

    from deploy.console.api import Api
    from deploy.console.app import console
    from deploy.console.frame import ConsoleDependencies
    from deploy.keys import console_token, openid_of, session_seed
    from deploy.terminal import UserError
    from streams.web.security.sessions import Sessions

    if not settings.console_may_ask:
        raise UserError(
            "TIERFOLD_TOKEN_KEYS names another issuer: name the identity provider at which people "
            "log in too, TIERFOLD_OPENID_ISSUER"
        )
    deps = ConsoleDependencies(
        api=Api(settings.asked_at, partial(console_token, settings)),
        sessions=Sessions(session_seed(settings), settings.token_issuer, settings.console_ended),
        links=settings.console_links,
        zone=ZoneInfo(settings.timezone),
        cookie=f"tierfold-{settings.console_port}",
        address=settings.console_address,
        secure=settings.console_is_private,
        openid=openid_of(settings),
    )
    _serve(console(deps), settings.host, settings.console_port)


def run_guard(settings: Settings) -> None:
    """Verify everything, round after round, until a signal."""
    import asyncio

    from deploy.active_groups import register_of
    from projections.models.learner import prepare
    from replay.rebuild.guard import Guard

    async def guard() -> None:
        await asyncio.sleep(PREPARED_AFTER)
        await asyncio.to_thread(prepare)  # what a round counts as its work is its own
        await Guard(
            store, journal, register_of(settings, store, journal), settings.guard_share
        ).run()

    os.nice(GUARD_NICE)
    tell(settings, "guard", LONG)
    journal, store = journal_of(settings), store_of(settings)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with suppress(KeyboardInterrupt):
        asyncio.run(guard())


def run_notary(settings: Settings) -> None:
    """Sign the heads of all shards, and take a census a day, until a signal."""
    os.nice(NOTARY_NICE)
    tell(settings, "notary", LONG)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    notary_of(settings).run(stop)


def run_outbox(settings: Settings) -> None:
    """Tell subscribers what happened until a signal."""
    from deploy.active_groups import policies_of
    from deploy.wiring import deliveries_of
    from streams.outbox.outbox import alone
    from streams.outbox.outbox import run as deliver

    os.nice(NOTARY_NICE)
    tell(settings, "outbox")
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    journal = journal_of(settings)
    with alone(settings.outbox_dir):
        deliver(deliveries_of(settings, journal, policies_of(settings, journal)), stop)


def run_witness(settings: Settings, logs: Path, folder: Path) -> None:
    """Cosign the checkpoints of the logs whose keys are in a file, until a signal."""
    from datetime import UTC, datetime

    from deploy.keys import WITNESS, public_keys, signer_of
    from replay.evidence.witness import Witness
    from replay.evidence.witness_http import witness_app

    signer = signer_of(settings, WITNESS)
    app = witness_app(
        Witness(folder, signer, public_keys(settings, logs), lambda: datetime.now(UTC))
    )
    _serve(app, settings.host, settings.port)


def _serve(app: "ASGIApp", host: str, port: int) -> None:
    """Answer at a host and port until a signal."""
    import uvicorn

    from streams.web.limits import LimitedProtocol

    uvicorn.run(
        app,
        http=LimitedProtocol,
        host=host,
        port=port,
        log_config=None,
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,
    )


def collect_seldom() -> None:
    """Events and states are many and free of cycles.

    Looking through them finds nothing, and takes a tenth of the time.
    """
    gc.set_threshold(100_000, 50, 100)


PROCESSES = {
    "intake": run_intake,
    "agents": run_agents,
    "web": run_web,
    "guard": run_guard,
    "notary": run_notary,
    "outbox": run_outbox,
    "console": run_console,
}
TRACED = ("intake", "agents", "web")
"""Those through which a message or a question goes."""


def _later(seconds: float, do: Callable[[], None]) -> None:
    """Do something in a while, unless this process ends before."""
    timer = threading.Timer(seconds, do)
    timer.daemon = True
    timer.start()
