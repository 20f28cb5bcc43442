"""A probe says what a film is, or what is wrong and what to do, and never a password."""

from __future__ import annotations

import json
import socket
from fractions import Fraction
from typing import TYPE_CHECKING

import av
import numpy as np
import pytest
from typer.testing import CliRunner

from footfall.config import Settings, read_settings
from service.commands.cameras import cameras_app
from service.probe import probe

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return read_settings(data_dir=tmp_path, open_timeout_s=1.0, stall_timeout_s=1.0)


@pytest.fixture
def film(tmp_path: Path) -> Path:
    path = tmp_path / "film.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=8)
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
        stream.codec_context.time_base = Fraction(1, 8)
        for level in range(24):
            picture = np.full((64, 96, 3), 10 * level, np.uint8)
            for packet in stream.encode(av.VideoFrame.from_ndarray(picture, format="bgr24")):
                container.mux(packet)
        for packet in stream.encode():
            container.mux(packet)
    return path


def test_film_is_described(film: Path, settings: Settings) -> None:
    report = probe(str(film), settings)
    assert report.ok, report.problem
    assert (report.codec, report.width_px, report.height_px) == ("h264", 96, 64)
    assert report.announced_fps == pytest.approx(8.0)
    assert report.measured_fps == pytest.approx(8.0)
    assert report.transport is None
    assert report.problem == ""


def test_what_decodes_a_film_is_told(film: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert probe(str(film), read_settings(data_dir=tmp_path)).decoded_by == "software"
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "-1")  # where the machine has one
    report = probe(str(film), read_settings(data_dir=tmp_path, decode_device="cuda"))
    assert report.ok
    assert report.decoded_by == "software"
    assert report.decode_refusal.startswith("cuda cannot be opened on this machine")
    monkeypatch.setenv("FOOTFALL_DECODE_DEVICE", "cuda")
    answer = CliRunner().invoke(cameras_app, ["probe", str(film)])
    assert f"decoded in software: {report.decode_refusal}" in answer.stdout


@pytest.mark.parametrize(
    ("url", "problem", "advice"),
    [
        pytest.param("gopher://u:geheim@h/x", "scheme 'gopher' is not supported", "Give", id="scheme"),
        pytest.param("concat:a|b", "not a camera URL", "Give", id="libav protocol"),
        pytest.param("/nowhere/film.mp4", "no such file", "file's name", id="missing film"),
        pytest.param("rtsp://u:geheim@127.0.0.1:{free}/x", "connection refused", "host, port", id="nobody there"),
        pytest.param("rtsp://u:geheim@127.0.0.1:{silent}/x", "not answered in time", "transport", id="silent"),
        pytest.param("http://u:geheim@127.0.0.1:{free}/x", "connection refused", "host, port", id="nobody there, http"),
    ],
)
def test_what_is_wrong_is_said(url: str, problem: str, advice: str, settings: Settings) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent, socket.create_server(("127.0.0.1", 0)) as gone:
        free = gone.getsockname()[1]
        gone.close()
        report = probe(url.format(free=free, silent=silent.getsockname()[1]), settings)
    assert not report.ok
    assert problem in report.problem
    assert advice in report.advice
    assert "geheim" not in repr(report)


def test_command_prints_json_and_its_status_tells(film: Path) -> None:
    answer = CliRunner().invoke(cameras_app, ["probe", str(film), "--json"])
    assert answer.exit_code == 0, answer.output
    assert json.loads(answer.stdout)["codec"] == "h264"


def test_command_reads_a_secret_url_from_standard_input() -> None:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    answer = CliRunner().invoke(cameras_app, ["probe", "-"], input=f"rtsp://u:p@:/%?#é@127.0.0.1:{port}/x\n")
    assert answer.exit_code == 1
    assert answer.stdout.startswith(f"rtsp://***@127.0.0.1:{port}/x: no picture")
    assert "p@:" not in answer.output
