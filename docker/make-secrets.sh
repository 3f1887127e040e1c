#!/bin/sh
# Make the secrets of this installation, once: keys and passwords that no file of the checkout holds. Never changes one that is there.
set -eu
umask 022  # the volume is mounted where it is needed; the accounts there differ
made=/secrets/medflow.env
[ -s "$made" ] && exit 0
random() { head -c 32 /dev/urandom | od -An -tx1 | tr -d ' \n'; }
postgres=$(random)
trino=$(random)
redis=$(random)
{
    echo "POSTGRES_PASSWORD=$postgres"
    echo "MEDFLOW_PSEUDONYM_KEY=${MEDFLOW_PSEUDONYM_KEY:-$(random)}"
    echo "MEDFLOW_CACHE_KEY=$(random)"
    echo "MEDFLOW_CATALOG=postgresql://medflow:$postgres@postgres:5432/lake"
    echo "MEDFLOW_APP_DB=postgresql://medflow:$postgres@postgres:5432/app"
    echo "MEDFLOW_CACHE=redis://:$redis@redis:6379/0"
    echo "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN=postgresql+psycopg2://medflow:$postgres@postgres:5432/airflow"
    echo "AIRFLOW__CORE__FERNET_KEY=$(head -c 32 /dev/urandom | base64 | tr '+/' '-_')"
    echo "AIRFLOW__API_AUTH__JWT_SECRET=$(random)"
    echo "AIRFLOW__API__SECRET_KEY=$(random)"
    echo "TRINO_CATALOG_USER=trino_reader"
    echo "TRINO_CATALOG_PASSWORD=$trino"
    echo "REDIS_PASSWORD=$redis"
} > "$made.part"
printf %s "$postgres" > /secrets/postgres
printf %s "$redis" > /secrets/redis
mv "$made.part" "$made"
