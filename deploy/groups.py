"""Which folds run? Every group, in one visible tuple."""

from deploy.files import BadFile, read_policy
from deploy.settings import Settings
from projections.customers import customers_under
from projections.model import MODELS
from projections.offers import REACTIONS
from projections.projection import Group


def groups_of(settings: Settings) -> tuple[Group, ...]:
    """Every group of folds, with tiers under the policy of the settings."""
    policy = read_policy(settings.policy)
    if policy.scope is not None:
        raise BadFile(f"{settings.policy} cannot run live: it counts a {policy.scope.of}, and live standings are of single customers yet")
    return (customers_under(policy), REACTIONS, MODELS)
