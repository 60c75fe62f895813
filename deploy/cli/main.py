"""What can be asked on the command line? `tierfold`: every command, and where it is.

Commands import what they need when they run: nobody waits for a model library to see the help.
"""

import os
from functools import partial

from rich.markup import escape

from deploy.cli.explained import complained, explained, is_chinese
from deploy.cli.lazy import LazyGroup
from deploy.observability.logs import set_up_logs
from deploy.terminal import UserError, errors

OWNER_ALONE = 0o077
OUTSIDE = frozenset({"psycopg", "redis", "kafka", "eventsourcing", "sqlite3", "streams", "replay"})
"""Whose errors say what is wrong with what we reach.

A sentence of them is worth more than where in our code they came up.
"""


def _group(name: str, help_: str, table: dict[str, str]) -> LazyGroup:
    """Commands of which only what goes wrong is logged."""
    return LazyGroup(table, help_, name, partial(set_up_logs, "warning", name))


QUARANTINE = _group(
    "quarantine",
    "What could not be recorded: list, show, re-drive, discard.",
    {
        "list": "quarantine:list_entries",
        "show": "quarantine:show_entry",
        "re-drive": "quarantine:re_drive",
        "discard": "quarantine:discard",
    },
)
REPLAY = _group(
    "replay",
    "Try a rule on history, approve it, switch, go back; ask why, rebuild, verify.",
    {
        "facts": "what_if:facts",
        "what-if": "what_if:what_if",
        "as-of": "what_if:as_of",
        "differences": "what_if:differences",
        "explain": "what_if:explain",
        "versions": "rollout:versions",
        "rebuild": "rollout:rebuild",
        "compare": "rollout:compare",
        "approve": "rollout:approve",
        "promote": "rollout:promote",
        "roll-back": "rollout:roll_back",
        "announce": "rollout:announce",
        "verify": "rollout:verify",
        "withdraw": "rollout:withdraw",
        "tell-managers": "rollout:tell_managers",
        "explain-decision": "decisions:explain_decision",
        "verify-decisions": "decisions:verify_decisions",
    },
)
RESTATE = _group(
    "restate",
    "Correct the past: let closed months count anew, with what came late in its place.",
    {
        "propose": "restate:propose",
        "list": "restate:list_restatements",
        "compare": "restate:compare",
        "approve": "restate:approve",
        "promote": "restate:promote",
        "roll-back": "restate:roll_back",
        "withdraw": "restate:withdraw",
        "verify": "restate:verify",
    },
)
POLICY = _group(
    "policy",
    "Check a policy, read it in sentences, try it on history, and propose it.",
    {"check": "policy:check", "try": "policy:try_policy", "propose": "policy:propose"},
)
MODELS = _group(
    "models",
    "What the models have learnt, how good they are, and what choosing is worth.",
    {
        "list": "models:list_models",
        "show": "models:show_model",
        "evaluate": "models:evaluate",
        "rebuild": "models:rebuild",
        "value": "models:value",
        "funnel": "models:show_funnel",
    },
)
AUDIT = _group(
    "audit",
    "Prove that nothing was changed; make and verify bundles for auditors.",
    {
        "keys": "audit:keys",
        "sign": "audit:sign",
        "verify-journal": "audit:verify_journal",
        "bundle": "audit:bundle",
        "verify": "audit:verify",
        "report": "audit:report",
        "certificate": "audit:certificate",
        "access": "audit:access",
    },
)
PRIVACY = _group(
    "privacy",
    "Report, export, restrict and forget what is known of customers.",
    {
        "report": "privacy:report",
        "export": "privacy:export",
        "restrict": "privacy:restrict",
        "lift": "privacy:lift",
        "forget": "privacy:forget",
        "due": "privacy:due",
        "replay": "privacy:replay",
        "rotate": "privacy:rotate",
    },
)
IDENTITIES = _group(
    "identities",
    "Which numbers may be one person's: propose, merge, un-merge.",
    {
        "propose": "identities:propose",
        "merge": "identities:merge",
        "unmerge": "identities:unmerge",
    },
)
NOTICES = _group(
    "notices",
    "Other systems that are told what happened: how far each is, secrets, dead letters.",
    {
        "list": "notices:list_subscribers",
        "secret": "notices:secret",
        "undelivered": "notices:undelivered",
        "deliver-again": "notices:deliver_again",
    },
)
BACKUP = _group(
    "backup",
    "Copy what the embedded default keeps, while it runs.",
    {"journal": "backup:journal", "vault": "backup:vault"},
)
app = LazyGroup(
    {
        "intake": "processes:intake",
        "agents": "processes:agents",
        "web": "processes:web",
        "guard": "processes:guard",
        "notary": "processes:notary",
        "console": "processes:console",
        "job": "processes:job",
        "outbox": "processes:outbox",
        "witness": "processes:witness",
        "up": "stack:up",
        "components": "stack:components",
        "topics": "stack:topics",
        "tables": "stack:tables",
        "feed": "bank:feed",
        "close-day": "bank:close_day",
        "synth": "bank:synth",
        "demo": "bank:demo",
        "digest": "bank:digest",
        "schema": "bank:schema",
        "token": "tokens:token",
        "console-link": "tokens:console_link",
        "quarantine": QUARANTINE,
        "replay": REPLAY,
        "restate": RESTATE,
        "policy": POLICY,
        "models": MODELS,
        "audit": AUDIT,
        "privacy": PRIVACY,
        "identities": IDENTITIES,
        "notices": NOTICES,
        "backup": BACKUP,
    },
    "Tiers, folded from history.",
)


def main() -> None:
    """The `tierfold` command; what it writes is for its owner alone."""
    os.umask(OWNER_ALONE)
    if is_chinese():
        app.speak(explained)
    try:
        app()
    except Exception as error:
        if (
            not isinstance(error, UserError | OSError | ValueError)
            and type(error).__module__.partition(".")[0] not in OUTSIDE
        ):
            raise
        said = str(error) or type(error).__name__
        said = complained(said) if is_chinese() else said
        errors.print(f"[bold red]tierfold:[/] {escape(said)}", highlight=False, soft_wrap=True)
        raise SystemExit(2) from error
