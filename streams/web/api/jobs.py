"""Which jobs may people begin over HTTP, and how do they hear what came of them?"""

import asyncio
from pathlib import Path as PathOf
from typing import Annotated, Any, Literal

import msgspec
import structlog
from fastapi import Body, FastAPI, Path, Query, Request, Response
from fastapi.responses import FileResponse
from pydantic import BaseModel, ConfigDict, Field, field_validator

from domain.access.four_eyes import spelt
from domain.access.redaction import doubt_of_reason
from domain.event import NAME, Line, Role
from domain.rollout.lifecycle import OWNERS
from streams.web.dependencies import as_json
from streams.web.jobs import ORDERS, Busy, Job, Jobs
from streams.web.problems import Problem, problems

log = structlog.get_logger()
LARGEST = 256 * 1024
"""Signs of a policy."""
Of = Literal["tier", "precedence", "catalogue", "privacy", "arrivals"]
Text = Annotated[str, Field(max_length=LARGEST, description="A policy, in YAML or JSON")]
Version = Annotated[str, Field(min_length=1, max_length=200)]
Entry = Annotated[str, Field(pattern=r"^[0-9]{1,4}/[0-9]{1,18}$")]
Customer = Annotated[str, Field(pattern=f"^{NAME}$", description="Without `customer:`")]
Name = Annotated[
    str,
    Path(pattern=r"^[0-9a-f]{32}$", description="32 hexadecimal digits that the asker draws"),
]
PARTS = problems({409: "A job of this name was asked for something else"})


class _Asked(BaseModel):
    model_config = ConfigDict(extra="forbid")


class _OfSomething(_Asked):
    of: Of

    @property
    def roles(self) -> tuple[Role, ...]:
        """Who decides about it: they may ask for it, and see what came of it."""
        return (OWNERS[self.of],)


class _Tried(_OfSomething):
    """Over how many days, and of how many decisions or arrivals a policy is tried."""

    days: int = Field(default=30, ge=1, le=3_660)
    sample: int = Field(default=2_000, ge=1, le=1_000_000)


class Check(_OfSomething):
    """Check a policy, and say it in sentences."""

    kind: Literal["check"]
    policy: Text
    language: Literal["zh", "en"] = "en"


class Try(_Tried):
    """Try a policy on history, beside the live one; nothing is brought.

    A tier policy: over the facts of the last day, gathered first where there are none.
    """

    kind: Literal["try"]
    policy: Text


class Propose(_OfSomething):
    """Bring a policy, to be compared, approved and promoted; a tier policy folds history."""

    kind: Literal["propose"]
    policy: Text


class Compare(_Tried):
    """Compare a version with the live one."""

    kind: Literal["compare"]
    version: Version


class Approve(_Tried):
    """Agree to a version, having seen what it changes: `report` is the comparison's digest."""

    kind: Literal["approve"]
    version: Version
    report: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class Promote(_OfSomething):
    """Let readers see a version."""

    kind: Literal["promote"]
    version: Version


class RollBack(_OfSomething):
    """Let readers see the version before again; of tiers, in a scheme."""

    kind: Literal["roll-back"]
    scheme: Annotated[str | None, Field(max_length=40)] = None
    reason: Line


class Verify(_Asked):
    """Hold every event to what was noted when it came, and live states to their own history."""

    kind: Literal["verify"]
    sample: int | None = Field(default=None, ge=1)

    @property
    def roles(self) -> tuple[Role, ...]:
        """Who proves: it names customers where something is wrong."""
        return ("auditor",)


class _OfOffers(_Asked):
    @property
    def roles(self) -> tuple[Role, ...]:
        """Who decides about the catalogue."""
        return (OWNERS["catalogue"],)


class Funnel(_OfOffers):
    """Count where each offer fell away, over the decisions of some days."""

    kind: Literal["funnel"]
    days: int = Field(default=1, ge=1, le=3_660)
    sample: int = Field(default=10_000, ge=1, le=1_000_000)


class Value(_OfOffers):
    """Compare what the usual choice of offers brought with what the hold-out arms did."""

    kind: Literal["value"]


class ReDrive(_Asked):
    """Send an entry of the quarantine (SHARD/NUMBER) to the front door again, as it was."""

    kind: Literal["re-drive"]
    entry: Entry
    reason: Line

    @property
    def roles(self) -> tuple[Role, ...]:
        """Who runs the bank."""
        return ("operator",)


class Discard(ReDrive):
    """Let an entry of the quarantine go; its bytes stay."""

    kind: Literal["discard"]  # type: ignore[assignment]


class _OfSomebody(_Asked):
    """An order about a customer, with all numbers of the person."""

    customer: Customer
    reason: Line

    @field_validator("reason")
    @classmethod
    def _names_nobody(cls, reason: str) -> str:
        if doubt := doubt_of_reason(reason):
            raise ValueError(doubt)
        return reason

    @property
    def roles(self) -> tuple[Role, ...]:
        """Who answers for it."""
        return ("privacy-officer",)


class Restrict(_OfSomebody):
    """Let nobody but auditors read what is known of a customer, and goes on being recorded."""

    kind: Literal["restrict"]


class Lift(_OfSomebody):
    """Let what is known of a restricted customer be used again."""

    kind: Literal["lift"]


class Forget(_OfSomebody):
    """Destroy the keys of a customer, and all that was made of what they open; for good.

    `early`: although the law may ask that it is kept.
    """

    kind: Literal["forget"]
    early: bool = False


class Export(_Asked):
    """Gather what is known of a customer, for the customer: a file, and a look on record."""

    kind: Literal["export"]
    customer: Customer

    @property
    def roles(self) -> tuple[Role, ...]:
        """Who answers for it."""
        return ("privacy-officer",)


class Bundle(_Asked):
    """Make one file that proves a customer's history to whoever trusts nobody."""

    kind: Literal["bundle"]
    customer: Customer

    @property
    def roles(self) -> tuple[Role, ...]:
        """Who proves."""
        return ("auditor",)


class Find(_Asked):
    """Find customers by their whole name, in the whole bank, for the asker alone; whenever the
    result is read, the look at each is on record.
    """

    kind: Literal["find"]
    called: Annotated[str, Field(min_length=2, max_length=100)]

    @property
    def roles(self) -> tuple[Role, ...]:
        """Who looks after all customers."""
        return ("supervisor",)


class Due(_Asked):
    """Say how much is known and by which keys, and whose time is over."""

    kind: Literal["due"]

    @property
    def roles(self) -> tuple[Role, ...]:
        """Who answers for it, and who proves: it names customers."""
        return ("privacy-officer", "auditor")


Asked = Annotated[
    Check
    | Try
    | Propose
    | Compare
    | Approve
    | Promote
    | RollBack
    | Verify
    | Funnel
    | Value
    | ReDrive
    | Discard
    | Restrict
    | Lift
    | Forget
    | Due
    | Export
    | Bundle
    | Find,
    Field(discriminator="kind"),
]
LONGEST_WAIT = 20
LOOK_EVERY = 0.2
FINDS = "find"
"""The kind of job that is for whoever asked alone: it was asked by a name."""
IN_SHORT = ("of", "version", "scheme")
"""What others hear of what was asked."""
Wait = Annotated[
    int,
    Query(ge=0, le=LONGEST_WAIT, description="Seconds to wait for the end of one that runs"),
]


def add_jobs(app: FastAPI, jobs: Jobs | None) -> None:
    """Add beginning, looking at and ending jobs; without `jobs` none can be begun here."""

    @app.put(
        "/v1/jobs/{job}",
        summary="Begin a job; once, however often it is put",
        status_code=201,
        responses=PARTS,
    )
    async def begin(job: Name, asked: Annotated[Asked, Body()], request: Request) -> Response:
        found = await _begun(jobs, job, asked, request)
        _look_at(request, found)  # it may have ended before
        return as_json(found, 201)

    @app.get("/v1/jobs", summary="The jobs of the last days, the newest first, without results")
    async def every(request: Request) -> Response:
        found = await asyncio.to_thread(jobs.all) if jobs else []
        return as_json(
            {
                "jobs": [
                    _in_short(each, is_seen=_is_seen(request, each))
                    for each in found
                    if _is_told(request, each)
                ]
            }
        )

    @app.get("/v1/jobs/{job}", summary="How far a job is, and what came of it")
    async def one(job: Name, request: Request, wait: Wait = 0) -> Response:
        found = await _known(jobs, job, request)
        for _ in range(int(wait / LOOK_EVERY)):
            if found.state != "running":
                break
            await asyncio.sleep(LOOK_EVERY)
            found = await _known(jobs, job, request)
        _look_at(request, found)
        return as_json(found)

    @app.get(
        "/v1/jobs/{job}/file",
        summary="The file that a job has made, to be taken away",
        response_class=FileResponse,
    )
    async def given(job: Name, request: Request) -> Response:
        found = await _known(jobs, job, request)
        file = await asyncio.to_thread(_file_of, jobs, found)
        request.state.look.at_file(found.kind, found.roles, found.about)
        return FileResponse(file, filename=found.file)

    @app.delete("/v1/jobs/{job}", summary="End a job; what it has done by then stays done")
    async def cancel(job: Name, request: Request) -> Response:
        found = await asyncio.to_thread(jobs.find, job) if jobs else None
        if jobs is None or found is None or not _is_told(request, found):
            raise _unknown(job)
        if found.kind in ORDERS:
            raise Problem(409, "an order about a customer is carried out to its end")
        by = spelt(request.state.look.caller.who)
        log.info("job_cancelled", job=job, kind=found.kind, by=by)
        ended = await asyncio.to_thread(jobs.cancel, job, by)
        return as_json(_in_short(ended or found, is_seen=_is_seen(request, found)))


async def _begun(jobs: Jobs | None, name: str, asked: Any, request: Request) -> Job:
    """The job of a name, begun now or before; raises a 403, 409 or 503."""
    caller = request.state.look.caller
    if not {*caller.roles} & {*asked.roles}:
        raise Problem(403, f"this is for {', '.join(asked.roles)}")
    if jobs is None:
        raise Problem(503, "no job is begun here (TIERFOLD_JOBS): give the command of its name")
    given, by = asked.model_dump(mode="json", exclude={"kind"}), spelt(caller.who)
    try:
        found = await asyncio.to_thread(jobs.begin, name, asked.kind, given, by, asked.roles)
    except Busy as error:
        raise Problem(503, "other jobs run just now; try again") from error
    if (found.kind, found.asked, found.by) != (asked.kind, given, by):
        raise Problem(409, f"{name} was asked for something else before")
    return found


async def _known(jobs: Jobs | None, name: str, request: Request) -> Job:
    """A job whose result the caller may see; raises a 404 where there is none."""
    found = await asyncio.to_thread(jobs.find, name) if jobs else None
    if found is None or not _is_seen(request, found):
        raise _unknown(name)
    return found


def _look_at(request: Request, job: Job) -> None:
    """Whoever reads whom a job has found, looks at them."""
    if job.kind == FINDS and job.about:
        request.state.look.at_file(FINDS, job.roles, job.about)


def _file_of(jobs: Jobs | None, job: Job) -> PathOf:
    """Where the file of a job is; raises a 404 where it has none, or none any more."""
    if jobs is None or job.file is None or not (file := jobs.taken_away(job)).is_file():
        raise Problem(404, f"job {job.job} has no file")
    return file


def _unknown(name: str) -> Problem:
    return Problem(404, f"there is no job {name} of yours: they are kept for a week")


def _is_told(request: Request, job: Job) -> bool:
    """Whether the caller hears that there is such a job: operators of every one, to end it."""
    return "operator" in request.state.look.caller.roles or _is_seen(request, job)


def _is_seen(request: Request, job: Job) -> bool:
    """Whether the caller may see what was asked, and what came of it."""
    caller = request.state.look.caller
    is_askers = job.kind != FINDS or job.by == spelt(caller.who)
    return is_askers and bool({*caller.roles} & {*job.roles})


def _in_short(job: Job, *, is_seen: bool) -> dict[str, Any]:
    """A job in a list: what it names is for those alone who may see it."""
    said = msgspec.to_builtins(job)
    asked = {name: each for name, each in said["asked"].items() if is_seen or name in IN_SHORT}
    for name in ("policy", "called"):
        asked.pop(name, None)
    for_those = {name: said[name] if is_seen else None for name in ("error", "file")}
    return {
        **{name: each for name, each in said.items() if name not in ("result", "about")},
        **for_those,
        "asked": asked,
    }
