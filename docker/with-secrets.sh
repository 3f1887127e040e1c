#!/bin/sh
# Run a command with the secrets that were made at the first start in its environment; what is set already stands.
set -eu
if [ -r /secrets/medflow.env ]; then
    while IFS='=' read -r name value; do
        eval "given=\${$name:-}"
        [ -n "$given" ] || export "$name=$value"
    done < /secrets/medflow.env
fi
exec "$@"
