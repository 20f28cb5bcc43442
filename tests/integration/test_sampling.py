"""What the real service leaves on the disk: no picture without leave, no readable head with it."""

from __future__ import annotations

import dataclasses
import io
import re
from collections import deque
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest
from support.served import Served

from footfall.domain import Camera, Line
from footfall.vision.analysis import CameraAnalyser
from footfall.vision.detector import load_detector
from footfall.vision.evaluation import read_sequence
from footfall.vision.footage import Footage
from footfall.vision.models import EMBEDDED_FOLDER
from footfall.vision.privacy import pixelate_heads
from service.clips import ClipRecorder

# JPEG, PNG, GIF, WebP, MP4, Matroska, TIFF; longer than their magic alone where that is short.
PICTURE = re.compile(
    rb"\xff\xd8\xff[\xdb\xe0\xe1\xee]|\x89PNG\r\n\x1a\n|GIF8[79]a|RIFF....WEBP|ftyp(?:isom|mp4|avc|iso)|\x1aE\xdf\xa3|II\*\x00",
    re.DOTALL,
)
LINE = {"name": "door", "start": [0.5, 0.0], "end": [0.5, 1.0]}
PURPOSE = "prove the count"


def served(tmp_path: Path, footage: Path, **camera: Any) -> Served:
    film = footage / "TUD-Campus" / "video.mp4"
    cameras = [{"id": "street", "url": str(film), "loop": True, "lines": [LINE], **camera}]
    return Served(tmp_path / "service", cameras, EMBEDDED_FOLDER, input_size=320)


def pictures_in(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file() and PICTURE.search(path.read_bytes())]


def run_for_frames(service: Served, frames: int) -> None:
    service.wait_for(lambda: service.live("street")["frames"]["analysed"] > frames, 60)
    assert service.terminate() == 0


@pytest.mark.footage
def test_without_leave_no_byte_of_a_picture_is_written(tmp_path: Path, footage: Path) -> None:
    with served(tmp_path, footage) as service:
        run_for_frames(service, 40)
    written = [path for path in (tmp_path / "service").rglob("*") if path.is_file()]
    assert any(path.name == "footfall.db" for path in written)
    assert pictures_in(tmp_path / "service") == []


@pytest.mark.footage
def test_with_leave_people_and_a_frame_are_kept_with_their_chances(tmp_path: Path, footage: Path) -> None:
    leave = {"purpose": PURPOSE, "tracks_per_day": 240, "frames_per_day": 24, "targeted_per_day": 240}
    with served(tmp_path, footage, sampling=leave) as service:
        assert service.get("/api/v1/cameras/street")["sampling"]["purpose"] == PURPOSE
        run_for_frames(service, 80)
        service.start()
        days = {path.parent.name for path in pictures_in(tmp_path / "service")}
        found = [sample for day in days for sample in service.get(f"/api/v1/samples?camera=street&day={day}")]
        assert {sample["unit"] for sample in found} == {"track", "frame"}
        for sample in found:
            assert (sample["probability"] is None) == (sample["queue"] == "targeted")
        kept = pictures_in(tmp_path / "service")
        assert {path.stem for path in kept} == {sample["id"] for sample in found}
        assert all(cv2.imread(str(path)) is not None for path in kept)
        assert "footfall_sampling_job_failures_total 0.0" in service.get_text("/metrics")


@pytest.mark.footage
def test_heads_of_real_people_are_gone_from_what_would_be_kept(footage: Path) -> None:
    """Of people whom somebody marked by hand: how much fine detail the head end keeps, by boxes of the last second."""
    sequence = read_sequence(footage / "TUD-Campus")
    detector = load_detector(EMBEDDED_FOLDER, input_size=640)
    shares = []
    recent: deque[tuple[float, Any]] = deque()
    with Footage(sequence.video) as film:
        for frame in film.frames():
            if frame.sequence % 3:  # about eight a second
                continue
            (found,) = detector.detect([frame.picture])
            recent.append((frame.received_s, found.boxes_px))
            while recent[0][0] < frame.received_s - 1.0:
                recent.popleft()
            safe = pixelate_heads(frame.picture, np.vstack([boxes for _, boxes in recent]))
            for x0, y0, x1, y1 in sequence.boxes_at(frame.sequence)[1].tolist():
                part = np.s_[max(0, int(y0)) : int(y0 + 0.15 * (y1 - y0)), max(0, int(x0)) : int(x1)]
                before, after = _detail(frame.picture[part]), _detail(safe[part])
                if before > 1:
                    shares.append(after / before)
    assert len(shares) > 60
    unreadable = np.mean(np.array(shares) < 0.5)
    # Whom the detector did not see in a second cannot be hidden.
    assert unreadable >= 0.9, f"{unreadable:.1%} of {len(shares)} heads"


@pytest.mark.footage
def test_heads_of_real_people_are_gone_from_a_clip(footage: Path) -> None:
    """The same of a film as it is stored: boxes of a second before and after each picture."""
    sequence = read_sequence(footage / "TUD-Campus")
    detector = load_detector(EMBEDDED_FOLDER, input_size=640)
    recorder = ClipRecorder(Line("door", (0.5, 0.0), (0.5, 1.0)), sequence.frames / sequence.fps)
    analyser = CameraAnalyser(Camera("street", "film.mp4"), run_id="test")
    pictures = {}
    with Footage(sequence.video) as film:
        for frame in film.frames():
            if frame.sequence % 3 == 0:
                pictures[round(frame.received_s, 2)] = frame
                recorder.add(analyser.update(frame, detector.detect([frame.picture])[0]), ())
    clip, at_s = None, frame.received_s
    while clip is None:
        at_s += 0.5
        later = dataclasses.replace(frame, image=np.full_like(frame.picture, 127), received_s=at_s)
        clip = recorder.add(analyser.update(later, detector.detect([later.picture])[0]), ())
    shares = []
    with av.open(io.BytesIO(clip.content)) as container:
        for stored in container.decode(video=0):
            frame = pictures[round(float(stored.time or 0), 2)]
            safe = stored.to_ndarray(format="bgr24")
            assert safe.shape == frame.picture.shape
            for x0, y0, x1, y1 in sequence.boxes_at(frame.sequence)[1].tolist():
                part = np.s_[max(0, int(y0)) : int(y0 + 0.15 * (y1 - y0)), max(0, int(x0)) : int(x1)]
                before, after = _detail(frame.picture[part]), _detail(safe[part])
                if before > 1:
                    shares.append(after / before)
    assert len(shares) > 100
    unreadable = np.mean(np.array(shares) < 0.5)
    assert unreadable >= 0.95, f"{unreadable:.1%} of {len(shares)} heads"


def _detail(part: Any) -> float:
    """Mean absolute second difference: what is left of edges and texture between neighbours."""
    grey = cv2.cvtColor(part, cv2.COLOR_BGR2GRAY).astype(np.float32)
    return float(np.abs(cv2.Laplacian(grey, cv2.CV_32F)).mean()) if min(grey.shape) > 2 else 0.0
