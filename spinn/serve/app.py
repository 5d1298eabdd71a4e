"""The web application: the files of the page, and the HTTP interface.

Calls of a model run in a pool of threads, so one that takes long delays neither the page nor other
models.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, JSONResponse
from starlette.middleware.trustedhost import TrustedHostMiddleware

from spinn import __version__
from spinn.serve.guard import Guard
from spinn.serve.schemas import (
    MAX_BODY,
    ModelsResponse,
    PredictRequest,
    PredictResponse,
    Problem,
    TraceRequest,
    TraceResponse,
)
from spinn.serve.served import ServedModel, find_model
from spinn.support.errors import SpinnError

_PAGE = Path(__file__).parent / "page"
# Not left to the operating system, whose table may call scripts plain text.
_MEDIA_TYPES = {
    ".html": "text/html",
    ".css": "text/css",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
}
_REFUSED: dict[int | str, dict[str, Any]] = {
    status: {"model": Problem, "description": text}
    for status, text in ((413, "The body is too large"), (422, "The input cannot be used"))
}


def create_app(models: Mapping[str, ServedModel], hosts: Sequence[str] = ("*",)) -> FastAPI:
    """Return the application.

    Parameters
    ----------
    models
        The models by name, at least one.
    hosts
        The names under which the server may be called, against other sites whose names are made to
        point to it (DNS rebinding); ``*`` for any.

    """
    # The documentation pages of FastAPI load scripts from elsewhere; /openapi.json is kept.
    app = FastAPI(title="SPINN", version=__version__, docs_url=None, redoc_url=None)
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=list(hosts), www_redirect=False)
    app.add_middleware(Guard, max_body=MAX_BODY)
    _add_errors(app)
    _add_page(app)

    @app.get("/api/models", summary="The models that are served")
    def list_models() -> ModelsResponse:
        return ModelsResponse(models=[model.describe() for model in models.values()])

    @app.post(
        "/api/predict",
        summary="Classify examples",
        responses=_REFUSED,
        response_model_exclude_none=True,
    )
    def predict(request: PredictRequest) -> PredictResponse:
        return find_model(models, request.model).predict(request.examples, request.trees)

    @app.post("/api/trace", summary="Every step of one example", responses=_REFUSED)
    def trace(request: TraceRequest) -> TraceResponse:
        return find_model(models, request.model).trace(request.sentences, request.trees)

    return app


def _add_errors(app: FastAPI) -> None:
    """Answer errors that the user can correct with one sentence."""

    @app.exception_handler(SpinnError)
    async def refuse(request: Request, error: SpinnError) -> JSONResponse:
        return JSONResponse({"detail": str(error)}, 422)

    @app.exception_handler(RequestValidationError)
    async def refuse_form(request: Request, error: RequestValidationError) -> JSONResponse:
        # Only the first problem, and not the input: it may be long, or no valid text.
        first = error.errors()[0]
        if first["type"] == "json_invalid":
            return JSONResponse({"detail": "The body is not JSON."}, 422)
        place = ".".join(str(part) for part in first["loc"][1:]) or "The body"
        return JSONResponse({"detail": str(SpinnError(f"{place}: {first['msg']}."))}, 422)


def _add_page(app: FastAPI) -> None:
    """Serve the files of the page."""
    for file in sorted(_PAGE.iterdir()):
        if file.suffix in _MEDIA_TYPES:
            path = "/" if file.name == "page.html" else f"/{file.name}"
            response = _file_response(file)
            app.add_api_route(path, response, methods=["GET", "HEAD"], include_in_schema=False)


def _file_response(file: Path) -> Any:
    async def respond() -> FileResponse:
        return FileResponse(file, media_type=_MEDIA_TYPES[file.suffix])

    return respond
