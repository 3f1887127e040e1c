"""LocalStack's S3: landing files and warehouse. As its free edition does, it forgets every object when it restarts."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pyarrow import fs

from tests.services.packages import localstack_program
from tests.services.server import Server, answers, free_ports, running

LANDING = "medflow-landing"
WAREHOUSE = "medflow-lake"
ACCESS_KEY = "medflow"
SECRET_KEY = "for-tests"
REGION = "us-east-1"


@dataclass
class LocalStack:
    """A running S3 with the buckets of landing files and warehouse."""

    server: Server
    port: int

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def files(self) -> fs.S3FileSystem:
        """Its objects, as an attacker or an operator reaches them."""
        scheme, _, host = self.endpoint.partition("://")
        return fs.S3FileSystem(
            access_key=ACCESS_KEY, secret_key=SECRET_KEY, region=REGION, endpoint_override=host, scheme=scheme, allow_bucket_creation=True
        )

    def make_buckets(self) -> None:
        """The two buckets, where they are missing: a restart forgets them."""
        for bucket in (LANDING, WAREHOUSE):
            self.files.create_dir(bucket)

    @property
    def settings(self) -> dict[str, str]:
        """The settings that name it."""
        return {
            "MEDFLOW_S3_ENDPOINT": self.endpoint,
            "MEDFLOW_S3_REGION": REGION,
            "MEDFLOW_S3_ACCESS_KEY": ACCESS_KEY,
            "MEDFLOW_S3_SECRET_KEY": SECRET_KEY,
        }


@contextmanager
def localstack(folder: Path, port: int | None = None) -> Iterator[LocalStack]:
    """An S3 with empty buckets. Its data lie below `folder` while it runs."""
    port = port or free_ports(1)[0]
    environment = {
        "SERVICES": "s3",
        "EAGER_SERVICE_LOADING": "1",
        "SKIP_SSL_CERT_DOWNLOAD": "1",
        "DISABLE_EVENTS": "1",
        "GATEWAY_LISTEN": f"127.0.0.1:{port}",
        "LOCALSTACK_VOLUME_DIR": str(folder / "localstack"),
        "FILESYSTEM_ROOT": str(folder / "localstack"),
        "PYTHONPATH": "",
    }
    ready = answers(f"http://127.0.0.1:{port}/_localstack/health")
    server = Server("localstack", [localstack_program(), "-m", "localstack.runtime.main"], folder, ready, environment)
    with running(server):
        found = LocalStack(server, port)
        found.make_buckets()
        yield found
