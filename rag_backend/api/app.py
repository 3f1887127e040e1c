"""The application: routes, walls, problems, and what begins and ends with it. It reads no setting and no clock of its own."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

from fastapi import FastAPI

from medflow import __version__
from rag_backend.api import problems
from rag_backend.api.catalogue import catalogue
from rag_backend.api.desk import Desk
from rag_backend.api.kept import kept
from rag_backend.api.manual import manual
from rag_backend.api.pipeline import pipeline
from rag_backend.api.routes import routes
from rag_backend.api.sockets import sockets
from rag_backend.api.walls import Walls
from rag_backend.engines.base import Cancellation
from rag_backend.ready import keep_ready

_ABOUT = """Questions in plain words, typed queries and SQL, answered for one role. A refusal is an answer; problems are RFC 9457.

`WS /ws/ask` answers over a socket. It takes `{"type": "ask", "id": …}` with the fields of `POST /ask`, one question at a time, and
`{"type": "cancel", "id": …}`. It sends, each with the question's `id` and a rising `seq`: `step_started {step}`,
`step_finished {step, ms, summary}`, then `answer {answer}` or `error {problem}`. A socket that closes stops the question."""


def create_app(desk: Desk, hosts: Iterable[str]) -> FastAPI:
    """The API of one lake and role. `hosts` are the names with port that it answers to; it ends the assistants when it ends."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        app.state.desk = desk
        stopped, over = Cancellation(), threading.Event()
        ahead = threading.Thread(
            target=keep_ready, args=(desk.assistants, desk.today, desk.ahead, stopped), kwargs={"over": over}, daemon=True
        )
        ahead.start()
        yield
        over.set()
        stopped.cancel()
        desk.assistants.close()
        ahead.join()
        desk.asking.close()

    app = FastAPI(title="MedFlow", description=_ABOUT, version=__version__, lifespan=lifespan, docs_url=None, redoc_url=None)
    problems.install(app)
    for router in (routes, kept, catalogue, pipeline, sockets, manual):
        app.include_router(router)
    app.add_middleware(Walls, hosts=hosts)
    return app
