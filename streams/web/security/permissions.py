"""Which roles may ask which question? One line a route; a route without a line does not start."""

from typing import NamedTuple

from domain.access.roles import ROLES
from domain.event import Role


class Grant(NamedTuple):
    """What a question is called in the access journal, and who may ask it, whoever sees most first.

    Nobody named: everybody, without a token.
    """

    what: str
    roles: tuple[Role, ...] = ()


WORKERS: tuple[Role, ...] = (
    "tier-owner",
    "privacy-officer",
    "operator",
    "auditor",
    "supervisor",
)
"""Who may begin one kind of job or another; which, the job itself says."""
GRANTS = {
    ("GET", "/healthz"): Grant("alive"),
    ("GET", "/readyz"): Grant("ready"),
    ("GET", "/openapi.json"): Grant("openapi", ROLES),
    ("GET", "/metrics"): Grant("metrics", ("operator", "monitor")),
    ("POST", "/v1/interactions"): Grant(
        "interactions", ("core", "channel", "manager", "supervisor", "modeller")
    ),
    ("GET", "/v1/interactions"): Grant(
        "outcome", ("operator", "core", "channel", "manager", "supervisor", "modeller")
    ),
    ("GET", "/v1/customers/{customer}"): Grant(
        "picture", ("auditor", "privacy-officer", "supervisor", "manager")
    ),
    ("GET", "/v1/customers/{customer}/tier"): Grant(
        "tier", ("auditor", "privacy-officer", "supervisor", "channel", "manager")
    ),
    ("GET", "/v1/customers/{customer}/ledger"): Grant(
        "ledger", ("auditor", "privacy-officer", "supervisor", "manager")
    ),
    ("GET", "/v1/customers/{customer}/history"): Grant("history", ("auditor", "privacy-officer")),
    ("GET", "/v1/customers/{customer}/timeline"): Grant(
        "timeline", ("auditor", "privacy-officer", "supervisor", "manager")
    ),
    ("GET", "/v1/customers/{customer}/looks"): Grant("looks", ("auditor", "privacy-officer")),
    ("GET", "/v1/customers/{customer}/next-best-offer"): Grant(
        "next-best-offer", ("channel", "manager")
    ),
    ("GET", "/v1/customers/{customer}/foresight"): Grant("foresight", ("supervisor", "manager")),
    ("GET", "/v1/customers/{customer}/explain"): Grant(
        "explain", ("auditor", "privacy-officer", "supervisor", "manager")
    ),
    ("GET", "/v1/customers/{customer}/as-of"): Grant(
        "as-of", ("auditor", "privacy-officer", "supervisor")
    ),
    ("GET", "/v1/customers/{customer}/differences"): Grant(
        "differences", ("auditor", "privacy-officer", "supervisor")
    ),
    ("GET", "/v1/managers/{manager}/customers"): Grant("book", ("supervisor", "manager")),
    ("GET", "/v1/households/{household}"): Grant("household", ("supervisor", "auditor")),
    ("GET", "/v1/households/{household}/as-of"): Grant(
        "household-as-of", ("supervisor", "auditor")
    ),
    ("GET", "/v1/companies/{company}"): Grant("company", ("supervisor", "auditor")),
    ("GET", "/v1/companies/{company}/as-of"): Grant("company-as-of", ("supervisor", "auditor")),
    ("GET", "/v1/decisions/{decision}/explanation"): Grant(
        "decision", ("auditor", "privacy-officer", "supervisor", "channel", "manager")
    ),
    ("GET", "/v1/versions"): Grant(
        "versions", ("tier-owner", "supervisor", "auditor", "privacy-officer", "operator")
    ),
    ("GET", "/v1/restatements"): Grant(
        "restatements", ("tier-owner", "supervisor", "auditor", "operator")
    ),
    ("GET", "/v1/models"): Grant("models", ("tier-owner", "supervisor", "auditor")),
    ("POST", "/v1/what-if"): Grant("what-if", ("tier-owner",)),
    ("GET", "/v1/operations"): Grant("operations", ("operator", "auditor")),
    ("GET", "/v1/alerts"): Grant("alerts", ("operator", "auditor")),
    ("GET", "/v1/quarantine"): Grant("quarantine", ("operator",)),
    ("GET", "/v1/policies"): Grant(
        "policies", ("tier-owner", "supervisor", "auditor", "privacy-officer", "operator")
    ),
    ("GET", "/v1/jobs"): Grant("jobs", WORKERS),
    ("GET", "/v1/jobs/{job}"): Grant("job", WORKERS),
    ("GET", "/v1/jobs/{job}/file"): Grant("job-file", WORKERS),
    ("PUT", "/v1/jobs/{job}"): Grant("begin-job", WORKERS),
    ("DELETE", "/v1/jobs/{job}"): Grant("cancel-job", WORKERS),
}
SUBJECTS = {"customer": "customer", "household": "household", "company": "company"}
"""Whose stream a part of a path names."""
