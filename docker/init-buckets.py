"""Make the buckets of warehouse and landing files, where they are missing."""

from __future__ import annotations

from pyarrow import fs

from medflow.lakehouse.storage import Storage
from medflow.settings import load_settings

if __name__ == "__main__":
    settings = load_settings()
    storage = Storage.of(settings)
    for address in (settings.warehouse, settings.landing):
        bucket = address.removeprefix("s3://").partition("/")[0]
        scheme, _, host = storage.endpoint.rpartition("://")
        keys = {"access_key": storage.access_key or None, "secret_key": storage.secret_key or None, "region": storage.region}
        fs.S3FileSystem(**keys, scheme=scheme, endpoint_override=host, allow_bucket_creation=True).create_dir(bucket)
        print(f"bucket {bucket}")
