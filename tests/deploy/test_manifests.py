"""Container files and manifests name settings, commands and rights that there are."""

import json
import re
import subprocess
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy.cli.main import app
from deploy.keys import CONSOLE_TOKENS
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


def mounted(secret: str) -> dict[str, set[str]]:
    """The processes that a patch of `base` gives a part of a secret to, by the part."""
    base = KUBERNETES / "base"
    patches = yaml.safe_load((base / "kustomization.yaml").read_text())["patches"]
    found: dict[str, set[str]] = {}
    for patch in patches:
        [said] = yaml.safe_load_all((base / patch["path"]).read_text())
        for volume in said["spec"]["template"]["spec"].get("volumes", ()):
            if volume.get("secret", {}).get("secretName") == secret:
                [part] = volume["secret"]["items"]
                found.setdefault(part["key"], set()).update(patch["target"]["name"].split("|"))
    return found


def test_each_key_is_only_where_it_is_needed() -> None:
    """The notary opens nothing, and the guard says nothing."""
    assert mounted("tierfold-keys") == {
        "master": {"intake", "agents", "web", "guard", "outbox"},
        "door": {"intake", "agents", "web"},
    }


def test_nothing_goes_out_but_where_a_process_has_an_address() -> None:
    """By default to names alone; to Kafka, Redis and token keys for those who ask them."""
    out = {
        policy["metadata"]["name"]: policy["spec"]
        for policy in documents("base")
        if policy["kind"] == "NetworkPolicy" and "Egress" in policy["spec"]["policyTypes"]
    }
    asking = {
        name: {*out[name]["podSelector"]["matchExpressions"][0]["values"]} - {"job"}
        for name in ("to-redis", "to-kafka")
    }
    settings = {
        document["metadata"]["name"]: {
            each["name"] for found in containers(document) for each in found.get("env", ())
        }
        for document in documents("base")
        if document["kind"] == "Deployment" and document["metadata"]["name"] != "any"
    }

    assert out["nothing-goes-out-but-names"]["podSelector"] == {}
    assert asking["to-redis"] == {n for n, said in settings.items() if "TIERFOLD_REDIS" in said}
    assert asking["to-kafka"] == {
        n for n, said in settings.items() if "TIERFOLD_SASL_USERNAME" in said
    }


def test_the_bill_of_materials_names_all_that_ships_with_its_hashes(tmp_path: Path) -> None:
    """As the lock has it; what tests need is not in it."""
    written = tmp_path / "sbom.cdx.json"
    done = subprocess.run(
        ["make", "--no-print-directory", "sbom", f"SBOM={written}"],
        cwd=DEPLOY.parent,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
    bill = json.loads(written.read_text())
    hashes = {
        part["name"]: [each["hashes"] for each in part["externalReferences"]]
        for part in bill["components"]
    }

    assert (bill["bomFormat"], bill["specVersion"]) == ("CycloneDX", "1.5")
    assert {"faust-streaming", "eventsourcing", "river", "redis"} <= hashes.keys()
    assert not {"pytest", "hypothesis"} & hashes.keys()
    assert all(found and all(found) for found in hashes.values())


def test_no_job_is_begun_where_several_lookups_share_an_address() -> None:
    """A job is known to the machine that began it, and has the few rights of the lookups."""
    base = yaml.safe_load((KUBERNETES / "base" / "kustomization.yaml").read_text())
    [settings] = [each for each in base["configMapGenerator"] if each["name"] == "tierfold"]

    assert "TIERFOLD_JOBS=false" in settings["literals"]


def test_the_lookups_have_the_key_of_the_console_tokens_and_no_other_of_its_keys() -> None:
    """They believe what the console says, and can neither begin a session nor log in as it."""
    shared = {
        document["metadata"]["name"]: volume["secret"].get("items")
        for document in documents("base")
        if document["kind"] == "Deployment"
        for volume in document["spec"]["template"]["spec"].get("volumes", ())
        if volume.get("secret", {}).get("secretName") == "tierfold-console"
    }
    assert shared == {"console": None, "web": [{"key": CONSOLE_TOKENS, "path": CONSOLE_TOKENS}]}


def test_the_console_finds_the_lookups_by_their_service_and_nothing_else() -> None:
    """What its manifest says is a service that there is, and neither journal nor Redis."""
    said = {
        (document["kind"], document["metadata"]["name"]): document
        for document in documents("base")
        if "metadata" in document
    }
    [container] = containers(said["Deployment", "console"])
    env = {each["name"]: each.get("value") for each in container["env"]}
    settings = Settings(host="bank", lookups_url=env["TIERFOLD_LOOKUPS_URL"])

    name = settings.asked_at.removeprefix("http://")
    assert said["Service", name]["spec"]["selector"]["app.kubernetes.io/component"] == "web"
    assert settings.address == "http://bank:8080"
    assert not {"TIERFOLD_JOURNAL", "TIERFOLD_REDIS", "TIERFOLD_VAULT"} & env.keys()
    assert Settings(embedded=False, **_as_settings(env)).console_may_ask


def _as_settings(env: dict[str, Any]) -> dict[str, Any]:
    names = ("TIERFOLD_OPENID_ISSUER", "TIERFOLD_CONSOLE_URL")
    return {name.removeprefix("TIERFOLD_").lower(): env[name] for name in names}
