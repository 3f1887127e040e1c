"""The images that the compose file names but does not build: there already, pulled, or built here from packages under the same name."""

from __future__ import annotations

import shutil
import subprocess
import tarfile
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import yaml

from tests.services.packages import CACHE, trino_folder

ROOT = Path(__file__).parents[2]
FILE = ROOT / "docker-compose.yml"
DEBIAN = "debian:bookworm-slim"
_STANDINS = Path(__file__).with_name("standins")
_LOCALSTACK = ROOT / "tests" / "services" / "localstack-requirements.txt"
_PYTHON = "python:3.11-slim-bookworm"  # what our own images are built on
_TARGETS = {
    _PYTHON: "python",
    "postgres:15-bookworm": "postgres",
    "redis:7-bookworm": "redis",
    "localstack/localstack:4.14.0": "localstack",
    "chromadb/chroma:1.5.9": "chroma",
    "trinodb/trino:476": "trino",
}
_CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
_END = "-----END CERTIFICATE-----\n"


def foreign_images() -> list[str]:
    """The base of our own images, and what the compose file runs of others'."""
    services = yaml.safe_load(FILE.read_text(encoding="utf-8"))["services"].values()
    return sorted({_PYTHON, *(one["image"] for one in services if not one.get("image", "medflow/").startswith("medflow/"))})


def prepare(report: Callable[[str], None]) -> list[str]:
    """Have every foreign image; those that a stand-in is used for.

    Raises:
        AssertionError: an image can neither be pulled nor built.
    """
    stood_in = []
    for image in foreign_images():
        if _is_there(image):
            report(f"{image}: there")
        elif _docker("pull", "--quiet", image).returncode == 0:
            report(f"{image}: pulled")
        else:
            report(f"{image}: no registry has it for us; building a stand-in")
            _build(image)
        if _label(image):
            stood_in.append(image)
    return stood_in


def _build(image: str) -> None:
    if not _is_there(DEBIAN):
        _bootstrap()
    target = _TARGETS[image]
    with TemporaryDirectory(prefix="medflow-standin-", dir=_made(CACHE)) as given:
        context = Path(given) / "context"
        shutil.copytree(_STANDINS, context)
        shutil.copy(_LOCALSTACK, context)
        if target == "trino":
            shutil.copytree(trino_folder(), context / "trino", symlinks=True)
        else:
            (context / "trino").mkdir()
        command = ["build", "--quiet", "--target", target, "--label", "medflow.standin=yes", "--tag", image, str(context)]
        done = _docker(*command)
        assert done.returncode == 0, f"the stand-in for {image} cannot be built:\n{done.stdout[-3000:]}{done.stderr[-3000:]}"


def _bootstrap() -> None:
    """Debian itself, from its packages; it trusts whom this machine trusts, for packages may come by way of a mirror."""
    assert shutil.which("debootstrap"), "debootstrap is not installed: `make test-compose` installs it, as root on Debian"
    with TemporaryDirectory(prefix="medflow-debian-", dir=_made(CACHE)) as given:
        root = Path(given) / "root"
        packages = ["debootstrap", "--variant=minbase", "--include=ca-certificates", "bookworm", str(root)]
        subprocess.run(packages, check=True, capture_output=True)
        _trust(root)
        archive = Path(given) / "root.tar"
        with tarfile.open(archive, "w") as packed:
            packed.add(root, arcname=".")
        where = str(_CERTIFICATES)
        changes = [f"ENV SSL_CERT_FILE={where} PIP_CERT={where} REQUESTS_CA_BUNDLE={where}", "CMD bash"]
        done = _docker("import", *(part for change in changes for part in ("--change", change)), str(archive), DEBIAN)
        assert done.returncode == 0, done.stderr


def _trust(root: Path) -> None:
    own = set(_certificates(root / "etc/ssl/certs/ca-certificates.crt"))
    for number, one in enumerate(_certificates(_CERTIFICATES)):
        if one not in own:
            (root / f"usr/local/share/ca-certificates/machine-{number}.crt").write_text(one, encoding="ascii")
    subprocess.run(["chroot", str(root), "update-ca-certificates"], check=True, capture_output=True)


def _certificates(bundle: Path) -> list[str]:
    text = bundle.read_text(encoding="ascii", errors="ignore")
    return [one[one.index("-----BEGIN") :] + _END for one in text.split(_END) if "-----BEGIN" in one]


def _is_there(image: str) -> bool:
    return _docker("image", "inspect", image).returncode == 0


def _label(image: str) -> bool:
    return "yes" in _docker("image", "inspect", "--format", '{{index .Config.Labels "medflow.standin"}}', image).stdout


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _docker(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["docker", *arguments], capture_output=True, text=True, check=False)
