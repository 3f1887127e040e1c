"""The Swagger page. All that it loads is served here: a script from elsewhere could read every answer."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

import fastapi_swagger  # type: ignore[import-untyped]  # it ships no types; only its files are taken
from fastapi import APIRouter, Response
from fastapi.responses import HTMLResponse

PATH = "/api-docs"
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self'; "
    "frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
)
_PAGE = f"""<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>API</title><link rel="stylesheet" href="{PATH}/swagger-ui.css"></head>
<body><div id="page"></div><script src="{PATH}/swagger-ui-bundle.js"></script><script src="{PATH}/start.js"></script></body>
</html>
"""
_START = 'SwaggerUIBundle({url: "/openapi.json", dom_id: "#page", validatorUrl: null});\n'

manual = APIRouter(include_in_schema=False)


@manual.get(PATH)
async def page() -> HTMLResponse:
    """The page."""
    return HTMLResponse(_PAGE, headers={"Content-Security-Policy": _POLICY})


@manual.get(f"{PATH}/start.js")
async def start() -> Response:
    """What starts it: beside the page, so that no script stands in it."""
    return Response(_START, media_type="text/javascript")


@manual.get(f"{PATH}/swagger-ui-bundle.js")
async def script() -> Response:
    """Swagger's script."""
    return Response(_packaged("swagger-ui-bundle.js"), media_type="text/javascript")


@manual.get(f"{PATH}/swagger-ui.css")
async def style() -> Response:
    """Swagger's style sheet."""
    return Response(_packaged("swagger-ui.css"), media_type="text/css")


@cache
def _packaged(name: str) -> bytes:
    return (files(fastapi_swagger) / "resources" / name).read_bytes()
