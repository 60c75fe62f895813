"""How does a form ask for a job?"""

from collections.abc import Mapping
from hashlib import sha256
from typing import Any, NamedTuple

from domain.access.roles import Caller
from domain.rollout.lifecycle import OWNERS

FIELDS = {
    "check": ("of", "policy", "language"),
    "try": ("of", "policy"),
    "propose": ("of", "policy"),
    "compare": ("of", "version"),
    "approve": ("of", "version", "report"),
    "promote": ("of", "version"),
    "roll-back": ("of", "scheme", "reason"),
    "verify": (),
    "funnel": ("days",),
    "value": (),
    "re-drive": ("entry", "reason"),
    "discard": ("entry", "reason"),
    "restrict": ("customer", "reason"),
    "lift": ("customer", "reason"),
    "forget": ("customer", "reason", "early"),
    "due": (),
    "export": ("customer",),
    "bundle": ("customer",),
    "find": ("called",),
}
"""By kind, what a form says."""


GRAVE = frozenset({"promote", "roll-back", "forget", "export", "bundle"})
"""What asks for a login of a moment ago: whoever finds an open browser may not do it."""


class Wanted(NamedTuple):
    """A job as the API takes it: its name, and what is asked for."""

    name: str
    asked: dict[str, Any]


def wanted_by(form: Mapping[str, str]) -> Wanted:
    """The job that a form asks for.

    Its name follows from what the form says and from what was drawn when it was shown: sent twice,
    it is one job.
    """
    kind = form.get("kind", "")
    given = {name: form[name] for name in FIELDS.get(kind, ()) if form.get(name)}
    drawn = sha256(repr((form.get("drawn"), kind, sorted(given.items()))).encode())
    return Wanted(drawn.hexdigest()[:32], {"kind": kind, **given})


def owned_by(caller: Caller) -> frozenset[str]:
    """Of what somebody decides about the versions."""
    return frozenset(of for of, role in OWNERS.items() if role in caller.roles)
