"""Who may come in: token, session cookie, same-origin and host checks, size cap, security headers; default deny.

Pure ASGI, so that it stands before HTTP routes, WebSockets and mounted files alike.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import secrets
import threading
import traceback
from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie
from typing import TYPE_CHECKING, Final, Literal
from urllib.parse import quote, urlsplit

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.responses import RedirectResponse, Response

from service.api.problems import ProblemError, problem_response
from service.labelsets import MAX_ARCHIVE_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

log = structlog.get_logger(__name__)

PUBLIC_PATHS: Final = frozenset(
    {"/healthz", "/readyz", "/login", "/static/footfall.css", "/static/login.js", "/static/icon.svg"}
)
"""The reviewed list: these hold no data. Everything else asks for the token when one is set."""

COOKIE: Final = "footfall_session"
SESSION_S: Final = 30 * 86400
MAX_BODY_BYTES: Final = 1_000_000
_ZIP_BYTES: Final = {"/api/v1/review/import": MAX_ARCHIVE_BYTES}
"""Where a zip file is the body, and how large it may be. No form of another site can send `application/zip`."""
_NOT_FOR_VIEWERS: Final = ("/review", "/api/v1/review", "/api/v1/samples")
"""Sampled pictures and what was said of them are for those who judge them."""
_SESSION_PATHS: Final = frozenset({"/login", "/logout"})
_SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_MAX_ENDED: Final = 10_000

SECURITY_HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; media-src blob:; "
        "connect-src 'self'; frame-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}


Role = Literal["operator", "viewer"]
"""An operator may do everything; a viewer may look, at all but sampled pictures, and change nothing."""


class Sessions:
    """Makes and checks session cookies; each is signed with a key derived from the tokens and never holds them.

    Args:
        token: of operators; None when no login is needed.
        now_s: Unix time; seconds.
        viewer_token: of viewers; None without any.
    """

    def __init__(self, token: str | None, now_s: Callable[[], float], *, viewer_token: str | None = None) -> None:
        self._tokens: dict[Role, str] = {} if token is None else {"operator": token}
        if viewer_token is not None:
            self._tokens["viewer"] = viewer_token
        self._key = hmac.digest("\n".join(self._tokens.values()).encode(), b"footfall session key v2", "sha256")
        self._now_s = now_s
        self._lock = threading.Lock()
        self._ended: dict[str, None] = {}

    @property
    def is_needed(self) -> bool:
        """Whether anybody has to log in."""
        return bool(self._tokens)

    def role_of_token(self, offered: str) -> Role | None:
        """Tell whose token it is, in a time that tells nothing about any; None for nobody's."""
        found: Role | None = None
        for role, token in self._tokens.items():
            # Digests have one length, so not even the length of the token can be timed.
            mine, theirs = (hashlib.sha256(text.encode("utf-8", "replace")).digest() for text in (token, offered))
            found = role if hmac.compare_digest(mine, theirs) else found
        return found

    def start(self, role: Role = "operator") -> str:
        """Return the value of a new session cookie."""
        body = f"{role}.{int(self._now_s()) + SESSION_S}.{secrets.token_hex(16)}"
        return f"{body}.{self._sign(body)}"

    def role_of(self, cookie: str) -> Role | None:
        """Tell whose cookie it is; None when it was not made here, is too old or was ended."""
        body, _, signature = cookie.rpartition(".")
        if not self.is_needed or not hmac.compare_digest(
            self._sign(body).encode(), signature.encode("utf-8", "replace")
        ):
            return None
        role, expires, nonce = body.split(".")  # signed, so its form is ours
        with self._lock:
            if int(expires) <= self._now_s() or nonce in self._ended:
                return None
        return "viewer" if role == "viewer" else "operator"

    def end(self, cookie: str) -> None:
        """Let a valid cookie be valid no more."""
        if self.role_of(cookie) is None:
            return
        with self._lock:
            self._ended[cookie.split(".")[2]] = None
            if len(self._ended) > _MAX_ENDED:
                del self._ended[next(iter(self._ended))]

    def _sign(self, body: str) -> str:
        return hmac.digest(self._key, body.encode("utf-8", "replace"), "sha256").hex()


@dataclass(frozen=True, slots=True)
class _Refusal:
    status: int
    detail: str


class Guard:
    """Stands before the whole application and lets in who may come in.

    Args:
        is_loopback: the service can be reached from this machine only, so only its own names are a proper Host.
    """

    def __init__(self, app: ASGIApp, *, sessions: Sessions, is_loopback: bool) -> None:
        self._app = app
        self._sessions = sessions
        self._is_loopback = is_loopback

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        refusal = self._refusal(scope, headers)
        if scope["type"] == "websocket":
            if refusal is None:
                await self._app(scope, receive, send)
            else:
                await receive()  # websocket.connect; closing before accepting answers 403
                await send({"type": "websocket.close", "code": 1008, "reason": refusal.detail[:120]})
            return
        if refusal is None:
            await self._serve(scope, receive, send, headers)
        else:
            await self._refuse(scope, headers, refusal)(scope, receive, _with_headers(send))

    def _refusal(self, scope: Scope, headers: Headers) -> _Refusal | None:
        host = headers.get("host", "")
        if self._is_loopback and not _is_loopback_name(host):
            return _Refusal(421, "Host: not a name of this machine; expected 127.0.0.1, [::1] or localhost")
        by_bearer, by_cookie = self._roles(headers)
        if self._sessions.is_needed:
            is_public = scope["type"] != "websocket" and scope["path"] in PUBLIC_PATHS
            if by_bearer is None and by_cookie is None and not is_public:
                return _Refusal(401, "no valid token; expected `Authorization: Bearer <token>` or a login at /login")
        role = by_bearer or by_cookie or "operator"
        scope.setdefault("state", {})["role"] = role
        if by_bearer is None:  # no browser adds that header by itself, so no other site can send it
            refusal = _check_origin(scope, headers, host, must_be_shown=by_cookie is not None)
            if refusal is not None:
                return refusal
        return _check_viewer(scope) if role == "viewer" else None

    def _roles(self, headers: Headers) -> tuple[Role | None, Role | None]:
        """Whose token and whose cookie comes with a request; the cookie is not looked at beside a token."""
        scheme, _, offered = headers.get("authorization", "").partition(" ")
        by_bearer = self._sessions.role_of_token(offered.strip()) if scheme.lower() == "bearer" else None
        cookie = session_cookie(headers)
        by_cookie = self._sessions.role_of(cookie) if by_bearer is None and cookie is not None else None
        return by_bearer, by_cookie

    async def _serve(self, scope: Scope, receive: Receive, send: Send, headers: Headers) -> None:
        started = False

        async def watch(message: Message) -> None:
            nonlocal started
            started = True
            await secured(message)

        path = scope["path"]
        secured = _with_headers(send, cache="no-cache" if path.startswith("/static/") else "no-store")
        length = headers.get("content-length", "0")
        most = _ZIP_BYTES.get(path, MAX_BODY_BYTES)
        if not length.isdigit() or int(length) > most:
            await _too_large(path, most)(scope, receive, secured)
            return
        try:
            await self._app(scope, _capped(receive, most), watch)
        except ClientDisconnect:
            return
        except Exception as error:  # noqa: BLE001  the last place where an answer can be given
            # Only code lines: an error's text may hold what was sent.
            trace = "".join(traceback.format_tb(error.__traceback__)[-3:])
            name = type(error).__name__
            log.error("request failed", path=path, method=scope["method"], error=name, trace=trace)  # noqa: TRY400
            if started:
                return  # the connection is cut, so the client sees that the answer is not whole
            answer = problem_response(500, f"a fault of Footfall ({name}); it was logged", path)
            await answer(scope, receive, secured)

    def _refuse(self, scope: Scope, headers: Headers, refusal: _Refusal) -> Response:
        path = scope["path"]
        wants_page = scope["method"] == "GET" and "text/html" in headers.get("accept", "")
        if refusal.status == 401 and wants_page and not path.startswith("/api/"):
            return RedirectResponse(f"/login?next={quote(path)}", 303)
        challenge = {"WWW-Authenticate": 'Bearer realm="footfall"'} if refusal.status == 401 else {}
        return problem_response(refusal.status, refusal.detail, path, headers=challenge)


def session_cookie(headers: Headers) -> str | None:
    """Return the session cookie of a request as it came, or None."""
    try:
        cookie = SimpleCookie(headers.get("cookie", "")).get(COOKIE)
    except CookieError:
        return None
    return None if cookie is None else cookie.value


def _check_origin(scope: Scope, headers: Headers, host: str, *, must_be_shown: bool) -> _Refusal | None:
    is_socket = scope["type"] == "websocket"
    if not is_socket and scope["method"] in _SAFE_METHODS:
        return None
    origin, site = headers.get("origin"), headers.get("sec-fetch-site")
    if origin is None and site is None:
        if must_be_shown:
            return _Refusal(403, "neither Origin nor Sec-Fetch-Site is given; with a cookie one of them is needed")
    elif (origin is not None and not _is_same_origin(origin, host)) or (
        site is not None and site not in {"same-origin", "none"}
    ):
        return _Refusal(403, "the request comes from another site; only pages of this service may send it")
    if is_socket:
        return None
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    has_body = headers.get("content-length", "0") != "0" or "transfer-encoding" in headers
    wanted = "application/zip" if scope["path"] in _ZIP_BYTES else "application/json"
    if has_body and kind != wanted and not (wanted == "application/json" and kind.endswith("+json")):
        return _Refusal(415, f"Content-Type: expected {wanted}")
    return None


def _check_viewer(scope: Scope) -> _Refusal | None:
    path = scope["path"]
    if any(path == each or path.startswith(f"{each}/") for each in _NOT_FOR_VIEWERS):
        return _Refusal(403, "a viewer sees no sampled pictures; log in with the token of an operator")
    if scope["type"] != "websocket" and scope["method"] not in _SAFE_METHODS and path not in _SESSION_PATHS:
        return _Refusal(403, "a viewer may look and change nothing; log in with the token of an operator")
    return None


def _is_same_origin(origin: str, host: str) -> bool:
    try:
        return urlsplit(origin).netloc.lower() == host.lower() and bool(host)
    except ValueError:
        return False


def _is_loopback_name(host: str) -> bool:
    try:
        name = urlsplit(f"//{host}").hostname
        return name == "localhost" or (name is not None and ipaddress.ip_address(name).is_loopback)
    except ValueError:
        return False


def _with_headers(send: Send, *, cache: str = "no-store") -> Send:
    async def secured(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in SECURITY_HEADERS.items():
                headers.setdefault(name, value)
            headers.setdefault("Cache-Control", cache)
        await send(message)

    return secured


def _capped(receive: Receive, most: int) -> Receive:
    read = 0

    async def capped() -> Message:
        nonlocal read
        message = await receive()
        read += len(message.get("body", b""))
        if read > most:  # a body without Content-Length
            raise ProblemError(413, _too_large_detail(most))
        return message

    return capped


def _too_large_detail(most: int) -> str:
    return f"the body is larger than {most} bytes; send less"


def _too_large(path: str, most: int) -> Response:
    return problem_response(413, _too_large_detail(most), path, headers={"Connection": "close"})
