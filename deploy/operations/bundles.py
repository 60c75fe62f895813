"""How is one file made that proves a customer's history to whoever trusts nobody?"""

from datetime import datetime
from zoneinfo import ZoneInfo

from deploy.active_groups import begun_with, rules_in_force
from deploy.keys import BUNDLES, public_keys, signer_of
from deploy.settings import Settings
from deploy.terminal import UserError
from deploy.wiring import existing_journal
from replay.evidence.bundle import Bundled, Maker, NotYet
from replay.evidence.verify_bundle import audit


def bundle_of(settings: Settings, customer: str) -> Bundled:
    """The bundle of a customer, which was verified once; raises `UserError` where there is nothing
    to prove yet.
    """
    journal = existing_journal(settings, for_auditors=True)
    now = datetime.now(ZoneInfo(settings.timezone))
    signer = signer_of(settings, BUNDLES)
    trusted = public_keys(settings)  # trap: that of the signer is made at its first use
    maker = Maker(journal, settings.evidence_dir, trusted, begun_with(settings), signer)
    rules = rules_in_force(settings, journal, now.date())
    try:
        made = maker.bundle(f"customer:{customer}", now, rules)
    except NotYet as why:
        raise UserError(str(why)) from why
    audit(made.content, trusted)
    return made
