#!/bin/sh
# Trino with its image's own Java settings, and MedFlow's catalog, limits and rules; secrets come from the environment.
set -eu
etc=$(mktemp -d)
cp /etc/trino/jvm.config /etc/trino/node.properties "$etc"
cp -r /trino/. "$etc"
export TRINO_S3_ACCESS_KEY="$MEDFLOW_S3_ACCESS_KEY" TRINO_S3_SECRET_KEY="$MEDFLOW_S3_SECRET_KEY"
exec /usr/lib/trino/bin/launcher run --etc-dir "$etc" "-Dnode.id=$(hostname)"
