"""What must a core system send, and a tier owner write?

JSON Schemas and an AsyncAPI document, from the models themselves. What only the bank itself says is
apart, in a folder of its own.
"""

import json
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel

from deploy.operations.field_words import words_for
from domain.event import is_own_word
from domain.event_types import EVENT_BY_TYPE, PREFIX, type_key
from domain.notices.notice import GRANTS, OF_EVENTS, SHORT
from domain.offers.catalogue import Catalogue
from domain.tiering.policy import TierPolicy
from domain.tiering.precedence import Precedence
from streams.broker.kafka import INTERACTIONS, NOTICES, OUTCOME_TOPIC, RECORDED
from streams.ingest.cloudevents import BATCH, STRUCTURED
from streams.ingest.set_aside import SET_ASIDE

WRITTEN: dict[str, type[BaseModel]] = {
    "tier-policy.schema.json": TierPolicy,
    "precedence.schema.json": Precedence,
    "catalogue.schema.json": Catalogue,
}
"""What people write, and how it is called."""
DIALECT = "https://json-schema.org/draft/2020-12/schema"


OWN = "own"
"""The folder of what only the bank itself says."""
SENDERS = [name for name, event in EVENT_BY_TYPE.items() if not is_own_word(event)]
"""The types that are for senders."""


def write_schemas(folder: Path) -> int:
    """Write `NAME.vN.json` for every type, `asyncapi.yaml`, and a schema of what people write.

    Gives the number of files.
    """
    (folder / OWN).mkdir(parents=True, exist_ok=True)
    for event_type in EVENT_BY_TYPE:
        place = folder if event_type in SENDERS else folder / OWN
        (place / f"{event_type}.json").write_text(
            json.dumps(event_schema(event_type), indent=2, ensure_ascii=False) + "\n",
            encoding="utf-8",
        )
    (folder / "asyncapi.yaml").write_text(
        yaml.safe_dump(asyncapi(), sort_keys=False, allow_unicode=True), encoding="utf-8"
    )
    for name, shape in WRITTEN.items():
        said = {"$schema": DIALECT, **shape.model_json_schema()}
        (folder / name).write_text(
            json.dumps(said, indent=2, ensure_ascii=False) + "\n", encoding="utf-8"
        )
    return len(EVENT_BY_TYPE) + 1 + len(WRITTEN)


def event_schema(event_type: str) -> dict[str, Any]:
    """The JSON Schema of one event as a structured CloudEvent."""
    event = EVENT_BY_TYPE[event_type]
    data = event.model_json_schema(ref_template="#/$defs/{model}")
    definitions = data.pop("$defs", {})
    for name, said in data.get("properties", {}).items():
        if words := words_for(event_type.partition(".")[0], name):
            said["description"] = words
    text = {"type": "string", "minLength": 1, "maxLength": 200}
    subjects = "|".join(
        "bank" if kind == "bank" else rf"{kind}:[A-Za-z0-9_.\-:/@#]+" for kind in event.concerns
    )
    return {
        "$schema": DIALECT,
        "title": event.__name__,
        "description": event.__doc__,
        "type": "object",
        "required": [
            "specversion",
            "id",
            "source",
            "type",
            "subject",
            "time",
            "businessdate",
            "data",
        ],
        "properties": {
            "specversion": {"const": "1.0"},
            "id": {
                **text,
                "description": "With `source`, the name of this event in the history of its "
                "`subject`, for ever; a resend repeats all three.",
            },
            "source": {**text, "description": "The system that sends it, by a name of its own."},
            "type": {"const": f"{PREFIX}{event_type}"},
            "subject": {
                "type": "string",
                "pattern": f"^({subjects})$",
                "description": "The stream; also the Kafka key.",
            },
            "time": {
                "type": "string",
                "format": "date-time",
                "description": "When it happened, with its offset.",
            },
            "businessdate": {
                "type": "string",
                "format": "date",
                "description": "The bank's own date for it.",
            },
            "cause": {
                "type": "string",
                "description": "`source#id` of the event that this one follows from.",
            },
            "data": data,
        },
        "$defs": definitions,
    }


def asyncapi() -> dict[str, Any]:
    """The AsyncAPI 3.0 document of what core systems write, and are told."""
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "tierfold interactions",
            "version": "1",
            "description": f"CloudEvents 1.0 over Kafka: binary, structured ({STRUCTURED}) or batched ({BATCH}). "  # noqa: E501
            f"Key = subject, partitioned by murmur2. `{RECORDED}` is ours and carries what was recorded.",  # noqa: E501
        },
        "channels": {
            INTERACTIONS: {
                "address": INTERACTIONS,
                "messages": {
                    event_type.replace(".", "-"): {
                        "$ref": f"#/components/messages/{event_type.replace('.', '-')}"
                    }
                    for event_type in SENDERS
                },
            },
            OUTCOME_TOPIC: {
                "address": OUTCOME_TOPIC,
                "messages": {"arrival-set-aside-v1": _set_aside()},
            },
            NOTICES: {
                "address": NOTICES,
                "messages": {
                    type_key(event).replace(".", "-"): _notice(name)
                    for name, event in OF_EVENTS.items()
                },
            },
        },
        "operations": {
            "receiveInteraction": {
                "action": "receive",
                "channel": {"$ref": f"#/channels/{INTERACTIONS}"},
            },
            "sendOutcome": {
                "action": "send",
                "channel": {"$ref": f"#/channels/{OUTCOME_TOPIC}"},
            },
            "sendNotice": {
                "action": "send",
                "channel": {"$ref": f"#/channels/{NOTICES}"},
            },
        },
        "components": {
            "messages": {
                event_type.replace(".", "-"): _message(event_type) for event_type in SENDERS
            }
        },
    }


def _notice(name: str) -> dict[str, Any]:
    """What other systems are told of an event: these fields of its data."""
    event = OF_EVENTS[name]
    fields = SHORT.get(name, tuple(event.model_fields))
    named = {each: {"type": "string"} for each in ("id", "source", "subject", "time", "cause")}
    return {
        "name": f"{PREFIX}{type_key(event)}",
        "contentType": STRUCTURED,
        "summary": event.__doc__,
        "description": f"Told to {', '.join(GRANTS[name])}; by webhook, or on this topic.",
        "payload": {
            "type": "object",
            "required": ["specversion", "id", "source", "type", "subject", "time"],
            "properties": {
                "specversion": {"const": "1.0"},
                "type": {"const": f"{PREFIX}{type_key(event)}"},
                **named,
                "businessdate": {"type": "string", "format": "date"},
                "dataref": {
                    "type": "string",
                    "description": "Where data is that is too large.",
                },
                "data": {"type": "object", "properties": {each: {} for each in fields}},
            },
        },
        "bindings": {"kafka": {"key": {"type": "string", "description": "The subject."}}},
    }


def _set_aside() -> dict[str, Any]:
    """What senders are told of something that was set aside."""
    text = {"type": ["string", "null"]}
    data = {
        "source": {**text, "description": "The source of what was sent, where it can be read."},
        "id": {**text, "description": "Its id."},
        "type": {**text, "description": "Its type."},
        "field": {**text, "description": "The field at fault, where there is one."},
        "reason": {"type": "string", "description": "Why it was set aside."},
        "log": {"type": "string", "description": "The log in which it came."},
        "offset": {"type": "integer", "description": "Its offset there."},
        "item": {"type": "integer", "description": "Its place in the message."},
    }
    named = {name: {"type": "string"} for name in ("id", "source", "subject", "time")}
    return {
        "name": SET_ASIDE,
        "contentType": STRUCTURED,
        "summary": "Something was set aside. The subject is the source of what was sent.",
        "payload": {
            "type": "object",
            "required": ["specversion", "id", "source", "type", "time", "data"],
            "properties": {
                "specversion": {"const": "1.0"},
                "type": {"const": SET_ASIDE},
                **named,
                "data": {"type": "object", "properties": data},
            },
        },
    }


def _message(event_type: str) -> dict[str, Any]:
    return {
        "name": f"{PREFIX}{event_type}",
        "contentType": STRUCTURED,
        "summary": EVENT_BY_TYPE[event_type].__doc__,
        "payload": {"$ref": f"./{event_type}.json"},
        "bindings": {"kafka": {"key": {"type": "string", "description": "The event's subject."}}},
    }
