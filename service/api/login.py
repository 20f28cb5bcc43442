"""Logging in to the pages and out again; the token goes in once and never comes back."""

from typing import Final

from anyio import CapacityLimiter, sleep
from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field, SecretStr

from service.api.auth import COOKIE, SESSION_S, Role, Sessions, session_cookie
from service.api.problems import RESPONSES, ProblemError

router = APIRouter(tags=["login"], responses=RESPONSES)

FAILED_LOGIN_DELAY_S: Final = 0.5


class Login(BaseModel):
    """What the login page sends."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    token: SecretStr = Field(max_length=4096, description="The API token.")


class SessionAnswer(BaseModel):
    """Who asks."""

    role: Role = Field(description="`viewer`: may look, at all but sampled pictures, and change nothing.")


@router.post("/login", status_code=204, summary="Log in")
async def log_in(login: Login, request: Request, response: Response) -> None:
    """Set the session cookie; a wrong token is answered slowly with 401."""
    sessions: Sessions = request.app.state.sessions
    if not sessions.is_needed:
        return
    role = sessions.role_of_token(login.token.get_secret_value().strip())
    if role is None:
        limiter: CapacityLimiter = request.app.state.login_limiter
        async with limiter:  # guesses wait for one another
            await sleep(FAILED_LOGIN_DELAY_S)
        raise ProblemError(401, "the token is not the one set for this service")
    response.set_cookie(
        COOKIE,
        sessions.start(role),
        max_age=SESSION_S,
        path="/",
        httponly=True,
        samesite="strict",
        secure=request.url.scheme == "https",
    )


@router.get("/api/v1/session", summary="Who asks")
def read_session(request: Request) -> SessionAnswer:
    """Return what who asks may do."""
    return SessionAnswer(role=request.state.role)


@router.post("/logout", status_code=204, summary="Log out")
async def log_out(request: Request, response: Response) -> None:
    """End the session; its cookie is worth nothing afterwards."""
    sessions: Sessions = request.app.state.sessions
    cookie = session_cookie(request.headers)
    if cookie is not None:
        sessions.end(cookie)
    response.delete_cookie(COOKIE, path="/", httponly=True, samesite="strict")
