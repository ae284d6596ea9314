#!/bin/sh
# Starts Kafka from KAFKA_* variables, by the naming rules of the official image:
# KAFKA_LOG_DIRS is log.dirs, a double underscore is one, a triple one is a hyphen.
set -eu
config=/tmp/server.properties
env | sed -n 's/^KAFKA_\([A-Z_]*\)=/\1=/p' | while IFS='=' read -r name value; do
    [ "$name" = HEAP_OPTS ] && continue
    key=$(printf %s "$name" | tr '[:upper:]' '[:lower:]' | sed 's/___/-/g; s/__/%/g; s/_/./g; s/%/_/g')
    printf '%s=%s\n' "$key" "$value"
done > "$config"
classpath=$(printf '%s:' /opt/kafka/*.jar)
flags="${KAFKA_HEAP_OPTS:--Xmx256m} -XX:+UseSerialGC -XX:TieredStopAtLevel=1"
# shellcheck disable=SC2086 # several flags in one variable
java $flags -cp "$classpath" kafka.tools.StorageTool format --ignore-formatted \
    --cluster-id "${CLUSTER_ID:-5L6g3nShT-eMCtK--X86sw}" --config "$config"
# shellcheck disable=SC2086
exec java $flags -cp "$classpath" kafka.Kafka "$config"
