"""The one settings class: argument > MEDFLOW_* environment > .env > default. Nothing else reads the environment."""

from __future__ import annotations

import os
import re
import secrets
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from dotenv import dotenv_values
from pydantic import Field, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from medflow.errors import UsageError

PREFIX = "MEDFLOW_"
ENV_FILE = ".env"
_KEY_BYTES = 32
_OF_PSEUDONYMS = "put back the one that the lake was built with, or set MEDFLOW_PSEUDONYM_KEY"


def packaged_knowledge_base() -> Path:
    """The declarations that ship with MedFlow: beside the package in a checkout, inside it in a wheel."""
    inside, beside = Path(__file__).parent / "knowledge_base", Path(__file__).parents[1] / "knowledge_base"
    return inside if inside.is_dir() else beside


class Settings(BaseSettings):
    """Frozen settings; each name without the prefix. Defaults of the URLs hang below `home`."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_file=ENV_FILE, env_file_encoding="utf-8", frozen=True, extra="ignore", ignored_types=(cached_property,)
    )

    home: Path = Path(".medflow")
    catalog: str = ""
    warehouse: str = ""
    landing: str = ""
    knowledge_base: Path = Field(default_factory=packaged_knowledge_base)
    build_engine: str = "duckdb"
    memory: str = "3GB"
    threads: int = Field(default=0, ge=0, description="0 = as many as the machine has")
    jars: Path = Field(default_factory=lambda: Path.home() / ".cache" / "medflow" / "jars", description="where Spark's jars are kept")
    row_limit: int = Field(default=10_000, ge=1, description="rows of an answer")
    query_timeout_s: float = Field(default=30.0, gt=0, description="seconds that a question's query may take")
    query_memory: str = "1GB"
    auth: Literal["off"] = Field(default="off", description="who asks need not say who they are: the API listens on loopback only")
    api_port: int = Field(default=8000, ge=1, le=65535, description="where `medflow serve` listens")
    api_url: str = Field(default="http://127.0.0.1:8000", description="where the page finds the API")
    airflow_url: str = Field(default="http://localhost:8088", description="where the page's link to Airflow leads")
    spark_ui_url: str = Field(default="http://localhost:8080", description="where the page's link to Spark leads")
    cache: str = Field(
        default="memory://", repr=False, description="where plans and results are kept: memory://, redis://host:port/db, none://"
    )
    vector_store: str = Field(default="", description="chroma:///folder, or chroma+http://host:port")
    app_db: str = Field(default="", description="where open conversations are kept: sqlite:///… or postgresql://…")
    planner: Literal["grammar", "claude", "grammar+claude"] = "grammar"
    model: str = "claude-sonnet-5-5"
    model_light: str = "claude-haiku-5-5"
    model_base_url: str = Field(default="", description="another address of the Messages API; empty = Anthropic's own")
    model_timeout_s: float = Field(default=30.0, gt=0, description="seconds that the model may take over one call")
    tokens_per_day: int = Field(default=1_000_000, ge=0, description="tokens that the model may take a day (UTC)")
    s3_endpoint: str = Field(default="", description="http://host:port of an S3 that is not Amazon's; empty = Amazon's")
    s3_region: str = Field(default="us-east-1", description="the region of the buckets")
    s3_access_key: str = Field(default="", repr=False, description="empty = as Amazon's own tools find it")
    s3_secret_key: str = Field(default="", repr=False)
    query_engine: str = Field(default="duckdb", repr=False, description="where questions run: duckdb, trino://host:port, spark://host:port")
    pseudonym_key: str = Field(default="", repr=False)
    cache_key: str = Field(default="", repr=False, description="what kept plans and results are signed with")

    @model_validator(mode="before")
    @classmethod
    def _defaults_below_home(cls, values: dict[str, Any]) -> dict[str, Any]:
        home = Path(values.get("home") or ".medflow").absolute()
        below = {
            "catalog": f"sqlite:///{home / 'lake.db'}",
            "warehouse": (home / "warehouse").as_uri(),
            "landing": str(home / "landing"),
            "vector_store": f"chroma://{home / 'chroma'}",
            "app_db": f"sqlite:///{home / 'app.db'}",
        }
        return {**values, "home": home, **{name: values.get(name) or default for name, default in below.items()}}

    @property
    def landing_folder(self) -> Path:
        """The landing folder as a local path."""
        return Path(self.landing.removeprefix("file://")).absolute()

    @property
    def builds_with_spark(self) -> bool:
        """Whether the build engine is Spark.

        Raises:
            UsageError: there is no such engine.
        """
        if self.build_engine == "duckdb":
            return False
        if re.fullmatch(r"spark|spark://\S+|local(\[\S+\])?", self.build_engine):
            return True
        raise UsageError(
            f"no build engine {self.build_engine!r}; allowed: duckdb, spark (on this machine), local[4], spark://host:7077 "
            "(MEDFLOW_BUILD_ENGINE, --engine)"
        )

    @property
    def spark_master(self) -> str:
        """Where Spark runs: this machine unless the build engine names a cluster."""
        return f"local[{self.threads or '*'}]" if self.build_engine == "spark" else self.build_engine

    @property
    def cores(self) -> int:
        """Threads that a build may use on this machine."""
        return self.threads or os.cpu_count() or 1

    @property
    def java_home(self) -> str:
        """Java's folder as its own tools name it; empty = the first on the PATH."""
        return os.environ.get("JAVA_HOME", "")

    @property
    def submitted(self) -> bool:
        """Whether spark-submit started this process: then master, memory and jars are its business."""
        return "PYSPARK_GATEWAY_PORT" in os.environ

    def require_pseudonym_key(self) -> None:
        """Raises UsageError: the catalog is a server, so that other machines may build the same lake, and no key is given."""
        if not self.pseudonym_key and not self.catalog.startswith("sqlite"):
            raise UsageError(
                "MEDFLOW_CATALOG is a server: set MEDFLOW_PSEUDONYM_KEY, the same for all who build this lake; "
                "with another key the same member would get another member_key"
            )

    @cached_property
    def secret_pseudonym_key(self) -> bytes:
        """The key of member pseudonyms: given, or made in HOME with mode 0600 at first use, where the catalog is there, too.

        Raises:
            UsageError: as `require_pseudonym_key`.
        """
        self.require_pseudonym_key()
        return self.pseudonym_key.encode() if self.pseudonym_key else _kept_key(self.home / "pseudonym.key", _OF_PSEUDONYMS)

    @cached_property
    def secret_cache_key(self) -> bytes:
        """The key that kept plans and results are signed with: given, or made in HOME where the cache is this process's own.

        Raises:
            UsageError: the cache is a server, which others write to as well, and no key is given.
        """
        if self.cache_key:
            return self.cache_key.encode()
        if self.cache.partition(":")[0] not in ("memory", "none"):
            raise UsageError("MEDFLOW_CACHE is a server: set MEDFLOW_CACHE_KEY, the same for all who share it; what it keeps is signed")
        return _kept_key(self.home / "cache.key", "remove it: another one is made, and what was kept is computed again")

    @property
    def model_key(self) -> str:
        """The key of the Messages API, under the name that its own tools use; empty = none."""
        return os.environ.get("ANTHROPIC_API_KEY", "")


def _kept_key(path: Path, remedy: str) -> bytes:
    """Read the key at `path`; make it first if there is none. Never overwrites one, and never leaves half of one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        made = path.with_name(f".{path.name}.{os.getpid()}")
        descriptor = os.open(made, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(secrets.token_hex(_KEY_BYTES).encode())
            file.flush()
            os.fsync(file.fileno())
        with suppress(FileExistsError):  # another process was first: its key stands
            os.link(made, path)
        made.unlink()
    key = path.read_bytes().strip()
    if not key:
        raise UsageError(f"{path} holds no key; {remedy}")
    return key


def child_environment(**values: str) -> dict[str, str]:
    """This process's environment for a child of it, with settings of the child's own by their names without the prefix."""
    return {**os.environ, **{f"{PREFIX}{name}".upper(): value for name, value in values.items()}}


def load_settings(**arguments: Any) -> Settings:
    """Settings from arguments (None = not given), environment and .env.

    Raises:
        UsageError: a value is not allowed, or a MEDFLOW_ name is unknown.
    """
    known = {f"{PREFIX}{name}".upper() for name in Settings.model_fields}
    given = {*os.environ, *(name.upper() for name in dotenv_values(ENV_FILE))}
    unknown = sorted(name for name in given if name.startswith(PREFIX) and name not in known)
    if unknown:
        raise UsageError(f"unknown setting {', '.join(unknown)}; allowed: {', '.join(sorted(known))}")
    try:
        return Settings(**{name: value for name, value in arguments.items() if value is not None})
    except ValidationError as error:
        problems = "; ".join(f"{PREFIX}{'_'.join(map(str, e['loc'])).upper()}: {e['msg']}" for e in error.errors())
        raise UsageError(f"settings cannot be used: {problems}") from None
