"""Who may come in: every route asks for the token, cookies are proper, other sites are kept out."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
from fastapi.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from service.api.app import create_app
from service.api.auth import COOKIE, MAX_BODY_BYTES, PUBLIC_PATHS, SESSION_S, Sessions

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from fastapi import FastAPI

TOKEN = "0123456789abcdef-token"
BASE = "http://127.0.0.1:8600"
BEARER = {"Authorization": f"Bearer {TOKEN}"}


@pytest.fixture
def guarded_app(make_world: Callable[..., Any]) -> FastAPI:
    return create_app(make_world(api_token=TOKEN, host="0.0.0.0").services)


@pytest.fixture
def guarded(guarded_app: FastAPI) -> Iterator[TestClient]:
    with TestClient(guarded_app, base_url=BASE, follow_redirects=False) as client:
        yield client


def routes_of(router: Any) -> Iterator[tuple[str, frozenset[str]]]:
    for route in router.routes:
        if hasattr(route, "original_router"):
            yield from routes_of(route.original_router)
        else:
            yield route.path, frozenset(getattr(route, "methods", None) or ())


def test_every_route_asks_for_the_token(guarded_app: FastAPI, guarded: TestClient) -> None:
    seen = 0
    for path, methods in routes_of(guarded_app):
        concrete = re.sub(r"\{[^}]+\}", "gate", path) + ("/grid.js" if path == "/static" else "")
        if concrete in PUBLIC_PATHS:
            continue
        for method in methods or {"GET"}:
            answer = guarded.request(method, concrete, headers={"Origin": BASE})
            assert answer.status_code == 401, (method, path)
            seen += 1
    assert seen >= 30


def test_the_list_of_public_paths_is_the_reviewed_one() -> None:
    assert {
        "/healthz",
        "/readyz",
        "/login",
        "/static/footfall.css",
        "/static/login.js",
        "/static/icon.svg",
    } == PUBLIC_PATHS


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        pytest.param({}, 401, id="nothing"),
        pytest.param(BEARER, 200, id="token"),
        pytest.param({"Authorization": f"bearer  {TOKEN} "}, 200, id="token, other case and spaces"),
        pytest.param({"Authorization": f"Bearer {TOKEN}x"}, 401, id="longer token"),
        pytest.param({"Authorization": f"Bearer {TOKEN[:-1]}"}, 401, id="shorter token"),
        pytest.param({"Authorization": "Bearer "}, 401, id="empty token"),
        pytest.param({"Authorization": f"Basic {TOKEN}"}, 401, id="other scheme"),
        pytest.param({"Cookie": f"{COOKIE}={TOKEN}"}, 401, id="token as a cookie"),
        pytest.param({"Cookie": f"{COOKIE}=v1.99999999999.aa.bb"}, 401, id="made-up cookie"),
        pytest.param({"Cookie": f"{COOKIE}=ü"}, 401, id="cookie that is no ASCII"),
    ],
)
def test_only_the_token_opens(guarded: TestClient, headers: dict[str, str], status: int) -> None:
    encoded = {name.encode(): value.encode() for name, value in headers.items()}
    assert guarded.get("/api/v1/cameras", headers=encoded).status_code == status


def test_a_page_leads_to_the_login_and_the_api_does_not(guarded: TestClient) -> None:
    page = guarded.get("/cameras/gate", headers={"Accept": "text/html"})
    assert (page.status_code, page.headers["location"]) == (303, "/login?next=/cameras/gate")
    answer = guarded.get("/api/v1/cameras", headers={"Accept": "text/html"})
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == 'Bearer realm="footfall"'
    assert answer.headers["content-type"] == "application/problem+json"


def test_health_needs_no_token(guarded: TestClient) -> None:
    assert guarded.get("/healthz").json() == {"status": "ok"}
    assert guarded.get("/readyz").json() == {"status": "ready"}


def test_login_gives_a_cookie_that_is_not_the_token_and_logout_ends_it(guarded: TestClient) -> None:
    answer = guarded.post("/login", json={"token": TOKEN}, headers={"Origin": BASE})
    assert answer.status_code == 204
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    assert TOKEN not in cookie
    value = guarded.cookies[COOKIE]
    assert guarded.get("/api/v1/cameras").status_code == 200
    assert "Log out" in guarded.get("/").text

    assert guarded.post("/logout", headers={"Origin": BASE}).status_code == 204
    assert COOKIE not in guarded.cookies
    assert guarded.get("/api/v1/cameras", headers={"Cookie": f"{COOKIE}={value}"}).status_code == 401


def test_a_wrong_token_is_refused_without_a_cookie(guarded: TestClient) -> None:
    answer = guarded.post("/login", json={"token": "wrong-token"}, headers={"Origin": BASE})
    assert answer.status_code == 401
    assert "set-cookie" not in answer.headers
    assert "wrong-token" not in answer.text


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        pytest.param({"Origin": BASE}, 204, id="same origin"),
        pytest.param({"Sec-Fetch-Site": "same-origin"}, 204, id="same origin by fetch metadata"),
        pytest.param({}, 403, id="neither is given"),
        pytest.param({"Origin": "http://evil.test"}, 403, id="foreign"),
        pytest.param({"Origin": "null"}, 403, id="null"),
        pytest.param({"Origin": "http://127.0.0.1:8601"}, 403, id="other port"),
        pytest.param({"Sec-Fetch-Site": "cross-site"}, 403, id="foreign by fetch metadata"),
        pytest.param({"Origin": BASE, "Sec-Fetch-Site": "same-site"}, 403, id="a neighbour"),
    ],
)
def test_a_cookie_changes_things_only_from_our_own_pages(
    guarded: TestClient, headers: dict[str, str], status: int
) -> None:
    guarded.post("/login", json={"token": TOKEN}, headers={"Origin": BASE})
    assert guarded.put("/api/v1/cameras/gate", json={"url": "rtsp://10.0.0.7/a"}, headers=BEARER).status_code == 201
    assert guarded.delete("/api/v1/cameras/gate", headers=headers).status_code == status


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        pytest.param({}, 201, id="a command-line client"),
        pytest.param({"Origin": BASE}, 201, id="our page"),
        pytest.param({"Origin": "http://evil.test"}, 403, id="another site"),
        pytest.param({"Content-Type": "text/plain"}, 415, id="a form in disguise"),
        pytest.param({"Host": "evil.test"}, 421, id="DNS rebinding"),
        pytest.param({"Host": "localhost:8600"}, 201, id="localhost"),
        pytest.param({"Host": "[::1]:8600"}, 201, id="IPv6 loopback"),
        pytest.param({"Host": ""}, 421, id="no host"),
        pytest.param({"Host": "127.0.0.1.evil.test"}, 421, id="a name that begins like an address"),
    ],
)
def test_loopback_without_token_is_closed_to_other_sites(
    client: TestClient, headers: dict[str, str], status: int
) -> None:
    body = b'{"id": "gate", "url": "rtsp://10.0.0.7/main"}'
    sent = {"Content-Type": "application/json", **headers}
    assert client.post("/api/v1/cameras", content=body, headers=sent).status_code == status


def test_reading_with_a_foreign_host_is_refused_too(client: TestClient) -> None:
    assert client.get("/api/v1/cameras", headers={"Host": "evil.test"}).status_code == 421


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param({}, id="no token"),
        pytest.param({"Cookie": "{cookie}"}, id="cookie without origin"),
        pytest.param({"Cookie": "{cookie}", "Origin": "http://evil.test"}, id="cookie from another site"),
    ],
)
def test_websocket_refuses(guarded: TestClient, headers: dict[str, str]) -> None:
    guarded.post("/login", json={"token": TOKEN}, headers={"Origin": BASE})
    cookie = f"{COOKIE}={guarded.cookies[COOKIE]}"
    guarded.cookies.clear()
    sent = {name: value.format(cookie=cookie) for name, value in headers.items()}
    with (
        pytest.raises(WebSocketDisconnect),
        guarded.websocket_connect("ws://127.0.0.1:8600/api/v1/events/live", headers=sent),
    ):
        pass


@pytest.mark.parametrize("path", ["/", "/api/v1/cameras", "/nowhere", "/static/grid.js", "/login", "/healthz"])
def test_every_answer_carries_the_security_headers(client: TestClient, path: str) -> None:
    headers = client.get(path).headers
    assert headers["content-security-policy"].startswith("default-src 'none'; script-src 'self'; style-src 'self'")
    assert "unsafe" not in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"


@pytest.mark.parametrize("is_announced", [True, False])
def test_a_body_that_is_too_large_is_refused(client: TestClient, *, is_announced: bool) -> None:
    body = b" " * (MAX_BODY_BYTES + 1)
    content = body if is_announced else iter([body[:500_000]] * 3)
    headers = {"Content-Type": "application/json"}
    answer = client.post("/api/v1/cameras", content=content, headers=headers)
    assert answer.status_code == 413
    assert answer.json()["detail"] == "the body is larger than 1000000 bytes; send less"


@pytest.mark.parametrize(("kind", "status"), [("application/zip", 422), ("text/plain", 415)])
def test_a_set_of_labels_may_be_larger_and_comes_as_a_zip_file(client: TestClient, kind: str, status: int) -> None:
    path = "/api/v1/review/import?format=coco&reviewer=Ada"
    answer = client.post(path, content=b" " * (MAX_BODY_BYTES + 1), headers={"Content-Type": kind})
    assert answer.status_code == status  # 422: read, and found to be no zip file


def test_a_session_ends_by_the_clock() -> None:
    now = [1000.0]
    sessions = Sessions(TOKEN, lambda: now[0])
    cookie = sessions.start()
    assert sessions.role_of(cookie) == "operator"
    assert Sessions("another-token-0123456", lambda: now[0]).role_of(cookie) is None
    now[0] += SESSION_S + 1
    assert sessions.role_of(cookie) is None


# Viewers

VIEWER_TOKEN = "fedcba9876543210-viewer"
VIEWER = {"Authorization": f"Bearer {VIEWER_TOKEN}"}


@pytest.fixture
def seen(make_world: Callable[..., Any]) -> Iterator[TestClient]:
    app = create_app(make_world(api_token=TOKEN, viewer_token=VIEWER_TOKEN, host="0.0.0.0").services)
    with TestClient(app, base_url=BASE, follow_redirects=False) as client:
        yield client


def test_a_viewer_changes_nothing_by_any_route_and_sees_no_sampled_picture(
    guarded_app: FastAPI, seen: TestClient
) -> None:
    refused = looked = 0
    for path, methods in routes_of(guarded_app):
        concrete = re.sub(r"\{[^}]+\}", "gate", path) + ("/grid.js" if path == "/static" else "")
        for method in methods or {"GET"}:
            if concrete in {"/login", "/logout"} or concrete.startswith("/api/v1/cameras/gate/stream"):
                continue
            status = seen.request(method, concrete, headers=VIEWER).status_code
            is_of_samples = bool(re.match(r"/(api/v1/)?(review|samples)(/|$)", concrete))
            if method not in {"GET", "HEAD"} or is_of_samples:
                assert status == 403, (method, path)
                refused += 1
            else:
                assert status not in {401, 403}, (method, path)
                looked += 1
    assert refused >= 20
    assert looked >= 20


def test_a_viewer_logs_in_and_out_and_is_told_what_that_means(seen: TestClient) -> None:
    assert seen.post("/login", json={"token": VIEWER_TOKEN}, headers={"Origin": BASE}).status_code == 204
    assert seen.get("/api/v1/session").json() == {"role": "viewer"}
    answer = seen.post("/api/v1/models/rollback", json={"by": "Eve", "why": "for fun"}, headers={"Origin": BASE})
    assert answer.status_code == 403
    assert answer.json()["detail"] == "a viewer may look and change nothing; log in with the token of an operator"
    foreign = {"Origin": "http://evil.test"}
    assert seen.post("/logout", headers=foreign).status_code == 403
    assert seen.post("/logout", headers={"Origin": BASE}).status_code == 204
    assert seen.get("/api/v1/session").status_code == 401
    # A viewer's cookie is no operator's, whatever it says.
    seen.post("/login", json={"token": VIEWER_TOKEN}, headers={"Origin": BASE})
    forged = seen.cookies[COOKIE].replace("viewer", "operator")
    seen.cookies.clear()
    assert seen.get("/api/v1/session", headers={"Cookie": f"{COOKIE}={forged}"}).status_code == 401
    seen.post("/login", json={"token": TOKEN}, headers={"Origin": BASE})
    assert seen.get("/api/v1/session").json() == {"role": "operator"}


def test_without_a_token_everybody_is_an_operator(client: TestClient) -> None:
    assert client.get("/api/v1/session").json() == {"role": "operator"}


def test_a_viewer_may_listen(seen: TestClient) -> None:
    with seen.websocket_connect("ws://127.0.0.1:8600/api/v1/events/live", headers=VIEWER):
        pass
