"""What became of something that was sent? Told to those who may send it, by its name."""

import asyncio
from datetime import datetime
from typing import Annotated, Literal, NamedTuple

from fastapi import FastAPI, Query, Request
from pydantic import BaseModel

from domain.event import BANK
from streams.broker.routing import shard_of
from streams.ingest.set_aside import LOOKED_BACK, of_name
from streams.journal import recorded_at_of
from streams.web.dependencies import WebDependencies
from streams.web.problems import Problem

NAMED = r"^(bank|[a-z]+:[A-Za-z0-9_.\-:/@#]{1,190})$"


class SentName(NamedTuple):
    """By which an interaction is known."""

    source: str
    id: str
    stream: str


class Outcome(BaseModel):
    """What became of something that was sent, and where it is.

    `recorded` has its place in the journal, `quarantined` the reason and its entry there.
    """

    source: str
    id: str
    stream: str
    outcome: Literal["recorded", "quarantined"]
    shard: int
    version: int | None = None
    position: int | None = None
    recorded_at: datetime | None = None
    reason: str | None = None
    field: str | None = None
    entry: str | None = None


def add_outcomes(app: FastAPI, deps: WebDependencies) -> None:
    """Add the question what became of something that was sent."""

    @app.get(
        "/v1/interactions",
        summary="What became of an interaction that was sent, by its name",
        description="Of what could not be read, the newest of each shard are looked through.",
        response_model_exclude_none=True,
    )
    async def outcome(
        request: Request,
        source: Annotated[str, Query(min_length=1, max_length=200)],
        id: Annotated[str, Query(min_length=1, max_length=200)],  # noqa: A002 - CloudEvents' word
        subject: Annotated[str, Query(max_length=200, pattern=NAMED)],
    ) -> Outcome:
        if "operator" not in request.state.look.roles:
            request.state.look.naming(source)
        named = SentName(source, id, subject)
        found = await asyncio.to_thread(_outcome, deps, named)
        if found is None:
            raise Problem(
                404,
                "nothing of this name has arrived, or it was refused; a source with a business key "
                "is asked by the name made of it",
            )
        return found


def _outcome(deps: WebDependencies, named: SentName) -> Outcome | None:
    """In the shard of its stream, or in quarantine, wherever it arrived."""
    number = 0 if named.stream == BANK else shard_of(named.stream, deps.shards)
    stream = f"shard:{number}" if named.stream == BANK else named.stream
    told = f"{named.id}/{number}" if named.stream == BANK else named.id
    [known] = deps.journal[number].find([named._replace(stream=stream, id=told)])
    if known is not None:
        [row] = deps.journal[number].rows(known.stream, known.version - 1, 1)
        return Outcome(
            **named._asdict(),
            outcome="recorded",
            shard=number,
            version=known.version,
            position=row.position,
            recorded_at=recorded_at_of(row.state),
        )
    for shard in deps.journal:
        if entry := of_name(shard, named, max(LOOKED_BACK // deps.shards, 1)):
            return Outcome(
                **named._asdict(),
                outcome="quarantined",
                shard=shard.number,
                reason=entry.reason,
                field=entry.field,
                entry=f"{shard.number}/{entry.number}",
            )
    return None
