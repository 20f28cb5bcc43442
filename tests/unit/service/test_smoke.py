"""A model is tried out in a process of its own: what it does to that process is told, and harms nobody."""

from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path
from typing import Any

import psutil
import pytest
from support.figures import write_broken_model, write_endless_model, write_figure_model, write_greedy_model

from footfall.errors import ModelError
from service.smoke import _free_mb, try_apart

HOW: dict[str, Any] = {"runtime": "onnxruntime", "input_size": 320}


def test_a_good_model_passes(tmp_path: Path) -> None:
    try_apart(write_figure_model(tmp_path / "good"), name="good", **HOW)


@pytest.mark.parametrize(
    ("write", "limits", "message"),
    [
        pytest.param(write_broken_model, {}, "model 'broken': output holds NaN or infinity", id="not a number"),
        pytest.param(write_endless_model, {"cpu_s": 3.0}, "had not answered a few pictures after 3 s", id="endless"),
        pytest.param(
            lambda folder: write_greedy_model(folder, megabytes=8000),
            {"memory_mb": 1500.0},
            r"model 'broken': .*; it is refused",
            id="greedy",
        ),
    ],
)
def test_a_bad_one_is_refused(tmp_path: Path, write: Any, limits: dict[str, float], message: str) -> None:
    with pytest.raises(ModelError, match=message):
        try_apart(write(tmp_path / "broken"), name="broken", **HOW, **limits)


def test_a_greedy_one_passes_where_there_is_room(tmp_path: Path) -> None:
    try_apart(write_greedy_model(tmp_path / "greedy", megabytes=100), name="greedy", **HOW, memory_mb=1500.0)


@pytest.mark.parametrize("number", [signal.SIGSEGV, signal.SIGKILL])
def test_whatever_ends_its_process_ends_no_other(tmp_path: Path, number: signal.Signals) -> None:
    folder = write_endless_model(tmp_path / "crashing")

    def crash() -> None:
        while True:
            for child in psutil.Process().children():
                if str(folder) in child.cmdline():
                    time.sleep(0.5)
                    os.kill(child.pid, number)
                    return
            time.sleep(0.05)

    thread = threading.Thread(target=crash, daemon=True)
    thread.start()
    with pytest.raises(
        ModelError, match=rf"ended the process in which it was tried out \({number.name}\); it is refused"
    ):
        try_apart(folder, name="crashing", **HOW)
    thread.join(5)


def test_a_container_with_little_memory_bounds_it(tmp_path: Path) -> None:
    unbound = _free_mb(tmp_path)
    assert unbound > 100
    (tmp_path / "memory.max").write_text("900000000\n")
    (tmp_path / "memory.current").write_text("650000000\n")
    assert _free_mb(tmp_path) == 250.0
    (tmp_path / "memory.max").write_text("max\n")
    assert _free_mb(tmp_path) > 250.0


def test_it_gets_none_of_the_secrets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A model cannot read its process's surroundings, but a crash report of it could be sent somewhere."""
    monkeypatch.setenv("FOOTFALL_API_TOKEN", "geheim")
    seen: list[str] = []

    def look() -> None:
        while not seen:
            children = [each for each in psutil.Process().children() if "service.smoke" in each.cmdline()]
            seen.extend("\n".join(each.environ().values()) for each in children)
            time.sleep(0.02)

    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    try_apart(write_figure_model(tmp_path / "good"), name="good", **HOW)
    thread.join(5)
    assert "geheim" not in seen[0]
