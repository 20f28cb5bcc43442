"""Requests: read from a file, the environment or the records; what is not understood trains nothing."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from footfall.domain import RetrainRequest
from footfall.errors import SettingsError, UnknownRecordError
from monitoring.launchers import told_of
from retrain.job import ENVIRONMENT, Options, as_json, from_json, read_job

NOW = datetime(2026, 3, 20, 12, tzinfo=UTC)
REQUEST = RetrainRequest("ab" * 16, "mall", "fog", "c1,c2", "0123456789ab", "people are missed", "policy", "drift", NOW)


def stored(request_id: str) -> RetrainRequest:
    if request_id != REQUEST.id:
        raise UnknownRecordError(f"retrain request {request_id!r}: is not there")
    return REQUEST


def never(cause: str, cameras: Sequence[str]) -> None:
    """No camera drifts."""


def test_a_request_is_the_same_from_file_environment_and_records(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "request.json"
    path.write_text(json.dumps(told_of(REQUEST)), encoding="utf-8")
    from_file = read_job(str(path), stored, never, now=NOW, new_days=14)
    monkeypatch.setenv(ENVIRONMENT, path.read_text(encoding="utf-8"))
    assert read_job(None, stored, never, now=NOW, new_days=14) == from_file
    assert read_job(REQUEST.id, stored, never, now=NOW, new_days=14) == from_file
    assert from_file.cameras == ("c1", "c2")
    assert from_file.new_since == NOW - timedelta(days=14)
    assert from_file.is_new("c1", NOW)
    assert not from_file.is_new("c3", NOW)
    assert not from_file.is_new("c1", NOW - timedelta(days=15))


def test_what_is_new_began_with_the_drift_unless_somebody_says_otherwise(tmp_path: Path) -> None:
    path = tmp_path / "request.json"
    monday, friday = NOW - timedelta(days=6), NOW - timedelta(days=2)
    path.write_text(json.dumps(told_of(REQUEST)), encoding="utf-8")

    def began(cause: str, cameras: Sequence[str]) -> datetime:
        assert (cause, list(cameras)) == ("fog", ["c1", "c2"])
        return monday

    assert read_job(str(path), stored, began, now=NOW, new_days=14).new_since == monday
    path.write_text(json.dumps(told_of(REQUEST) | {"since": friday.isoformat()}), encoding="utf-8")
    assert read_job(str(path), stored, began, now=NOW, new_days=14).new_since == friday


def test_a_run_goes_on_as_it_began(tmp_path: Path) -> None:
    path = tmp_path / "request.json"
    path.write_text(json.dumps(told_of(REQUEST)), encoding="utf-8")
    job = read_job(str(path), stored, never, now=NOW, new_days=14)
    options = Options(technique="full", steps=7, with_int8=False)
    assert from_json(json.loads(json.dumps(as_json(job, options)))) == (job, options)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"id": "7"}, "id: String should match pattern"),
        ({"cause": "boredom"}, "cause: Input should be 'asked'"),
        ({"command": "rm"}, "command: Extra inputs are not permitted"),
        ({"since": "2026-03-01T00:00:00"}, "since: 2026-03-01T00:00:00 has no time zone"),
    ],
)
def test_what_is_not_understood_is_refused(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    path = tmp_path / "request.json"
    path.write_text(json.dumps(told_of(REQUEST) | changes), encoding="utf-8")
    with pytest.raises(SettingsError, match=message):
        read_job(str(path), stored, never, now=NOW, new_days=14)


def test_no_request_and_unknown_ones_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(ENVIRONMENT, raising=False)
    with pytest.raises(SettingsError, match="expected a file, an id, or FOOTFALL_RETRAIN_REQUEST"):
        read_job(None, stored, never, now=NOW, new_days=14)
    with pytest.raises(SettingsError, match="is neither a file nor the id of a request"):
        read_job("gate", stored, never, now=NOW, new_days=14)
    with pytest.raises(UnknownRecordError):
        read_job("cd" * 16, stored, never, now=NOW, new_days=14)
