"""Which question about policies is answered over HTTP? What is live, as it was written down."""

import asyncio
from typing import Any

from fastapi import FastAPI, Response

from domain.rollout.events import PRECEDENCE
from domain.rollout.lifecycle import KINDS, Versions
from domain.tiering.policy import TierPolicy
from projections.registry import present
from streams.folds.active_groups import decided
from streams.journal import Journal
from streams.policies.in_force import InForce
from streams.web.dependencies import as_json


def add_policies(app: FastAPI, journal: Journal, policies: InForce, begun_with: TierPolicy) -> None:
    """Add it."""

    @app.get(
        "/v1/policies",
        summary="The live policy of each kind, and of tiers of each scheme, all that they say",
    )
    async def live() -> Response:
        versions = await asyncio.to_thread(decided, journal)
        schemes = present(versions, begun_with).rules.policies
        return as_json(
            {
                "tier": {name: _said(each) for name, each in schemes.items()},
                "precedence": _of_precedence(versions),
                "catalogue": _said(policies.catalogue),
                "privacy": _said(policies.privacy),
                "arrivals": _said(policies.arrivals),
            }
        )


def _of_precedence(versions: Versions) -> dict[str, Any] | None:
    """The live precedence; None where every scheme counts, as no order was ever brought."""
    lineup = versions.lineup(PRECEDENCE)
    if not lineup.live:
        return None
    policy = KINDS[PRECEDENCE].says.model_validate(lineup.known[lineup.live].policy)
    return _said(policy)


def _said(policy: Any) -> dict[str, Any]:
    return {"version": policy.label, "digest": policy.digest, "policy": policy.said}
