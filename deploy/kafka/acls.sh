#!/bin/sh
# Least privilege on Apache Kafka: who may read and write which topic. Users are SCRAM users over TLS; run it as an administrator:
#   BOOTSTRAP=kafka-1:9093 CONFIG=admin.properties deploy/kafka/acls.sh
# A process finds its own by TIERFOLD_SECURITY_PROTOCOL=SASL_SSL, TIERFOLD_SASL_MECHANISM=SCRAM-SHA-512, TIERFOLD_SASL_USERNAME,
# TIERFOLD_SASL_PASSWORD and TIERFOLD_SSL_CAFILE. Let `allow.everyone.if.no.acl.found` be false.
set -eu
acls() { kafka-acls.sh --bootstrap-server "$BOOTSTRAP" --command-config "$CONFIG" --add "$@"; }

# core systems: say
acls --allow-principal User:core --operation Write --operation Describe --topic interactions
# and are told what was set aside of theirs
acls --allow-principal User:core --operation Read --operation Describe --topic outcomes
# intake: reads what comes, sends strays on, says what was recorded; reads `recorded` to know what it has said
acls --allow-principal User:intake --operation Read --operation Describe --topic interactions --group tierfold-intake
acls --allow-principal User:intake --operation Write --topic interactions
acls --allow-principal User:intake --operation Read --operation Write --operation Describe --topic recorded
acls --allow-principal User:intake --operation Read --operation Write --operation Describe --topic outcomes
# agents: read what was recorded; what follows from it comes in by the front door
acls --allow-principal User:agents --operation Read --operation Describe --topic recorded --group tierfold-agents
acls --allow-principal User:agents --operation Write --operation Describe --topic interactions
# web: decisions, looks and what is posted; asks how much waits
acls --allow-principal User:web --operation Write --operation Describe --topic interactions
# privacy office: deletes what came in for those who are forgotten, and says so by the front door
acls --allow-principal User:privacy --operation Write --operation Delete --operation Describe --topic interactions
# operators: make the topics, and look whether they are as they must be; approve, promote and re-drive by the front door
acls --allow-principal User:operator --operation Write --operation Describe --operation DescribeConfigs --topic interactions
acls --allow-principal User:operator --operation Describe --operation DescribeConfigs --topic recorded
acls --allow-principal User:operator --operation Describe --operation DescribeConfigs --topic outcomes
acls --allow-principal User:operator --operation Describe --operation DescribeConfigs --topic notices
acls --allow-principal User:operator --operation Create --operation Describe --cluster
# whatever scales intake and agents by how much waits for them
acls --allow-principal User:scaling --operation Describe --topic interactions --group tierfold-intake
acls --allow-principal User:scaling --operation Describe --topic recorded --group tierfold-agents
# outbox: tells other systems what happened
acls --allow-principal User:outbox --operation Write --operation Describe --topic notices
# each of these systems reads it as a user with a group of its own name
acls --allow-principal User:crm --operation Read --operation Describe --topic notices --group crm
