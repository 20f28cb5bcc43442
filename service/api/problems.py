"""Errors as problem+json (RFC 9457); an answer never repeats a value that was sent, it may be a secret."""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from footfall.errors import PromotionError, StoreError, UnknownRecordError
from footfall.redaction import redact

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fastapi import FastAPI
    from pydantic import ValidationError
    from starlette.requests import Request

MEDIA_TYPE: Final = "application/problem+json"
INVALID_INPUT: Final = "urn:footfall:problem:invalid-input"

RESPONSES: Final[dict[int | str, dict[str, Any]]] = {
    "4XX": {
        "description": "The request cannot be served; `detail` says why and what is expected.",
        "content": {
            MEDIA_TYPE: {
                "schema": {
                    "type": "object",
                    "properties": {
                        "type": {"type": "string"},
                        "title": {"type": "string"},
                        "status": {"type": "integer"},
                        "detail": {"type": "string"},
                        "instance": {"type": "string"},
                        "errors": {
                            "type": "array",
                            "items": {
                                "type": "object",
                                "properties": {"field": {"type": "string"}, "detail": {"type": "string"}},
                            },
                        },
                    },
                }
            }
        },
    }
}
"""For OpenAPI: what every error answer looks like."""


class ProblemError(HTTPException):
    """A request that is answered with a problem.

    Args:
        detail: for people; holds no secret.
        field: the field at fault, if it is one (makes the status 422).
    """

    def __init__(
        self, status: int, detail: str, *, field: str | None = None, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(status, detail, headers)
        self.field = field


def invalid(field: str, detail: str) -> ProblemError:
    """Return the error for a field that cannot be used."""
    return ProblemError(422, detail, field=field)


def problem_response(
    status: int,
    detail: str,
    instance: str,
    *,
    errors: Sequence[Mapping[str, str]] = (),
    headers: Mapping[str, str] | None = None,
) -> Response:
    """Return a problem as an answer; `instance` is the path that was asked for."""
    content: dict[str, Any] = {
        "type": INVALID_INPUT if errors else "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": redact(detail),
        "instance": instance,
    }
    if errors:
        content["errors"] = list(errors)
    body = json.dumps(content, ensure_ascii=False).encode()
    return Response(body, status, media_type=MEDIA_TYPE, headers=headers)


def add_problem_handlers(app: FastAPI) -> None:
    """Answer every expected error of `app` with a problem."""

    @app.exception_handler(HTTPException)
    async def _http(request: Request, error: HTTPException) -> Response:
        field = getattr(error, "field", None)
        errors = [{"field": field, "detail": redact(error.detail)}] if field else []
        detail = f"{field}: {error.detail}" if field else error.detail
        if type(error) is HTTPException and error.status_code == 404:
            detail = "no such path; the paths there are: /api/v1/openapi.json"
        return problem_response(error.status_code, detail, request.url.path, errors=errors, headers=error.headers)

    @app.exception_handler(RequestValidationError)
    async def _invalid(request: Request, error: RequestValidationError) -> Response:
        errors = [_explain(problem) for problem in error.errors()]
        detail = "; ".join(f"{each['field']}: {each['detail']}" for each in errors)
        return problem_response(422, detail, request.url.path, errors=errors)

    @app.exception_handler(UnknownRecordError)
    async def _unknown(request: Request, error: UnknownRecordError) -> Response:
        return problem_response(404, str(error), request.url.path)

    @app.exception_handler(PromotionError)
    async def _promotion(request: Request, error: PromotionError) -> Response:
        return problem_response(409, str(error), request.url.path)

    @app.exception_handler(StoreError)
    async def _store(request: Request, error: StoreError) -> Response:
        detail = f"the database does not answer ({type(error).__name__}); try again shortly"
        return problem_response(503, detail, request.url.path, headers={"Retry-After": "5"})


def as_request_error(error: ValidationError) -> RequestValidationError:
    """Turn an error of settings that were put together by hand into the error of a request body."""
    problems = error.errors(include_url=False, include_input=False, include_context=False)
    return RequestValidationError([{**problem, "loc": ("body", *problem["loc"])} for problem in problems])


def _explain(problem: Mapping[str, Any]) -> dict[str, str]:
    place, *path = problem["loc"]
    if problem["type"] == "json_invalid":
        return {"field": "body", "detail": f"not valid JSON at character {path[0] if path else 0}"}
    field = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path).lstrip(".")
    detail = str(problem["msg"]).removeprefix("Value error, ")
    detail = detail.removeprefix(f"{field}: ")
    if problem["type"] == "missing":
        detail = "missing; it is required"
    elif problem["type"] == "extra_forbidden":
        detail = "unknown; leave it out"
    elif problem["type"] == "timezone_aware":
        detail = "has no time zone; expected a time such as 2026-01-31T08:00:00Z"
    elif problem["type"].startswith("datetime"):
        detail = "not a time; expected one such as 2026-01-31T08:00:00Z"
    return {"field": field or str(place), "detail": redact(detail)}
