#!/bin/sh
# Run a command with the secrets that were made at the first start in its environment; what is set already stands.
set -eu
if [ -r /secrets/medflow.env ]; then
    while read -r line; do
        name=${line%%=*}
        eval "given=\${$name:-}"
        [ -n "$given" ] || export "$name=${line#*=}"
    done < /secrets/medflow.env
fi
exec "$@"
