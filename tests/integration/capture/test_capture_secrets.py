"""A camera's password reaches the camera and nothing else."""

from __future__ import annotations

import traceback
from typing import TYPE_CHECKING, Any

import pytest

from footfall.domain import CameraState
from footfall.errors import FootfallError, RedirectRefusedError
from footfall.redaction import secrets_of
from service.clock import SystemClock
from service.source import open_source

if TYPE_CHECKING:
    from pathlib import Path

PASSWORD = "p@:/%?#é"


def _forms(url: str) -> tuple[str, ...]:
    return tuple(secret for secret in secrets_of(url) if len(secret) > 3)


def _redirect(trap_port: int, verb: bytes) -> Any:
    def answer(request: bytes) -> bytes:
        number = request.partition(b"CSeq: ")[2].partition(b"\r\n")[0]
        if request.startswith(verb):
            return b"RTSP/1.0 302 Moved\r\nCSeq: %s\r\nLocation: rtsp://127.0.0.1:%d/x\r\n\r\n" % (number, trap_port)
        return b"RTSP/1.0 200 OK\r\nCSeq: %s\r\nPublic: DESCRIBE\r\nContent-Length: 2\r\n\r\nok" % number

    return answer


@pytest.mark.parametrize("verb", [b"OPTIONS", b"DESCRIBE"])
def test_redirect_to_another_address_is_refused(watch: Any, listener: Any, verb: bytes) -> None:
    trap = listener()
    camera_server = listener(_redirect(trap.port, verb))
    camera = watch(f"rtsp://guard:{PASSWORD}@127.0.0.1:{camera_server.port}/gate")
    camera.wait_for(CameraState.OFFLINE, 3.0)
    camera.wait_until(lambda: camera.reconnects[:1] == ["redirect"], 3.0, "counted as a redirect")
    assert "another address" in camera.changes[-1].detail
    assert trap.connections == 0
    assert b"Authorization" not in camera_server.heard


def test_redirect_over_http_is_not_followed(watch: Any, http_camera: str) -> None:
    camera = watch(http_camera.replace("//", f"//guard:{PASSWORD}@") + "/moved")
    camera.wait_for(CameraState.OFFLINE, 3.0)
    camera.wait_until(lambda: camera.reconnects[:1] == ["redirect"], 3.0, "counted as a redirect")


def test_password_is_in_no_log_state_or_output(
    *,
    rtsp_server: Any,
    watch: Any,
    clip: Path,
    listener: Any,
    http_camera: str,
    free_port: int,
    capfd: pytest.CaptureFixture[str],
) -> None:
    server = rtsp_server([("/gate", clip), ("/locked", clip)])
    server.protect("/locked", "guard", "another")
    silent = listener()
    userinfo = f"guard:{PASSWORD}@127.0.0.1"
    urls = {
        f"rtsp://{userinfo}:{server.port}/gate": CameraState.LIVE,
        f"rtsp://{userinfo}:{server.port}/locked": CameraState.AUTH_FAILED,
        f"rtsp://{userinfo}:{server.port}/missing": CameraState.NOT_FOUND,
        f"rtsp://{userinfo}:{free_port}/gate": CameraState.OFFLINE,
        f"rtsp://{userinfo}:{silent.port}/gate": CameraState.STALLED,
        f"http://{userinfo}:{http_camera.rpartition(':')[2]}/locked": CameraState.AUTH_FAILED,
        f"http://{userinfo}:{free_port}/gate": CameraState.OFFLINE,
    }
    cameras = [(watch(url), state) for url, state in urls.items()]
    for camera, state in cameras:
        camera.wait_for(state, 6.0)
    server.drop()
    cameras[0][0].wait_until(lambda: cameras[0][0].reconnects, 5.0, "reconnected")
    out, err = capfd.readouterr()
    seen = out + err + "".join(repr(change) for camera, _ in cameras for change in camera.changes)
    assert "127.0.0.1" in seen  # the log is there to be searched
    for url in urls:
        assert not [secret for secret in _forms(url) if secret in seen]


def test_exceptions_hold_no_password_and_no_chain(http_camera: str, free_port: int, listener: Any) -> None:
    trap = listener(_redirect(9, b"OPTIONS"))
    port = http_camera.rpartition(":")[2]
    for address in (
        f"rtsp://guard:{PASSWORD}@127.0.0.1:{free_port}/gate",
        f"rtsp://guard:{PASSWORD}@127.0.0.1:{trap.port}/gate",
        f"http://guard:{PASSWORD}@127.0.0.1:{port}/locked",
        f"http://guard:{PASSWORD}@127.0.0.1:{port}/moved",
        f"http://guard:{PASSWORD}@127.0.0.1:{free_port}/gate?token=geheim-4711",
    ):
        with pytest.raises(FootfallError) as caught:
            open_source(address, open_timeout_s=2.0, read_timeout_s=2.0, max_pixels=10**6, clock=SystemClock())
        assert caught.value.__cause__ is None
        assert caught.value.__context__ is None
        text = "".join(traceback.format_exception(caught.value)) + repr(caught.value)
        assert not [secret for secret in _forms(address) if secret in text]


def test_redirect_to_the_same_address_is_the_cameras_own_business(listener: Any) -> None:
    ports: list[int] = []

    def answer(request: bytes) -> bytes:
        reply: bytes = _redirect(ports[0], b"OPTIONS")(request)
        return reply

    ports.append(listener(answer).port)
    with pytest.raises(FootfallError) as caught:
        open_source(
            f"rtsp://127.0.0.1:{ports[0]}/gate",
            open_timeout_s=2.0,
            read_timeout_s=2.0,
            max_pixels=10**6,
            clock=SystemClock(),
        )
    assert not isinstance(caught.value, RedirectRefusedError)
