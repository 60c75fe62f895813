"""Container files and manifests name settings, commands and rights that there are."""

import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy.cli.main import app
from deploy.settings import Settings

DEPLOY = Path(__file__).parents[2] / "deploy"
KUBERNETES = DEPLOY / "kubernetes"
FILES = sorted(
    [
        *KUBERNETES.rglob("*.yaml"),
        DEPLOY / "container" / "compose.yaml",
        DEPLOY / "container" / "Containerfile",
    ]
)


def documents(folder: str) -> Iterator[dict[str, Any]]:
    """The manifests of a folder."""
    for file in (KUBERNETES / folder).glob("*.yaml"):
        yield from yaml.safe_load_all(file.read_text())


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(DEPLOY)))
def test_settings_that_are_named_are_there(file: Path) -> None:
    """A setting with a spelling mistake would be ignored, and its default taken."""
    named = set(re.findall(r"\bTIERFOLD_[A-Z_]+", file.read_text()))
    assert {
        name.removeprefix("TIERFOLD_").lower() for name in named
    } <= Settings.model_fields.keys()


def test_commands_that_are_given_are_there() -> None:
    """By manifests and by the compose file."""
    given = [
        found["args"]
        for folder in ("base", "jobs")
        for document in documents(folder)
        for found in containers(document)
        if "args" in found
    ]
    services = yaml.safe_load((DEPLOY / "container" / "compose.yaml").read_text())["services"]
    given += [
        service["command"]
        for service in services.values()
        if service.get("image") == "tierfold" and "command" in service
    ]

    assert len(given) > 10
    for words in given:
        command: Any = app
        for word in words:
            if not hasattr(command, "list_commands"):
                break
            command = command.get_command(None, word)
            assert command is not None, words


def containers(part: Any) -> Iterator[dict[str, Any]]:
    """Every container in a manifest."""
    if isinstance(part, dict):
        for name in ("containers", "initContainers"):
            yield from part.get(name, ())
        for each in part.values():
            yield from containers(each)
    elif isinstance(part, list):
        for each in part:
            yield from containers(each)


def test_both_lists_of_rights_on_kafka_are_the_same() -> None:
    """Those of the script, and those for the Strimzi operator: by user, kind, name
    and operation.
    """
    strimzi = {
        (user["metadata"]["name"], acl["resource"]["type"], acl["resource"]["name"], operation)
        for user in documents("strimzi")
        if user["kind"] == "KafkaUser"
        for acl in user["spec"]["authorization"]["acls"]
        for operation in acl["operations"]
    }
    assert strimzi == set(scripted())


def scripted() -> Iterator[tuple[str, str, str, str]]:
    """What the script allows, but for operations on the whole cluster, which are the topic
    operator's there.
    """
    for line in (DEPLOY / "kafka" / "acls.sh").read_text().splitlines():
        words = line.split()
        if words[:2] != ["acls", "--allow-principal"] or "--cluster" in words:
            continue
        said = list(pairwise(words))
        [user] = [
            value.removeprefix("User:") for name, value in said if name == "--allow-principal"
        ]
        assert not {"--producer", "--consumer"} & set(words), "these allow more than they say"
        for kind in ("topic", "group"):
            yield from (
                (user, kind, value, operation)
                for name, value in said
                if name == f"--{kind}"
                for option, operation in said
                if option == "--operation"
            )
