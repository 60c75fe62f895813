"""How does a bundle look to people?

One page that tells a customer's story in order, to be read on a screen or printed.
"""

from collections.abc import Iterator
from heapq import merge
from typing import Any

from deploy.reports.comparison import templates
from replay.evidence.verify_bundle import Audited, shown_event


def story(found: Audited, document: dict[str, Any]) -> bytes:
    """The page of a bundle that was verified."""
    of_each = [
        [shown_event(each) for each in stream["events"]]
        for stream in document["streams"]
        if stream["stream"].startswith("customer:")
    ]
    in_order = merge(*of_each, key=lambda event: event["recorded_at"])
    events = [_entry(index, event) for index, event in enumerate(in_order, start=1)]
    return (
        templates.get_template("story.html")
        .render(found=found, document=document, events=events)
        .encode()
    )


def _entry(number: int, event: dict[str, Any]) -> dict[str, Any]:
    return {"number": number, **event, "lines": list(lines("", event["data"]))}


def lines(name: str, said: Any) -> Iterator[tuple[str, str]]:
    """What an event says, a line for each single thing."""
    if isinstance(said, dict) and said:
        for key, value in said.items():
            yield from lines(f"{name}.{key}" if name else key, value)
    elif isinstance(said, list) and any(isinstance(each, dict) for each in said):
        for number, each in enumerate(said, start=1):
            yield from lines(f"{name} {number}", each)
    elif said not in (None, [], {}):
        yield name, ", ".join(map(str, said)) if isinstance(said, list) else str(said)
