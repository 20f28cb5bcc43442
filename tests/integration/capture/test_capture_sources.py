"""What a reader can read: RTSP over TCP and UDP, MJPEG over HTTP, and films at the rate they were filmed with."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import av
import pytest
from structlog.testing import capture_logs
from support.devices import PlayedDevice

from footfall.domain import CameraState, DropReason
from service.capture import CaptureSettings

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("transport", ["tcp", "udp"])
def test_first_picture_comes_within_two_seconds(rtsp_server: Any, watch: Any, clip: Path, transport: str) -> None:
    server = rtsp_server([("/gate", clip)])
    camera = watch(server.url("/gate"), transport=transport)
    camera.wait_until(lambda: camera.slot.peek() is not None, 2.0, "first picture")
    frame = camera.slot.take()
    camera.slot.ledger.analyse()
    picture = frame.image.bgr()
    assert picture.shape == (240, 320, 3)
    assert (frame.image.width_px, frame.image.height_px) == (320, 240)
    assert abs((datetime.now(UTC) - frame.received_at).total_seconds()) < 2.0
    assert abs(time.monotonic() - frame.received_s) < 2.0
    camera.wait_for_frames(10, 5.0)


def test_a_device_that_is_not_there_costs_no_picture_and_is_told_once(
    rtsp_server: Any, watch: Any, clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "-1")  # where the machine has one
    server = rtsp_server([("/gate", clip)])
    with capture_logs() as logs:
        camera = watch(server.url("/gate"), settings=CaptureSettings(backoff_first_s=0.3, decode_device="cuda"))
        camera.wait_for_frames(15, 30.0)
        server.drop()
        camera.wait_until(lambda: camera.reconnects and camera.states[-1] is CameraState.LIVE, 30.0, "back")
        camera.wait_for_frames(15, 30.0)
    told = [each for each in logs if each["event"] == "decoded in software"]
    assert [(each["log_level"], each["camera"], each["device"]) for each in told] == [("warning", "camera-0", "cuda")]
    assert camera.refused == ["camera-0"]
    live = [change.detail for change in camera.changes if change.state is CameraState.LIVE]
    assert len(live) >= 2
    assert set(live) == {f"320×240, decoded in software: {told[0]['why']}"}
    assert told[0]["why"].startswith("cuda cannot be opened on this machine")
    assert camera.counts.dropped[DropReason.CORRUPT] == 0


def test_a_device_that_fails_while_it_decodes_is_left_and_the_live_camera_says_so(
    rtsp_server: Any, watch: Any, clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    device = PlayedDevice(fails_from=15)
    monkeypatch.setattr("service.decoder._connect", device.connect)
    server = rtsp_server([("/gate", clip)])
    camera = watch(server.url("/gate"), settings=CaptureSettings(decode_device="cuda"))
    camera.wait_until(lambda: len(camera.changes) >= 3, 20.0, "the device is left")
    camera.wait_for_frames(15, 20.0)
    # What was lost makes it degraded for some seconds, as broken pictures of a camera do.
    assert camera.states[:3] == [CameraState.CONNECTING, CameraState.LIVE, CameraState.LIVE]
    assert camera.changes[1].detail == "320×240, decoded by cuda"
    assert camera.changes[2].detail.startswith("320×240, decoded in software: cuda failed while it decoded h264 (")
    assert camera.refused == ["camera-0"]
    assert 1 <= camera.counts.dropped[DropReason.CORRUPT] <= 10  # up to the next key picture, as every tenth is
    assert camera.reconnects == []


def test_pictures_arrive_in_the_order_they_are_shown(rtsp_server: Any, watch: Any, make_clip: Any) -> None:
    server = rtsp_server([("/gate", make_clip(b_frames=2))])
    camera = watch(server.url("/gate"))
    numbers: list[int] = []
    while len(numbers) < 25:
        camera.wait_until(lambda: camera.slot.peek() is not None, 3.0, "next picture")
        numbers.append(round(camera.slot.take().image.bgr()[:32].mean() / 8))
        camera.slot.ledger.analyse()
    steps = [(after - before) % 30 for before, after in pairwise(numbers)]
    assert all(0 <= step <= 3 for step in steps), numbers


def test_mjpeg_over_http(watch: Any, http_camera: str) -> None:
    camera = watch(f"{http_camera}/mjpeg")
    camera.wait_for(CameraState.LIVE, 3.0)
    camera.wait_for_frames(5, 3.0)
    assert camera.slot.peek().image.width_px == 160


def test_hls_segments_are_played_at_the_rate_they_were_filmed_with(
    watch: Any, http_folder: tuple[str, Path], clip: Path
) -> None:
    address, folder = http_folder
    with (
        av.open(str(clip)) as film,
        av.open(str(folder / "live.m3u8"), "w", format="hls", options={"hls_time": "1"}) as playlist,
    ):
        copy = playlist.add_stream_from_template(film.streams.video[0])
        for packet in film.demux(video=0):
            if packet.dts is not None:
                packet.stream = copy
                playlist.mux(packet)
    camera = watch(f"{address}/live.m3u8")
    camera.wait_for_frames(20, 6.0)
    times_s = [at_s for at_s, _ in camera.frames]
    assert times_s[19] - times_s[0] == pytest.approx(1.9, abs=0.4)
    camera.wait_for(CameraState.OFFLINE, 5.0)  # a camera's stream that ends is a fault
    camera.wait_until(lambda: camera.reconnects == ["ended"], 2.0)


def test_http_answers_have_their_states(watch: Any, http_camera: str) -> None:
    watch(f"{http_camera}/locked").wait_for(CameraState.AUTH_FAILED, 3.0)
    watch(f"{http_camera}/nothing").wait_for(CameraState.NOT_FOUND, 3.0)


def test_film_plays_at_its_rate_and_ends(watch: Any, clip: Path) -> None:
    camera = watch(str(clip))
    took_s = camera.wait_for(CameraState.ENDED, 8.0)
    assert 2.5 < took_s < 5.0  # 30 pictures at 10/s
    assert camera.counts.received == 30
    assert [frame_at - camera.frames[0][0] for frame_at, _ in camera.frames][-1] == pytest.approx(2.9, abs=0.3)
    assert camera.reader.join(1.0)
    assert camera.reconnects == []


def test_film_that_is_looped_goes_on_without_a_pause(watch: Any, make_clip: Any) -> None:
    film = make_clip(pictures=10, fps=20)
    camera = watch(film.as_uri(), loop=True)
    camera.wait_for_frames(35, 5.0)
    times_s = [at_s for at_s, _ in camera.frames]
    assert max(after - before for before, after in pairwise(times_s)) < 0.5
    assert times_s[34] - times_s[0] == pytest.approx(34 / 20, abs=0.4)
    assert camera.states == [CameraState.CONNECTING, CameraState.LIVE]


def test_missing_film_is_not_found(watch: Any, tmp_path: Path) -> None:
    camera = watch(str(tmp_path / "missing.mp4"))
    camera.wait_for(CameraState.NOT_FOUND, 2.0)


def test_large_pictures_are_refused_before_they_are_decoded(watch: Any, clip: Path) -> None:
    camera = watch(str(clip), settings=CaptureSettings(max_pixels=320 * 200))
    camera.wait_for(CameraState.OFFLINE, 2.0)
    assert "max_pixels" in camera.changes[-1].detail
    assert camera.counts.received == 0


def test_playlist_in_a_file_opens_nothing_else(watch: Any, clip: Path, tmp_path: Path) -> None:
    playlist = tmp_path / "list.mp4"
    playlist.write_text(f"ffconcat version 1.0\nfile {clip.as_uri()}\n")
    watch(str(playlist)).wait_for(CameraState.OFFLINE, 2.0)
