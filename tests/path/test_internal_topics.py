"""What others write to a topic of ours moves nothing but a look at the journal."""

from datetime import date
from typing import Any

from deploy.wiring import journal_of
from domain.accounts.events import AccountOpened, TransactionPosted
from domain.customers.events import CustomerOnboarded
from streams.broker.batch import Batch, encode_batch
from streams.broker.kafka import RECORDED, Broker, TopicPartition
from streams.broker.routing import shard_of
from streams.ingest.cloudevents import BATCH, write, write_batch
from streams.journal import Row
from tests.conftest import Running, proposed

DAY = date(2026, 1, 5)
PAYER = "customer:payer"


def paid(name: str, amount: int) -> bytes:
    """Money that comes in."""
    said = TransactionPosted(
        transaction=name, account="a", amount=amount, currency="CNY", kind="transfer"
    )
    return write(proposed(said, name, PAYER, DAY))


def post(running: Running, *events: bytes) -> None:
    """Hand in, and wait until it is folded."""
    done = running.client.post(
        "/v1/interactions", content=write_batch(events), headers={"content-type": BATCH}
    )
    assert done.status_code == 201
    running.settle()


def batch_of(running: Running, shard: int) -> Any:
    """A batch that intake sent to a shard's agents."""
    consumer = Broker(running.settings.broker).consumer()
    place = TopicPartition(RECORDED, shard)
    consumer.assign([place])
    consumer.seek_to_beginning()
    polls = (consumer.poll(1_000).get(place, []) for _ in range(30))
    real = next(each for some in polls for each in some if each.headers)
    consumer.close()
    return real


def test_forged_batches_are_not_believed(own_stack: Running) -> None:
    """Neither money in an unsealed row, nor a position far ahead, nor another shard's batch, nor
    garbage: what is real goes on being folded, and live is what a rebuild comes to.
    """
    opened = AccountOpened(account="a", product="demand", currency="CNY", asset_class="deposit")
    onboarded = CustomerOnboarded(source="branch")
    post(
        own_stack,
        write(proposed(onboarded, "on", PAYER, DAY)),
        write(proposed(opened, "open", PAYER, DAY)),
        paid("first", 1_000),
    )
    number = shard_of(PAYER, own_stack.settings.shards)
    shard = journal_of(own_stack.settings)[number]
    *_, money = shard.read(0, 100)
    head = shard.head()
    forged = Row(head + 1, PAYER, money.event_type, money.state)
    producer = Broker(own_stack.settings.broker).producer()
    for value in (
        encode_batch(Batch(head, head + 1, [forged])),
        encode_batch(Batch(head, 2**62, [])),
        b"\xc1 garbage",
    ):
        producer.send(RECORDED, value=value, partition=number).get(timeout=10)
    real = batch_of(own_stack, number)
    producer.send(
        RECORDED, value=real.value, headers=list(real.headers), partition=1 - number % 2
    ).get(timeout=10)
    producer.close()

    post(own_stack, paid("second", 500))
    own_stack.settle()

    assert own_stack.client.get("/v1/customers/payer").json()["balances"]["a"]["balance"] == 1_500
    assert own_stack.client.get("/readyz").status_code == 200
    own_stack.must_agree()
