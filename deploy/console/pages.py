"""Which pages are there? One for each question of the API that people ask, under the same path."""

from collections.abc import Iterator
from typing import NamedTuple
from urllib.parse import quote

from domain.access.roles import Caller
from streams.web.security.permissions import GRANTS, Grant

API = "/v1"
CUSTOMER = "/customers/{customer}"
OFFER = f"{CUSTOMER}/offer"
"""Where an offer is asked for; it is decided, and its page is that of the decision."""
BOOK = "/managers/{manager}/customers"


DECIDED = f"{CUSTOMER}/next-best-offer"
"""The question of the API by which one is decided."""


class Page(NamedTuple):
    """A page: its template, and its name in English."""

    template: str
    name: str


PAGES = {
    CUSTOMER: Page("customer", "Overview"),
    f"{CUSTOMER}/tier": Page("tier", "Tier"),
    f"{CUSTOMER}/explain": Page("explain", "Why this tier"),
    f"{CUSTOMER}/ledger": Page("ledger", "Accounts"),
    f"{CUSTOMER}/foresight": Page("foresight", "Foresight"),
    f"{CUSTOMER}/as-of": Page("as_of", "As it was"),
    f"{CUSTOMER}/differences": Page("differences", "What changed"),
    f"{CUSTOMER}/history": Page("history", "Events"),
    f"{CUSTOMER}/timeline": Page("timeline", "Timeline"),
    f"{CUSTOMER}/looks": Page("looks", "Who looked"),
    BOOK: Page("book", "Customers of a manager"),
    "/households/{household}": Page("household", "Household"),
    "/companies/{company}": Page("household", "Company group"),
    "/decisions/{decision}/explanation": Page("decision", "Decision"),
    "/versions": Page("versions", "Versions"),
    "/restatements": Page("restatements", "Corrections of the past"),
    "/policies": Page("policies", "Rules and policies"),
    "/models": Page("models", "Models of offers"),
    "/operations": Page("operations", "Operations"),
    "/alerts": Page("alerts", "Alerts"),
    "/quarantine": Page("quarantine", "Quarantine"),
    "/jobs": Page("jobs", "Jobs"),
    "/jobs/{job}": Page("job", "Job"),
}
LISTED = (
    "/operations",
    "/alerts",
    "/quarantine",
    "/policies",
    "/models",
    "/versions",
    "/restatements",
    "/jobs",
)
"""What the bar leads to, beside the search for a customer."""


def grant_of(path: str) -> Grant:
    """Who may ask what a page shows."""
    return GRANTS["GET", f"{API}{path}"]


def may_see(caller: Caller, path: str) -> bool:
    """Whether somebody has a role that may see a page."""
    return any(role in caller.roles for role in grant_of(path).roles)


def tabs(caller: Caller, customer: str) -> Iterator[tuple[str, str, str]]:
    """The pages of a customer that somebody may see: pattern, address, name."""
    for path, page in PAGES.items():
        if path.startswith(CUSTOMER) and may_see(caller, path):
            yield path, path.replace("{customer}", quote(customer, safe="")), page.name
    if may_see(caller, DECIDED):
        yield OFFER, OFFER.replace("{customer}", quote(customer, safe="")), "Offer"


def places(caller: Caller) -> Iterator[tuple[str, str]]:
    """The pages of the whole bank that somebody may see, and a manager's own customers: path,
    name.
    """
    if "manager" in caller.roles:
        yield BOOK.replace("{manager}", quote(caller.who, safe="")), "My customers"
    for path in LISTED:
        if may_see(caller, path):
            yield path, PAGES[path].name
