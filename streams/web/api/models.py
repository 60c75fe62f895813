"""How good are the models? Of each offer in force, and of what is foreseen."""

from typing import Any

from fastapi import FastAPI, Response

from domain.offers.catalogue import Offer
from projections.models.calibration import reliability
from projections.models.learner import Learnt
from projections.models.propensity import quality
from streams.web.dependencies import WebDependencies, as_json, models_of

ANSWERS = 10
"""Of so many together it is told what came: fewer would tell of somebody."""


def add_models(app: FastAPI, deps: WebDependencies) -> None:
    """Add the question."""

    @app.get(
        "/v1/models",
        summary="How good the model of each offer in force was of late, and of what is foreseen",
    )
    async def models() -> Response:
        catalogue = deps.policies.catalogue
        offers = {offer.offer: offer for offer in catalogue.offers}
        found = await deps.lookups.models_of_late(models_of(catalogue))
        return as_json(
            {
                "catalogue": catalogue.label,
                "models": [_told(name, offers.get(name), each) for name, each in found.items()],
            }
        )


def _told(name: str, offer: Offer | None, found: Learnt) -> dict[str, Any]:
    """A model; without `quality` where it cannot be read, and offers are ranked by value."""
    model = found.ready.model if found.ready else None
    said = quality(model) if model else None
    return {
        "model": name,
        "name": offer.name if offer else None,
        "grade": offer.grade if offer else None,
        "quality": {**said._asdict(), "last": said.last and said.last.date()} if said else None,
        "calibration": [
            {"said": each.said, "came": round(each.came, 2), "answers": round(each.answers)}
            for each in (reliability(model.said) if model else ())
            if each.answers >= ANSWERS
        ],
    }
