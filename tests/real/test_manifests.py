"""Manifests and alerts, held to their own tools: kustomize, the Kubernetes schemas, promtool.

Where one is missing, tests fail.
"""

import subprocess
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

pytestmark = pytest.mark.real

DEPLOY = Path(__file__).parents[2] / "deploy"
VERSION = "1.31"
CUSTOM = {
    "ScaledObject",
    "TriggerAuthentication",
    "PodMonitor",
    "ServiceMonitor",
    "Kafka",
    "KafkaNodePool",
    "KafkaTopic",
    "KafkaUser",
}
"""Kinds of operators, whose schemas are not in Kubernetes'."""


def built(folder: str) -> list[dict[str, Any]]:
    """The manifests as `kubectl apply -k` would send them."""
    done = subprocess.run(
        ["kubectl", "kustomize", DEPLOY / "kubernetes" / folder], capture_output=True, check=True
    )
    return list(yaml.safe_load_all(done.stdout))


@pytest.mark.parametrize("folder", ["base", "jobs", "strimzi"])
def test_manifests_are_valid(folder: str) -> None:
    """Each against the schema of its kind, strictly."""
    found = built(folder)
    for document in found:
        if document["kind"] not in CUSTOM:
            kubernetes_validate.validate(document, VERSION, strict=True)
    assert found


def test_nothing_runs_with_rights_that_it_does_not_need() -> None:
    """As the restricted pod security standard asks.

    No root, no privileges, a file system that is only read, bounded memory.
    """
    pods = [
        spec for document in (*built("base"), *built("jobs")) if (spec := pod(document)) is not None
    ]
    assert len(pods) == 9
    for spec in pods:
        assert spec["securityContext"]["runAsNonRoot"]
        assert spec["automountServiceAccountToken"] is False
        for container in spec["containers"]:
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }
            assert container["resources"]["limits"]["memory"]
            assert container["image"] == "registry.bank.example/tierfold:0.1.0"


def test_whoever_serves_or_works_is_probed() -> None:
    """All by whether they get on; lookups and console alone are asked anything, and wait until they
    answer.
    """
    deployments = {
        document["metadata"]["name"]: document["spec"]["template"]["spec"]
        for document in built("base")
        if document["kind"] == "Deployment"
    }
    for name, spec in deployments.items():
        [container] = spec["containers"]
        assert container["livenessProbe"]["httpGet"]["path"] == "/healthz"
        assert ("readinessProbe" in container) == (name in ("web", "console"))
    assert deployments.keys() == {
        *("intake", "agents", "web", "console", "guard", "notary", "outbox")
    }


def pod(document: dict[str, Any]) -> dict[str, Any] | None:
    """What a manifest runs, if it runs anything."""
    spec = document.get("spec") or {}
    spec = spec.get("jobTemplate", {}).get("spec", spec)
    found: dict[str, Any] | None = spec.get("template", {}).get("spec")
    return found


@pytest.mark.parametrize(
    "words", [("check", "rules", "alerts.yaml"), ("test", "rules", "alerts_test.yaml")]
)
def test_alerts_fire_when_they_have_to(words: tuple[str, ...]) -> None:
    """By Prometheus' own tool, on series that are written out."""
    done = subprocess.run(
        ["promtool", *words], cwd=DEPLOY / "monitoring", capture_output=True, check=False, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
