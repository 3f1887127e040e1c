"""`medflow ui`: the API and the page together, on this machine alone. One ends with the other."""

from __future__ import annotations

import importlib.util
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import ProxyHandler, build_opener

import click

from medflow.cli.console import json_option, print_json, read_json, settings_of, site_of
from medflow.errors import MedflowError, MissingExtraError, UsageError
from medflow.settings import child_environment

_PACKAGES = {"streamlit": "ui", "websockets": "ui", "httpx": "ui", "fastapi": "serve", "langgraph": "serve", "uvicorn": "serve"}
_HOST, _PORT = "127.0.0.1", 8501
_SECONDS_TO_START, _SECONDS_TO_END, _BEAT = 90, 15, 0.2


@click.command()
@click.option("--role", default="analyst", show_default=True, help="As whom all questions are answered: business, analyst or engineer.")
@click.option("--port", type=click.IntRange(0, 65535), default=_PORT, show_default=True, help="Of the page; 0 takes a free one.")
@click.option("--api-port", type=click.IntRange(0, 65535), help="Of the API; default 8000 (MEDFLOW_API_PORT); 0 takes a free one.")
@json_option
@click.pass_context
def ui(ctx: click.Context, role: str, port: int, api_port: int | None, as_json: bool) -> int:
    """Start the API and the page, until Ctrl-C. A lake with nothing in it gets the sample of `medflow demo` first."""
    _require_packages()
    page_port = _free(port)
    settings = settings_of(ctx)
    _fill(ctx, as_json)
    for number in (signal.SIGINT, signal.SIGTERM):  # also where a shell started this in the background, which ignores Ctrl-C
        signal.signal(number, _ended)
    with _api(ctx, role, settings.api_port if api_port is None else api_port) as (api, api_url), _page(page_port, api_url) as page:
        url = f"http://{_HOST}:{page_port}"
        _await(url, api, page)
        _tell(url, api_url, role, as_json)
        return _watched(api, page)


def _require_packages() -> None:
    for package, extra in _PACKAGES.items():
        if importlib.util.find_spec(package) is None:
            raise MissingExtraError(package, extra)


def _free(port: int) -> int:
    """The port, or one that is free where it is 0.

    Raises:
        UsageError: it is taken.
    """
    try:
        with closing(socket.create_server((_HOST, port))) as tried:
            return int(tried.getsockname()[1])
    except OSError as error:
        raise UsageError(f"port {port} cannot be used: {error.strerror}; choose another one (--port, 0 takes a free one)") from None


def _fill(ctx: click.Context, as_json: bool) -> None:
    """Sample claims in an empty lake of this machine; a catalog that is a server is never filled with them."""
    from medflow.cli.demo import sample_run

    site = site_of(ctx)
    if site.ledger.current_release() is not None or not site.settings.catalog.startswith("sqlite"):
        return
    if not as_json:
        click.echo("the lake is empty: sample claims of three payers are generated and run first")
    sample_run(site)


@contextmanager
def _api(ctx: click.Context, role: str, port: int) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The API and its address."""
    given = [("--home", ctx.obj["home"]), ("--knowledge-base", ctx.obj["knowledge_base"])]
    options = [text for name, value in given if value is not None for text in (name, str(value))]
    command = [sys.executable, "-m", "medflow", *options, "serve", "--role", role, "--port", str(port), "--json"]
    with _running(command, stdout=subprocess.PIPE) as api:
        assert api.stdout is not None
        told = read_json(api.stdout)
        if told is None:
            raise MedflowError("the API could not start; what it said stands above")
        yield api, told["url"]


@contextmanager
def _page(port: int, api_url: str) -> Iterator[subprocess.Popen[str]]:
    place = importlib.util.find_spec("streamlit_app")
    if place is None or place.origin is None:
        raise MedflowError("the page is not installed beside the command: install MedFlow again")
    command = [sys.executable, "-m", "streamlit", "run", str(Path(place.origin).with_name("app.py"))]
    command += ["--server.port", str(port), "--server.address", _HOST, "--logger.level", "error"]
    with _running(command, stdout=subprocess.DEVNULL, env=child_environment(api_url=api_url)) as page:
        yield page


@contextmanager
def _running(command: list[str], **how: Any) -> Iterator[subprocess.Popen[str]]:
    """A server in a session of its own, so that Ctrl-C reaches this command alone, which then ends it."""
    process = subprocess.Popen(command, text=True, start_new_session=True, **how)
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(timeout=_SECONDS_TO_END)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _await(url: str, api: subprocess.Popen[str], page: subprocess.Popen[str]) -> None:
    """Until the page answers."""
    opener, end = build_opener(ProxyHandler({})), time.monotonic() + _SECONDS_TO_START
    while time.monotonic() < end:
        _refuse_dead(api, page)
        try:
            opener.open(f"{url}/_stcore/health", timeout=2).close()
        except (URLError, OSError):
            time.sleep(_BEAT)
        else:
            return
    raise MedflowError(f"the page did not answer at {url} within {_SECONDS_TO_START} seconds; start it again")


def _watched(api: subprocess.Popen[str], page: subprocess.Popen[str]) -> int:
    """Until Ctrl-C, SIGTERM, or the end of one of them."""
    try:
        while True:
            _refuse_dead(api, page)
            time.sleep(_BEAT)
    except KeyboardInterrupt:
        return 0


def _refuse_dead(api: subprocess.Popen[str], page: subprocess.Popen[str]) -> None:
    for name, other, process in (("API", "page", api), ("page", "API", page)):
        if process.poll() is not None:
            raise MedflowError(f"the {name} has ended (exit code {process.returncode}), so the {other} was ended too; start both again")


def _tell(url: str, api_url: str, role: str, as_json: bool) -> None:
    if as_json:
        print_json({"url": url, "api_url": api_url, "role": role})
    else:
        click.echo(f"MedFlow's page: {url} (as {role}; the API: {api_url}); Ctrl-C ends both")
    sys.stdout.flush()


def _ended(*_: Any) -> None:
    raise KeyboardInterrupt
