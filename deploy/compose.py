"""How are the parts put together? One visible place where settings become processes."""

import signal
import threading

import uvicorn
from faust.worker import Worker

from deploy.files import read_catalogue, read_policy
from deploy.settings import Settings
from projections.customers import customers_under
from projections.model import MODELS
from projections.offers import REACTIONS
from projections.projection import Group
from projections.redis import RedisStore
from streams.agents import emitter, worker
from streams.courier import Courier
from streams.health import Health
from streams.intake import Intake
from streams.journal import Journal
from streams.kafka import Broker
from streams.lookups import Lookups
from streams.web import Doors, web


def groups_of(settings: Settings) -> tuple[Group, ...]:
    """Every group of folds that runs."""
    return (customers_under(read_policy(settings.policy)), REACTIONS, MODELS)


def broker_of(settings: Settings) -> Broker:
    """The broker's door."""
    return Broker(settings.broker, settings.security)


def journal_of(settings: Settings) -> Journal:
    """The journal."""
    return Journal(settings.journal_url, settings.shards)


def courier_of(settings: Settings, journal: Journal) -> Courier:
    """The front door: what is sent through it is safe in the journal, or in a broker that keeps its word."""
    return Courier(broker_of(settings), None if settings.broker_keeps else journal)


def run_intake(settings: Settings) -> None:
    """Take messages into the journal until a signal."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    Intake(broker_of(settings), journal_of(settings), settings.shards).run(stop)


def run_agents(settings: Settings) -> None:
    """Fold, learn and react until a signal."""
    journal = journal_of(settings)
    courier = courier_of(settings, journal)
    app = worker(
        settings.broker, settings.shards, groups_of(settings), RedisStore(settings.redis), journal, emitter(courier, journal, settings.shards)
    )
    Worker(app, loglevel="ERROR", override_logging=False).execute_from_commandline()


def run_web(settings: Settings) -> None:
    """Answer lookups until a signal."""
    policy = read_policy(settings.policy)
    customers = customers_under(policy)
    journal, store, broker = journal_of(settings), RedisStore(settings.redis), broker_of(settings)
    doors = Doors(
        store=store,
        journal=journal,
        courier=courier_of(settings, journal),
        health=Health(journal, store, broker, groups_of(settings), settings.lag_limit),
        lookups=Lookups(store, customers, settings.shards),
        policy=policy,
        catalogue=read_catalogue(settings.catalogue),
        shards=settings.shards,
        wait_for_journal=not settings.broker_keeps,
    )
    uvicorn.run(web(doors), host=settings.host, port=settings.port, log_level="warning", access_log=False, server_header=False)
