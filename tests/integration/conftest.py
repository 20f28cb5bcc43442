"""Real cameras for integration tests: a GStreamer RTSP server in a process of its own, and plain clips."""

from __future__ import annotations

import importlib.util
import sys
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import av
import numpy as np
import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_FIXTURE = Path(__file__).parent.parent / "rtsp_server" / "fixture.py"


def _load_rtsp_server() -> type[Any]:
    spec = importlib.util.spec_from_file_location("rtsp_server_fixture", _FIXTURE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    server: type[Any] = module.RtspServer
    return server


@pytest.fixture(scope="session")
def rtsp_server_class() -> type[Any]:
    """The class `RtspServer` of tests/rtsp_server/fixture.py."""
    return _load_rtsp_server()


@pytest.fixture
def rtsp_server(rtsp_server_class: type[Any]) -> Iterator[Callable[..., Any]]:
    """Start servers: `rtsp_server([("/gate", clip)], auth="digest")`; each is killed at the end of the test."""
    started: list[Any] = []

    def start(clips: list[Any], **settings: Any) -> Any:
        server = rtsp_server_class(clips, **settings)
        server.start()
        started.append(server)
        return server

    yield start
    for server in started:
        server.kill()


def write_clip(
    path: Path, *, pictures: int = 30, fps: int = 10, width: int = 320, height: int = 240, b_frames: int = 0
) -> Path:
    """Write an H.264 film in which a bright bar walks to the right, 8 pixels a picture, over fixed noise.

    Picture n has brightness 8·(n mod 30) in its top 32 lines, so that its number can be read back.
    """
    noise = np.random.default_rng(0).integers(60, 120, (height, width, 3), np.uint8)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=fps, options={"bf": str(b_frames), "g": "10", "preset": "fast"})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.codec_context.time_base = Fraction(1, fps)
        for number in range(pictures):
            picture = noise.copy()
            x = 8 * number % (width - 16)
            picture[32:, x : x + 16] = 230
            picture[:32] = 8 * (number % 30)
            for packet in stream.encode(av.VideoFrame.from_ndarray(picture, format="bgr24")):
                container.mux(packet)
        for packet in stream.encode():
            container.mux(packet)
    return path


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A film of 30 pictures, 3 s long, 320×240; see `write_clip`."""
    return write_clip(tmp_path_factory.mktemp("clips") / "clip.mp4")


@pytest.fixture(scope="session")
def make_clip(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Make other films: `make_clip(pictures=…, fps=…, width=…, height=…, b_frames=…)`."""

    def make(**settings: int) -> Path:
        return write_clip(tmp_path_factory.mktemp("clips") / "clip.mp4", **settings)

    return make
