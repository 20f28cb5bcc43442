"""A device may decode, fail or be missing: no picture is lost untold, and why it does not decode is told once.

No device is needed: where one is wanted that works or fails, libav's own decoder plays it.
"""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any

import av
import numpy as np
import pytest
from av.codec.hwaccel import HWAccel
from support.devices import PlayedDevice, broken

from service.decoder import DecodeChoice, StreamDecoder

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from av.container import InputContainer
    from av.video.frame import VideoFrame

PICTURES, KEY_EVERY = 60, 20


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("films") / "film.mp4"
    noise = np.random.default_rng(0).integers(60, 120, (64, 96, 3), np.uint8)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=10, options={"bf": "0", "g": str(KEY_EVERY)})
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
        stream.codec_context.time_base = Fraction(1, 10)
        for number in range(PICTURES):
            noise[:, number : number + 8] = 230
            container.mux(stream.encode(av.VideoFrame.from_ndarray(noise, format="bgr24")))
        container.mux(stream.encode())
    return path


@pytest.fixture
def opened(film: Path) -> Iterator[InputContainer]:
    with av.open(str(film)) as container:
        yield container


def played(container: InputContainer, decoder: StreamDecoder, first: int = 0) -> list[VideoFrame | None]:
    packets = list(container.demux(video=0))[first:]
    return [frame for packet in packets for frame in decoder.decode(packet)]


def test_a_device_that_takes_the_stream_decodes_it(opened: InputContainer) -> None:
    device, told = PlayedDevice(), list[str]()
    decoder = StreamDecoder(opened.streams.video[0], DecodeChoice("cuda", told.append), device.connect)
    frames = played(opened, decoder)
    assert [frame is not None and frame.format.name for frame in frames] == PICTURES * ["nv12"]
    assert decoder.decoded_by == "cuda"
    assert told == []


def test_no_device_is_asked_when_none_is_wanted(opened: InputContainer) -> None:
    device = PlayedDevice()
    decoder = StreamDecoder(opened.streams.video[0], DecodeChoice(), device.connect)
    assert len(played(opened, decoder)) == PICTURES
    assert (device.connected, decoder.decoded_by) == (0, "software")


@pytest.mark.parametrize(
    ("behaviour", "why"),
    [
        pytest.param({"fails_from": 0}, "cuda failed while it decoded h264 (Generic error", id="fails at once"),
        pytest.param({"errors": {0: broken()}}, "cuda failed while it decoded h264 (Invalid data", id="dislikes it"),
        pytest.param({"silent": True}, "cuda was given 20 packets and gave no picture", id="gives nothing"),
        pytest.param(
            {"silent": True, "fails_from": 7}, "cuda failed while it decoded h264", id="fails before it gives"
        ),
        pytest.param({"falls_back": True}, "cuda does not take this kind of h264", id="libav leaves it"),
        pytest.param({"is_there": False}, "cuda cannot be opened on this machine", id="is not there"),
    ],
)
def test_where_a_device_never_decodes_no_picture_is_lost_and_why_is_told_once(
    opened: InputContainer, behaviour: dict[str, Any], why: str
) -> None:
    told: list[str] = []
    decoder = StreamDecoder(
        opened.streams.video[0], DecodeChoice("cuda", told.append), PlayedDevice(**behaviour).connect
    )
    frames = played(opened, decoder)
    assert [None if frame is None else frame.pts for frame in frames] == [1024 * number for number in range(PICTURES)]
    assert decoder.decoded_by == "software"
    assert len(told) == 1
    assert told[0].startswith(why)


def test_a_device_that_has_refused_is_not_asked_at_the_next_connection(film: Path) -> None:
    device, told = PlayedDevice(fails_from=0), list[str]()
    choice = DecodeChoice("cuda", told.append)
    for _ in range(3):
        with av.open(str(film)) as container:
            assert len(played(container, StreamDecoder(container.streams.video[0], choice, device.connect))) == PICTURES
    assert (device.connected, len(told)) == (1, 1)


@pytest.mark.parametrize(
    ("fails_from", "lost"),
    [pytest.param(33, range(33, 40), id="between"), pytest.param(40, range(0), id="at a key picture")],
)
def test_a_device_that_fails_later_costs_pictures_up_to_the_next_key_picture_and_each_is_told(
    opened: InputContainer, fails_from: int, lost: range
) -> None:
    told: list[str] = []
    device = PlayedDevice(fails_from=fails_from)
    decoder = StreamDecoder(opened.streams.video[0], DecodeChoice("cuda", told.append), device.connect)
    frames = played(opened, decoder)
    assert [number for number, frame in enumerate(frames) if frame is None] == list(lost)
    assert len(frames) == PICTURES
    assert frames[-1] is not None
    assert (decoder.decoded_by, len(told)) == ("software", 1)


def test_what_the_network_broke_is_not_laid_at_the_devices_door(opened: InputContainer) -> None:
    told: list[str] = []
    device = PlayedDevice(errors={5: broken(), 6: broken(), 50: broken()})
    decoder = StreamDecoder(opened.streams.video[0], DecodeChoice("cuda", told.append), device.connect)
    frames = played(opened, decoder)
    assert [number for number, frame in enumerate(frames) if frame is None] == [5, 6, 50]
    assert (decoder.decoded_by, told) == ("cuda", [])


def test_a_device_that_calls_everything_broken_is_left(opened: InputContainer) -> None:
    told: list[str] = []
    device = PlayedDevice(errors={number: broken() for number in range(10, PICTURES)})
    decoder = StreamDecoder(opened.streams.video[0], DecodeChoice("cuda", told.append), device.connect)
    frames = played(opened, decoder)
    assert [number for number, frame in enumerate(frames) if frame is None] == list(range(10, 40))
    assert (decoder.decoded_by, len(told)) == ("software", 1)


def test_a_stream_that_nobody_can_decode_yet_does_not_speak_against_the_device(opened: InputContainer) -> None:
    told: list[str] = []
    device = PlayedDevice(errors={0: broken()})
    decoder = StreamDecoder(opened.streams.video[0], DecodeChoice("cuda", told.append), device.connect)
    torn = av.Packet(b"\x00\x00\x00\x10" + 16 * b"\xff")
    torn.is_keyframe = True
    assert decoder.decode(torn) == [None]
    frames = played(opened, decoder)
    assert None not in frames
    assert (len(frames), decoder.decoded_by, told) == (PICTURES, "cuda", [])


def test_a_device_begins_with_a_key_picture(opened: InputContainer) -> None:
    device = PlayedDevice()
    decoder = StreamDecoder(opened.streams.video[0], DecodeChoice("cuda"), device.connect)
    played(opened, decoder, first=5)
    assert device.given[0].is_keyframe
    assert len(device.given) == PICTURES - KEY_EVERY + 1  # the last one tells that the film has ended


@pytest.mark.parametrize(
    ("packets", "refusals"), [pytest.param(2, 0, id="too soon to tell"), pytest.param(8, 1, id="stalled")]
)
def test_a_device_that_gave_no_picture_before_a_stall_is_not_asked_again(
    opened: InputContainer, packets: int, refusals: int
) -> None:
    told: list[str] = []
    decoder = StreamDecoder(
        opened.streams.video[0], DecodeChoice("cuda", told.append), PlayedDevice(silent=True).connect
    )
    for _, packet in zip(range(packets), opened.demux(video=0), strict=False):
        decoder.decode(packet)
    decoder.close()
    assert len(told) == refusals


@pytest.mark.parametrize(
    ("device", "why"),
    [
        ("cuda", "cuda cannot be opened on this machine ("),
        ("drm", "drm decodes no h264 with this build of PyAV"),
    ],
)
def test_libav_says_why_a_device_is_not_there(
    opened: InputContainer, monkeypatch: pytest.MonkeyPatch, device: str, why: str
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "-1")  # where the machine has one
    choice = DecodeChoice(device)
    assert len(played(opened, StreamDecoder(opened.streams.video[0], choice))) == PICTURES
    assert choice.refusal.startswith(why)


def test_cameras_share_what_cuda_sets_up_or_else_have_their_own(
    opened: InputContainer, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[dict[str, str]] = []

    def accelerator(device: str, **settings: Any) -> HWAccel:
        asked.append(settings["options"])
        return HWAccel(device, **settings)

    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "-1")  # where the machine has one
    monkeypatch.setattr("service.decoder.HWAccel", accelerator)
    StreamDecoder(opened.streams.video[0], DecodeChoice("cuda"))
    assert asked == [{"primary_ctx": "1"}, {}]
