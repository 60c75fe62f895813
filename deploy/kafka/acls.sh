#!/bin/sh
# Least privilege on Apache Kafka: who may read and write which topic. Users are SCRAM users over TLS; run it as an administrator:
#   BOOTSTRAP=kafka-1:9093 CONFIG=admin.properties deploy/kafka/acls.sh
# A process finds its own by TIERFOLD_SECURITY_PROTOCOL=SASL_SSL, TIERFOLD_SASL_MECHANISM=SCRAM-SHA-512, TIERFOLD_SASL_USERNAME,
# TIERFOLD_SASL_PASSWORD and TIERFOLD_SSL_CAFILE. Let `allow.everyone.if.no.acl.found` be false.
set -eu
acls() { kafka-acls.sh --bootstrap-server "$BOOTSTRAP" --command-config "$CONFIG" --add "$@"; }

# core systems: say, and read nothing
acls --allow-principal User:core --producer --topic interactions
# intake: reads what comes, sends strays on, says what was recorded; reads `recorded` to know what it has said
acls --allow-principal User:intake --consumer --topic interactions --group tierfold-intake
acls --allow-principal User:intake --producer --topic interactions --idempotent
acls --allow-principal User:intake --producer --topic recorded --idempotent
acls --allow-principal User:intake --operation Read --operation Describe --topic recorded
# agents: read what was recorded; what follows from it comes in by the front door
acls --allow-principal User:agents --consumer --topic recorded --group tierfold-agents
acls --allow-principal User:agents --producer --topic interactions --idempotent
# web: decisions, looks and what is posted; asks how much waits
acls --allow-principal User:web --producer --topic interactions --idempotent
acls --allow-principal User:web --operation Describe --topic interactions
# privacy office: deletes what came in for those who are forgotten, and says so by the front door
acls --allow-principal User:privacy --producer --topic interactions --idempotent
acls --allow-principal User:privacy --operation Delete --operation Describe --topic interactions
# operators: make the topics, and look whether they are as they must be; approve, promote and re-drive by the front door
acls --allow-principal User:operator --producer --topic interactions --idempotent
acls --allow-principal User:operator --operation DescribeConfigs --topic interactions
acls --allow-principal User:operator --operation Describe --operation DescribeConfigs --topic recorded
acls --allow-principal User:operator --operation Create --operation Alter --operation Describe --cluster
