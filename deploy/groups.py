"""Which folds run? Every group, in one visible tuple."""

from deploy.files import read_policy
from deploy.settings import Settings
from projections.customers import customers_under
from projections.model import MODELS
from projections.offers import REACTIONS
from projections.projection import Group


def groups_of(settings: Settings) -> tuple[Group, ...]:
    """Every group of folds, with tiers under the policy of the settings."""
    return (customers_under(read_policy(settings.policy)), REACTIONS, MODELS)
