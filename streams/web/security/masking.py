"""How much of what is known of somebody is shown?

All to those who see names as they are; to all others what the privacy policy leaves.
"""

from collections.abc import Mapping
from typing import Any

import msgspec
from fastapi import Request

from domain.access.privacy_policy import PrivacyPolicy, masked
from projections.tiering.standing import TIER


def shown(request: Request, privacy: PrivacyPolicy, said: Mapping[str, Any]) -> dict[str, Any]:
    """An answer as whoever asks may see it.

    States of read models stand under the names of their projections.
    """
    told: dict[str, Any] = msgspec.to_builtins(said)
    return told if request.state.look.unmasked else masked_for_most(privacy, told)


def masked_for_most(privacy: PrivacyPolicy, told: Mapping[str, Any]) -> dict[str, Any]:
    """What those see of it who need not see all; as JSON has it."""
    answer = {
        name: masked(privacy.read_models[kind], {}, each)
        if (kind := _kind(name)) in privacy.read_models and isinstance(each, dict)
        else each
        for name, each in told.items()
    }
    return masked({}, privacy.wherever, answer)


def _kind(name: str) -> str:
    """The projection by whose classes a state is masked: a tier, in whatever scheme, is a tier."""
    return TIER if name.startswith(f"{TIER}-") else name
