"""A reader under watch, and small hostile cameras that no honest server would play."""

from __future__ import annotations

import io
import random
import socket
import socketserver
import threading
import time
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, SimpleHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image

from footfall.domain import Camera, CameraState, DropReason, StateChange
from service.capture import CameraReader, CaptureSettings
from service.clock import SystemClock
from service.frames import FrameCounts, FrameLedger, NewestFrame

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime
    from pathlib import Path

QUICK = CaptureSettings(open_timeout_s=2.0, stall_timeout_s=2.0, backoff_first_s=0.3, auth_ladder_s=(1.0, 60.0))


@dataclass
class Watched:
    """A reader, and all that it told."""

    reader: CameraReader
    slot: NewestFrame
    changes: list[StateChange]
    reconnects: list[str]
    frames: list[tuple[float, datetime]]
    refused: list[str]

    @property
    def counts(self) -> FrameCounts:
        return self.slot.ledger.counts()

    @property
    def states(self) -> list[CameraState]:
        return [change.state for change in self.changes]

    def wait_for(self, state: CameraState, within_s: float) -> float:
        """Wait for a state; return the seconds it took."""
        return self.wait_until(lambda: self.reader.state is state, within_s, f"{state} expected, changes {self.states}")

    def wait_until(self, holds: Callable[[], bool], within_s: float, what: str = "") -> float:
        began_s = time.monotonic()
        while not holds():
            assert time.monotonic() - began_s < within_s, f"not within {within_s} s: {what}"
            time.sleep(0.01)
        return time.monotonic() - began_s

    def wait_for_frames(self, more: int, within_s: float) -> float:
        target = len(self.frames) + more
        return self.wait_until(lambda: len(self.frames) >= target, within_s, f"{more} more pictures")


@pytest.fixture
def watch() -> Iterator[Callable[..., Watched]]:
    """Start readers: `watch(url, settings=…, transport=…, loop=…)`; each must stop, with its books balanced."""
    started: list[Watched] = []

    def start(url: str, *, settings: CaptureSettings = QUICK, **camera: Any) -> Watched:
        camera_id = f"camera-{len(started)}"
        slot = NewestFrame(FrameLedger(camera_id), lambda: None)
        frames: list[tuple[float, datetime]] = []
        changes: list[StateChange] = []
        reconnects: list[str] = []
        refused: list[str] = []
        reader = CameraReader(
            Camera(camera_id, url, **camera),
            slot,
            settings=settings,
            on_state=changes.append,
            on_reconnect=lambda _, reason: reconnects.append(reason),
            on_frame_at=lambda _, at: frames.append((time.monotonic(), at)),
            rng=random.Random(7),
            clock=SystemClock(),
            on_decode_refused=refused.append,
        )
        watched = Watched(reader, slot, changes, reconnects, frames, refused)
        started.append(watched)
        reader.start()
        return watched

    yield start
    for watched in started:
        watched.reader.stop()
    for watched in started:
        assert watched.reader.join(10.0), "a stopped reader must end"
        watched.slot.close()
        counts = watched.counts
        assert counts.is_balanced
        assert counts.pending == 0
        assert counts.received == len(watched.frames) + counts.dropped[DropReason.CORRUPT]


@dataclass
class Listener:
    """A TCP server on loopback that counts who comes and keeps what they say."""

    port: int
    connections: int = 0
    heard: bytes = b""


@pytest.fixture
def listener() -> Iterator[Callable[..., Listener]]:
    """Start servers: `listener(answer)`; `answer(request)` gives the bytes to send back, none means silence."""
    servers: list[socketserver.ThreadingTCPServer] = []

    def start(answer: Callable[[bytes], bytes] = lambda _: b"") -> Listener:
        class Handler(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                known.connections += 1
                self.request.settimeout(20.0)
                try:
                    while received := self.request.recv(65536):
                        known.heard += received
                        if reply := answer(received):
                            self.request.sendall(reply)
                except OSError:
                    return

        class Server(socketserver.ThreadingTCPServer):
            allow_reuse_address = True
            daemon_threads = True
            block_on_close = False

        server = Server(("127.0.0.1", 0), Handler)
        known = Listener(server.server_address[1])
        servers.append(server)
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return known

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.fixture
def free_port() -> int:
    """A port on which nothing listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
    return port


@pytest.fixture
def http_camera() -> Iterator[str]:
    """A camera in pure Python: MJPEG at 10/s under /mjpeg, 302 to elsewhere under /moved, 401 under /locked."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path == "/mjpeg":
                self.send_response(200)
                self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=picture")
                self.end_headers()
                number = 0
                try:
                    while not ended.is_set():
                        jpeg = io.BytesIO()
                        Image.fromarray(np.full((120, 160, 3), number % 200, np.uint8)).save(jpeg, "JPEG")
                        body = jpeg.getvalue()
                        self.wfile.write(b"--picture\r\nContent-Type: image/jpeg\r\n")
                        self.wfile.write(f"Content-Length: {len(body)}\r\n\r\n".encode() + body + b"\r\n")
                        number += 1
                        time.sleep(0.1)
                except OSError:
                    return
            elif self.path == "/moved":
                self.send_response(302)
                self.send_header("Location", "http://127.0.0.1:9/mjpeg")
                self.end_headers()
            else:
                self.send_response(401 if self.path == "/locked" else 404)
                self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
            pass

    ended = threading.Event()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.block_on_close = False
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    ended.set()
    server.shutdown()
    server.server_close()


@pytest.fixture
def http_folder(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """An HTTP server's address, and the folder it serves."""

    class Handler(SimpleHTTPRequestHandler):
        def __init__(self, *args: Any) -> None:
            super().__init__(*args, directory=str(tmp_path))

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.block_on_close = False
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", tmp_path
    server.shutdown()
    server.server_close()
