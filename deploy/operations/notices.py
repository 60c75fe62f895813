"""How do the bank's subscribers get what they are to be told?"""

import secrets
from base64 import b64encode
from pathlib import Path
from typing import Any

from deploy.active_groups import policies_of
from deploy.settings import Settings
from deploy.terminal import UserError
from deploy.wiring import existing_journal, secret_file, subscribers_of
from domain.notices.subscribers import Subscriber
from streams.outbox.checkpoint import Checkpoint, Checkpoints
from streams.outbox.notices import Source, behind
from streams.outbox.sinks import WHSEC


def new_secret(settings: Settings, name: str) -> Path:
    """Put a new secret before those of a subscriber; notices are signed by the newest two.

    Gives the file. Raises `UserError` for a subscriber that is none.
    """
    if name not in {each.name for each in subscribers_of(settings) if each.url}:
        raise UserError(f"there is no subscriber {name} with a url")
    file = secret_file(settings, name)
    before = file.read_text(encoding="ascii").splitlines()[:1] if file.exists() else []
    said = WHSEC + b64encode(secrets.token_bytes(32)).decode()
    file.parent.mkdir(parents=True, exist_ok=True)
    fresh = file.with_name(f".{file.name}.new")
    fresh.touch(mode=0o600)
    fresh.write_text("\n".join([said, *before]) + "\n", encoding="ascii")
    fresh.replace(file)
    return file


def standing(settings: Settings) -> list[dict[str, Any]]:
    """How far each subscriber is: what was handed over, what is behind, what fails or was given
    up.
    """
    journal = existing_journal(settings)
    policies = policies_of(settings, journal)
    found = []
    for each in subscribers_of(settings):
        kept = Checkpoints(settings.outbox_dir, each.name)
        checkpoint = kept.read() or Checkpoint()
        source = Source(journal, each, policies)
        found.append(
            {
                "subscriber": each.name,
                "role": each.role,
                "types": list(each.types),
                "where": each.url or "the topic notices",
                "delivered": checkpoint.delivered,
                "behind": behind(source, tuple(checkpoint.upto.items())),
                "failing": len(checkpoint.failing),
                "given_up": len(kept.given_up()),
            }
        )
    return found


def undelivered(settings: Settings, name: str) -> list[dict[str, Any]]:
    """What was given up of a subscriber (the dead letters): names and reasons."""
    return Checkpoints(settings.outbox_dir, _named(settings, name).name).given_up()


def deliver_again(settings: Settings, name: str) -> int:
    """Ask the outbox to hand over once more what was given up; what is taken is no dead letter any
    more.

    Gives how many there are.
    """
    kept = Checkpoints(settings.outbox_dir, _named(settings, name).name)
    kept.ask_again()
    return len(kept.given_up())


def _named(settings: Settings, name: str) -> Subscriber:
    found = {each.name: each for each in subscribers_of(settings)}
    if name not in found:
        raise UserError(f"there is no subscriber {name}: there are {', '.join(found)}")
    return found[name]
