"""Who is told, of what, and where? The bank's subscribers, as data."""

from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from domain.event import Line, Role
from domain.notices.notice import GRANTS, OF_SENDERS

Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9\-]{0,40}$")]
LOCAL = ("localhost", "127.0.0.1", "::1")


class _Said(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class Subscriber(_Said):
    """A system that is told of these `types` as `role` may see them: by webhook at its `url`, or,
    without one, on the Kafka topic.

    It is told of all customers. `sources` are its own, if it sends; of these it is told what became
    of what it sent. It begins with what is recorded from now on, or with the beginning. `at_once`
    requests are on their way at the same time. A notice that fails for so many hours, while others
    are taken, is given up.
    """

    name: Name
    role: Role
    types: Annotated[tuple[Line, ...], Field(min_length=1)]
    sources: tuple[Line, ...] = ()
    url: Annotated[str, Field(max_length=2_000)] | None = None
    begin: Literal["now", "beginning"] = "now"
    at_once: Annotated[int, Field(ge=1, le=64)] = 8
    give_up_after_hours: Annotated[int, Field(ge=1, le=24 * 30)] = 72

    @model_validator(mode="after")
    def _may(self) -> Self:
        for kind in self.types:
            if kind not in GRANTS:
                raise ValueError(f"types: there is no {kind}: there are {', '.join(GRANTS)}")
            if self.role not in GRANTS[kind]:
                allowed = ", ".join(GRANTS[kind])
                raise ValueError(f"types: {self.role} may not be told of {kind}: {allowed} may")
            if kind in OF_SENDERS and not self.sources and self.role != "operator":
                raise ValueError(f"sources: name those of which {kind} tells")
        if self.url is not None and not _is_safe(self.url):
            raise ValueError("url: use https://HOST/…; http:// is for this machine only")
        return self


class Subscribers(_Said):
    """All of them; two with one name would share what they were told."""

    subscribers: tuple[Subscriber, ...]

    @model_validator(mode="after")
    def _each_once(self) -> Self:
        names = [each.name for each in self.subscribers]
        if twice := {name for name in names if names.count(name) > 1}:
            raise ValueError(f"subscribers: {min(twice)} is there twice")
        if sum(each.url is None for each in self.subscribers) > 1:
            raise ValueError("subscribers: only one is without a url: the Kafka topic is one")
        return self


def _is_safe(url: str) -> bool:
    """Whether a URL is one that a notice may be sent to: encrypted, or to this machine."""
    try:
        parts = urlsplit(url)
        port, host = parts.port, (parts.hostname or "").encode("idna")
    except ValueError:
        return False
    if (
        not url.isascii()
        or port == 0
        or not host
        or parts.username
        or parts.password
        or parts.fragment
    ):
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in LOCAL)
