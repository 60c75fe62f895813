"""Apache Kafka in KRaft mode from its jars.

One broker or a cluster, open on loopback or with SASL/SCRAM and ACLs.
"""

import fcntl
import os
import shutil
import subprocess
import uuid
from base64 import urlsafe_b64encode
from collections.abc import Mapping, Sequence
from pathlib import Path

from deploy.components.program import Missing, Program

POM = Path(__file__).parents[1] / "kafka" / "pom.xml"
ACLS = Path(__file__).parents[1] / "kafka" / "acls.sh"
MEMORY = ("-Xms128m", "-Xmx384m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")
"""For a broker that shares a small machine; a bank's own has a machine to itself."""
ENDING = 5.0
"""Seconds for a broker to end.

The last ones would wait for each other, and what they acknowledged is there whoever kills them.
"""
ADMIN = "admin"
USERS = (ADMIN, "core", "intake", "agents", "web", "privacy", "operator", "scaling")
"""The administrator, and whose rights the shipped ACLs name."""
SCRAM = "SCRAM-SHA-512"
TOOLS = {
    "kafka-acls.sh": "org.apache.kafka.tools.AclCommand",
    "kafka-topics.sh": "org.apache.kafka.tools.TopicCommand",
}
"""Kafka's own commands, under the names that its distribution gives them."""


def jars(folder: Path) -> Path:
    """The folder with Kafka's jars, resolved by Maven unless they are there. Raises `Missing`.

    One process at a time: two Mavens that fill one folder break each other's files.
    """
    there = folder / "jars"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "jars.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (there / "complete").is_file():
            _resolve(there)
    return there


def _resolve(there: Path) -> None:
    """Let Maven copy what Kafka needs into a folder. Raises `Missing`."""
    if not (maven := shutil.which("mvn")) or not shutil.which("java"):
        raise Missing(
            "Apache Kafka needs java (17 or later) and mvn: install the packages "
            "default-jre-headless and maven, or name a running broker"
        )
    command = [
        maven,
        "-q",
        "-B",
        "--strict-checksums",
        "-f",
        str(POM),
        "dependency:copy-dependencies",
        f"-DoutputDirectory={there.resolve()}",
    ]
    done = subprocess.run(command, capture_output=True, check=False)
    if done.returncode:
        raise Missing(
            f"Maven cannot get Apache Kafka: {done.stdout.decode(errors='replace').strip()[-500:]}"
        )
    (there / "complete").touch()


def cluster_of(folder: Path) -> str:
    """The name of the cluster in a folder, as Kafka wants one: 22 characters of base64 for URLs."""
    return urlsafe_b64encode(uuid.uuid5(uuid.NAMESPACE_URL, str(folder)).bytes).decode().rstrip("=")


class Kafka:
    """A broker for every second port in a folder.

    Each is also a controller, on the port behind its own.

    With `passwords` by user, the administrator among them, nobody else is let in, and nobody may
    what no ACL says.
    """

    def __init__(
        self, folder: Path, jars: Path, ports: Sequence[int], passwords: Mapping[str, str]
    ) -> None:
        self._folder = folder.resolve()
        self._jars = jars.resolve()
        self._passwords = passwords
        self._clients = [f"127.0.0.1:{port}" for port in ports[::2]]
        self._controllers = [f"127.0.0.1:{port}" for port in ports[1::2]]
        self.brokers = [self._broker(number) for number, _ in enumerate(self._clients, start=1)]

    @property
    def servers(self) -> str:
        """Where clients find them, `host:port,host:port`."""
        return ",".join(self._clients)

    def start(self) -> None:
        """Format what is new, start all brokers, wait until they answer. Raises `Missing`."""
        cluster = cluster_of(self._folder)
        for number, broker in enumerate(self.brokers, start=1):
            self._format(number, cluster)
            broker.start()
        for broker in self.brokers:
            broker.wait()
        self._write_tools()

    def stop(self) -> None:
        """Stop all brokers at once."""
        for broker in self.brokers:
            broker.ask_to_stop()
        for broker in self.brokers:
            broker.stop()

    def tool(self, name: str, *words: str) -> str:
        """What one of Kafka's own commands prints, run as the administrator.

        Raises `CalledProcessError`.
        """
        given = [
            "--bootstrap-server",
            self.servers,
            *(("--command-config", str(self.login(ADMIN))) if self._passwords else ()),
        ]
        return subprocess.run(
            [self._folder / "bin" / name, *given, *words],
            capture_output=True,
            check=True,
            text=True,
        ).stdout

    def apply_acls(self) -> None:
        """Who may read and write what, by the script that is shipped; raises
        `CalledProcessError`.
        """
        path = f"{self._folder / 'bin'}:{os.environ['PATH']}"
        chosen = {
            **os.environ,
            "PATH": path,
            "BOOTSTRAP": self.servers,
            "CONFIG": str(self.login(ADMIN)),
        }
        subprocess.run(["sh", str(ACLS)], env=chosen, capture_output=True, check=True)

    def login(self, user: str) -> Path:
        """A file for Kafka's own commands, with which they are let in as this user.

        For its owner only.
        """
        file = self._folder / f"{user}.properties"
        file.touch(mode=0o600)
        file.write_text(
            f"security.protocol=SASL_PLAINTEXT\nsasl.mechanism={SCRAM}\nsasl.jaas.config={_jaas('scram.Scram', user, self._passwords[user])}\n"  # noqa: E501
        )
        return file

    def security(self, user: str) -> dict[str, str]:
        """The settings (`TIERFOLD_*`) with which a process is let in as this user.

        None where everybody is.
        """
        if not self._passwords:
            return {}
        return {
            "TIERFOLD_SECURITY_PROTOCOL": "SASL_PLAINTEXT",
            "TIERFOLD_SASL_MECHANISM": SCRAM,
            "TIERFOLD_SASL_USERNAME": user,
            "TIERFOLD_SASL_PASSWORD": self._passwords[user],
        }

    def _broker(self, number: int) -> Program:
        folder = self._home(number)
        command = self._java("kafka.Kafka", str(folder / "server.properties"))
        return Program(
            f"kafka-{number}",
            command,
            self._clients[number - 1],
            folder / "kafka.log",
            patience=ENDING,
        )

    def _java(self, main: str, *words: str) -> list[str]:
        quiet = "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn"
        return ["java", *MEMORY, quiet, "-cp", f"{self._jars}/*", main, *words]

    def _home(self, number: int) -> Path:
        home = self._folder / f"broker-{number}"
        home.mkdir(parents=True, exist_ok=True)
        return home

    def _format(self, number: int, cluster: str) -> None:
        """Trap: the first users have to be there before anybody can be let in to make them.

        And a cluster's name may begin with a dash.
        """
        home = self._home(number)
        properties = home / "server.properties"
        properties.touch(mode=0o600)
        properties.write_text(
            "\n".join(f"{name}={value}" for name, value in self._properties(number).items()) + "\n"
        )
        if (home / "data" / "meta.properties").is_file():
            return
        users = [
            f"--add-scram={SCRAM}=[name={user},password={password}]"
            for user, password in self._passwords.items()
        ]
        command = self._java(
            "kafka.tools.StorageTool",
            "format",
            f"--cluster-id={cluster}",
            "-c",
            str(properties),
            *users,
        )
        done = subprocess.run(command, capture_output=True, check=False)
        if done.returncode:
            raise Missing(
                "Kafka's storage cannot be made: "
                f"{(done.stdout + done.stderr).decode(errors='replace').strip()[-500:]}"
            )

    def _properties(self, number: int) -> dict[str, str]:
        copies = min(3, len(self._clients))
        client, controller = self._clients[number - 1], self._controllers[number - 1]
        plain = {
            "process.roles": "broker,controller",
            "node.id": f"{number}",
            "controller.quorum.voters": ",".join(
                f"{place}@{address}" for place, address in enumerate(self._controllers, start=1)
            ),
            "listeners": f"CLIENT://{client},CONTROLLER://{controller}",
            "advertised.listeners": f"CLIENT://{client}",
            "controller.listener.names": "CONTROLLER",
            "inter.broker.listener.name": "CLIENT",
            "log.dirs": str(self._home(number) / "data"),
            "auto.create.topics.enable": "false",
            "default.replication.factor": f"{copies}",
            "min.insync.replicas": f"{max(1, copies - 1)}",
            "offsets.topic.replication.factor": f"{copies}",
            "offsets.topic.num.partitions": "4",
            "transaction.state.log.replication.factor": f"{copies}",
            "transaction.state.log.min.isr": f"{max(1, copies - 1)}",
            "group.initial.rebalance.delay.ms": "0",
            "controlled.shutdown.enable": "true",
        }
        protocols = "SASL_PLAINTEXT" if self._passwords else "PLAINTEXT"
        return {
            **plain,
            "listener.security.protocol.map": f"CLIENT:{protocols},CONTROLLER:{protocols}",
            **(self._secured() if self._passwords else {}),
        }

    def _secured(self) -> dict[str, str]:
        """Clients and brokers by SCRAM.

        Controllers by a password of theirs, because SCRAM's users are kept by the controllers.
        """
        own = _jaas("plain.Plain", ADMIN, self._passwords[ADMIN])
        return {
            "sasl.enabled.mechanisms": SCRAM,
            "sasl.mechanism.inter.broker.protocol": SCRAM,
            "sasl.mechanism.controller.protocol": "PLAIN",
            "listener.name.client.sasl.enabled.mechanisms": SCRAM,
            "listener.name.controller.sasl.enabled.mechanisms": "PLAIN",
            "listener.name.client.scram-sha-512.sasl.jaas.config": _jaas(
                "scram.Scram", ADMIN, self._passwords[ADMIN]
            ),
            "listener.name.controller.plain.sasl.jaas.config": own.removesuffix(";")
            + f' user_{ADMIN}="{self._passwords[ADMIN]}";',
            "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            "allow.everyone.if.no.acl.found": "false",
            "super.users": f"User:{ADMIN}",
        }

    def _write_tools(self) -> None:
        home = self._folder / "bin"
        home.mkdir(exist_ok=True)
        for name, main in TOOLS.items():
            tool = home / name
            tool.write_text(
                f'#!/bin/sh\nexec java -XX:TieredStopAtLevel=1 -Dorg.slf4j.simpleLogger.defaultLogLevel=warn -cp "{self._jars}/*" {main} "$@"\n'  # noqa: E501
            )
            tool.chmod(0o700)


def _jaas(kind: str, user: str, password: str) -> str:
    return f'org.apache.kafka.common.security.{kind}LoginModule required username="{user}" password="{password}";'  # noqa: E501
