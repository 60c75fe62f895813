#!/bin/sh
# What Apache Kafka, PostgreSQL and Redis need on a Debian machine, for tests: installs what is not there; elsewhere says what to install.
set -eu
missing=""
command -v java > /dev/null || missing="$missing default-jre-headless"
command -v mvn > /dev/null || missing="$missing maven"
command -v redis-server > /dev/null || missing="$missing redis-server"
{ command -v initdb || ls /usr/lib/postgresql/*/bin/initdb; } > /dev/null 2>&1 || missing="$missing postgresql"
# and what checks the manifests and alerts
command -v kubectl > /dev/null || missing="$missing kubernetes-client"
command -v promtool > /dev/null || missing="$missing prometheus"
# and what lets a clock step
command -v cc > /dev/null || missing="$missing gcc libc6-dev"
. "$(dirname "$0")/packages.sh"
