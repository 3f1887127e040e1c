#!/bin/sh
# Install the Debian packages that the tests need, where this is root on Debian; elsewhere say what is missing.
# With `docker`: those of `make test-compose`, too.
set -eu

has_java() {
    command -v java >/dev/null 2>&1 || return 1
    version=$(java -version 2>&1 | sed -n 's/.*version "\([0-9]*\).*/\1/p' | head -n 1)
    [ "${version:-0}" -ge 17 ]
}

missing=""
command -v git >/dev/null 2>&1 || missing="$missing git"
python3 -c 'import venv, ensurepip' 2>/dev/null || missing="$missing python3-venv"
command -v redis-server >/dev/null 2>&1 || missing="$missing redis-server"
command -v chromium >/dev/null 2>&1 || missing="$missing chromium"
command -v mvn >/dev/null 2>&1 || missing="$missing maven"
ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || command -v initdb >/dev/null 2>&1 || missing="$missing postgresql"
has_java || missing="$missing openjdk-17-jre-headless"
if [ "${1:-}" = docker ]; then
    command -v docker >/dev/null 2>&1 && { command -v dockerd >/dev/null 2>&1 || docker info >/dev/null 2>&1; } || missing="$missing docker.io"
    docker compose version >/dev/null 2>&1 || command -v docker-compose >/dev/null 2>&1 || missing="$missing docker-compose"
    command -v debootstrap >/dev/null 2>&1 || missing="$missing debootstrap"
fi
[ -z "$missing" ] && exit 0

if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
    echo "installing Debian packages:$missing"
    apt-get update -qq
    # shellcheck disable=SC2086  # a list of names
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq $missing
else
    echo "the tests need:$missing. Install them with your system's package manager, then run make again"
    exit 1
fi
