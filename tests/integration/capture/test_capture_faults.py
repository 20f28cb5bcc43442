"""What a reader does when a real camera fails, and that it comes back by itself."""

from __future__ import annotations

import time
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from footfall.domain import CameraState, DropReason

if TYPE_CHECKING:
    from pathlib import Path


def test_frozen_camera_stalls_although_its_rtcp_goes_on(rtsp_server: Any, watch: Any, clip: Path) -> None:
    server = rtsp_server([("/gate", clip)])
    camera = watch(server.url("/gate"))
    camera.wait_for_frames(3, 5.0)
    server.freeze("/gate")
    camera.wait_for(CameraState.STALLED, 4.0)
    camera.wait_until(lambda: camera.reconnects == ["stalled"], 6.0, "one reconnect")
    server.resume("/gate")
    assert camera.wait_for(CameraState.LIVE, 10.0) < 10.0
    camera.wait_for_frames(3, 3.0)


def test_killed_camera_is_offline_and_back_when_it_is(rtsp_server: Any, watch: Any, clip: Path) -> None:
    server = rtsp_server([("/gate", clip)])
    camera = watch(server.url("/gate"))
    camera.wait_for_frames(3, 5.0)
    server.kill()
    assert camera.wait_for(CameraState.OFFLINE, 2.0) < 2.0
    camera.wait_until(lambda: "refused" in camera.reconnects, 5.0, "tried while it is away")
    assert camera.reconnects[0] == "ended"
    server.start()
    camera.wait_for(CameraState.LIVE, 10.0)
    assert camera.states == [CameraState.CONNECTING, CameraState.LIVE, CameraState.OFFLINE, CameraState.LIVE]


def test_camera_that_is_down_at_the_start_is_found_later(
    rtsp_server: Any, rtsp_server_class: Any, watch: Any, clip: Path, free_port: int
) -> None:
    camera = watch(f"rtsp://127.0.0.1:{free_port}/gate")
    camera.wait_for(CameraState.OFFLINE, 2.0)
    rtsp_server([("/gate", clip)], port=free_port)
    camera.wait_for(CameraState.LIVE, 10.0)


def test_stopped_process_stalls_and_recovers(rtsp_server: Any, watch: Any, clip: Path) -> None:
    server = rtsp_server([("/gate", clip)])
    camera = watch(server.url("/gate"))
    camera.wait_for_frames(3, 5.0)
    server.pause()
    camera.wait_for(CameraState.STALLED, 4.0)
    server.proceed()
    camera.wait_for(CameraState.LIVE, 10.0)


def test_refused_password_is_tried_on_the_slow_ladder_only(rtsp_server: Any, watch: Any, clip: Path) -> None:
    server = rtsp_server([("/gate", clip)])
    server.protect("/gate", "guard", "right")
    camera = watch(server.url("/gate", "guard", "wrong"))
    camera.wait_for(CameraState.AUTH_FAILED, 3.0)
    first_attempt = server.connections()
    camera.wait_until(lambda: camera.reconnects == ["auth_failed"], 2.0, "the second attempt after one second")
    time.sleep(2.0)  # the third is a minute away
    assert server.connections() == 2 * first_attempt
    assert camera.reconnects == ["auth_failed"]
    assert camera.states == [CameraState.CONNECTING, CameraState.AUTH_FAILED]


def test_right_password_works_with_digest_and_basic(rtsp_server: Any, watch: Any, clip: Path) -> None:
    for scheme in ("digest", "basic"):
        server = rtsp_server([("/gate", clip)], auth=scheme)
        server.protect("/gate", "guard", "p@:/%?#é")
        watch(f"rtsp://guard:p@:/%?#é@127.0.0.1:{server.port}/gate").wait_for(CameraState.LIVE, 4.0)


def test_missing_stream_is_not_found_until_it_is_there(rtsp_server: Any, watch: Any, clip: Path) -> None:
    server = rtsp_server([("/gate", clip)])
    server.remove("/gate")
    camera = watch(server.url("/gate"))
    camera.wait_for(CameraState.NOT_FOUND, 3.0)
    server.restore("/gate")
    camera.wait_for(CameraState.LIVE, 10.0)
    assert set(camera.reconnects) == {"not_found"}


def test_broken_pictures_are_counted_and_kept_from_analysis(rtsp_server: Any, watch: Any, clip: Path) -> None:
    server = rtsp_server([("/gate", clip, 20.0)])
    camera = watch(server.url("/gate"))
    camera.wait_for_frames(10, 5.0)
    assert camera.counts.dropped[DropReason.CORRUPT] == 0
    server.corrupt("/gate")
    camera.wait_for(CameraState.DEGRADED, 6.0)
    assert camera.counts.dropped[DropReason.CORRUPT] > 0
    assert camera.counts.received == len(camera.frames) + camera.counts.dropped[DropReason.CORRUPT]
    server.heal("/gate")
    camera.wait_for(CameraState.LIVE, 10.0)
    assert camera.reconnects == []


def test_sick_cameras_delay_and_disturb_no_other(rtsp_server: Any, watch: Any, clip: Path, listener: Any) -> None:
    healthy, sick = rtsp_server([("/one", clip), ("/two", clip)]), rtsp_server([("/three", clip)])
    silent = listener()
    dumb = [watch(f"rtsp://127.0.0.1:{silent.port}/dumb") for _ in range(3)]
    ill = watch(sick.url("/three"))
    others = [watch(healthy.url("/one")), watch(healthy.url("/two"))]
    for other in others:
        assert other.wait_for(CameraState.LIVE, 2.0) < 2.0
    ill.wait_for(CameraState.LIVE, 3.0)
    sick.kill()
    began_s = time.monotonic()
    ill.wait_for(CameraState.OFFLINE, 2.0)
    time.sleep(3.0)
    for other in others:
        times_s = [began_s, *(at_s for at_s, _ in other.frames if at_s > began_s), time.monotonic()]
        assert max(after - before for before, after in pairwise(times_s)) < 1.0
        assert other.states == [CameraState.CONNECTING, CameraState.LIVE]
    assert {camera.reader.state for camera in dumb} == {CameraState.STALLED}
