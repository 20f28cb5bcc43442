"""Passwords stay inside, and settings are checked with messages that name the place."""

from __future__ import annotations

from pathlib import Path

import pytest
from av.codec.hwaccel import hwdevices_available
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import ValidationError

from footfall.config import CameraSettings, read_settings, read_site, site_to_yaml
from footfall.errors import SettingsError
from footfall.redaction import encode_userinfo, host_of, redact, redact_url, secrets_of, split_userinfo
from service.logs import redact_event

PASSWORD = "p@:/%?#é"
URL = f"rtsp://admin:{PASSWORD}@10.0.0.7:554/main"


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        (URL, "rtsp://***@10.0.0.7:554/main"),
        ("rtsp://10.0.0.7/main", "rtsp://10.0.0.7/main"),
        ("rtsp://token@10.0.0.7/main", "rtsp://***@10.0.0.7/main"),
        ("rtsp://first.last:pw@cam.local/x", "rtsp://***@cam.local/x"),
        ("rtsp://u:pw@[fe80::1]:554/x", "rtsp://***@[fe80::1]:554/x"),
        ("http://cam/video?usr=admin&pwd=geheim", "http://cam/video?usr=***&pwd=***"),
        ("http://cam/video?token=abc&size=2", "http://cam/video?token=***&size=2"),
        ("rtsp://10.0.0.7/a@b", "rtsp://10.0.0.7/a@b"),
        ("film@home.mp4", "film@home.mp4"),
    ],
)
def test_a_shown_url_holds_no_secret(url: str, shown: str) -> None:
    assert redact_url(url) == shown


@pytest.mark.parametrize(
    "text",
    [
        f"cannot open '{URL}'",
        f"password {PASSWORD} was refused",
        f"GET {encode_userinfo(URL)} failed",
        "Authorization p%40%3A%2F%25%3F%23%C3%A9 sent",
    ],
)
def test_no_text_about_a_camera_holds_its_password(text: str) -> None:
    shown = redact(text, URL)
    assert PASSWORD not in shown
    assert "p%40%3A%2F%25%3F%23%C3%A9" not in shown


def test_a_password_is_found_in_logs_at_any_depth() -> None:
    event = redact_event(None, "", {"event": "x", "deep": {"list": [f"see {URL}"]}, "line": "a\x1b[31mred"})
    assert PASSWORD not in str(event)
    assert "\x1b" not in str(event["line"])


plain = st.text(st.characters(min_codepoint=33, max_codepoint=0x24F, exclude_characters="%"), min_size=4, max_size=12)


@given(plain)
@example("000?")
@example("12/3@")
def test_any_password_survives_encoding_and_is_masked(password: str) -> None:
    from urllib.parse import unquote, urlsplit

    url = f"rtsp://user:{password}@10.0.0.7/main"
    assert split_userinfo(url)[1] == f"user:{password}"
    parts = urlsplit(encode_userinfo(url))
    assert parts.hostname == "10.0.0.7"
    assert unquote(parts.password or "") == password
    assert password not in redact(f"error at {url}: {password}", url)
    assert password in secrets_of(url)


@pytest.mark.parametrize("password", ["000?", "12/3", "80#a", "0/0/0", "554/"])
@pytest.mark.parametrize("host", ["10.0.0.7/main", "10.0.0.7:554/main", "gate", "gate.example/main"])
def test_a_password_that_begins_like_a_port_is_masked(password: str, host: str) -> None:
    url = f"rtsp://user:{password}@{host}"
    assert split_userinfo(url) == (f"rtsp://{host}", f"user:{password}")
    assert password not in redact(f"error at {url}", url)


@pytest.mark.parametrize("url", ["rtsp://10.0.0.7:554/a@b", "rtsp://gate.example:554/live@2", "rtsp://localhost:1/x@y"])
def test_an_at_sign_in_a_path_is_no_password(url: str) -> None:
    assert split_userinfo(url) == (url, None)


def test_the_host_of_a_url() -> None:
    assert host_of(URL) == "10.0.0.7"
    assert host_of("film.mp4") is None


def test_settings_come_from_the_environment_and_secrets_from_files(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "token").write_text("0123456789abcdef\n", encoding="utf-8")
    monkeypatch.setenv("FOOTFALL_PORT", "9000")
    monkeypatch.setenv("FOOTFALL_API_TOKEN_FILE", str(tmp_path / "token"))
    settings = read_settings(host="0.0.0.0")
    assert settings.port == 9000
    assert settings.api_token is not None
    assert settings.api_token.get_secret_value() == "0123456789abcdef"
    assert "0123456789abcdef" not in repr(settings)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("HOST", "0.0.0.0", "can be reached from other machines, and no token is set"),
        ("DRIFT_MOST", "9", "drift_most: 9 of the last drift_last=8 can never be"),
        ("API_TOKEN", "short", "api_token: shorter than 16 characters"),
        ("VIEWER_TOKEN", "0123456789abcdef", "viewer_token: without api_token everybody may change everything"),
        ("API_TOKEN_FILE", "/nowhere/token", "api_token_file: /nowhere/token cannot be read"),
        ("PORT", "99999", "settings: port: Input should be less than or equal to 65535"),
        ("RUNTIME", "torch", "settings: runtime: Input should be 'auto', 'onnxruntime' or 'openvino'"),
        (
            "DECODE_DEVICE",
            "voodoo",
            "settings: decode_device: 'voodoo' is no device that this build of PyAV can decode on",
        ),
        ("DECODE_DEVICE", "CUDA", "; set one of them, or 'software'"),
        ("INPUT_SIZE", "100", "settings: input_size: Input should be a multiple of 32"),
    ],
)
def test_bad_settings_are_named(monkeypatch: pytest.MonkeyPatch, name: str, value: str, message: str) -> None:
    monkeypatch.setenv(f"FOOTFALL_{name}", value)
    with pytest.raises(SettingsError) as caught:
        read_settings()
    assert message in str(caught.value)


def test_devices_that_this_build_knows_are_taken_and_told(monkeypatch: pytest.MonkeyPatch) -> None:
    known = hwdevices_available()
    assert known, "a build without any device cannot show this"
    for name in (*known, "software"):
        monkeypatch.setenv("FOOTFALL_DECODE_DEVICE", name)
        assert read_settings().decode_device == name
    monkeypatch.setenv("FOOTFALL_DECODE_DEVICE", "voodoo")
    with pytest.raises(SettingsError, match=f"it knows {', '.join(known)}; set one"):
        read_settings()


GOOD = """
site: mall
cameras:
  - id: gate
    url: "rtsp://admin:geheim99@10.0.0.7/main"
    lines: [{name: door, start: [0.5, 0], end: [0.5, 1]}]
    zones: [{name: hall, polygon: [[0, 0], [1, 0], [1, 1]]}]
"""


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("end: [0.5, 1]", "end: [0.5, 0]", "start and end are both (0.5, 0.0); a counting line needs two different"),
        ("[1, 1]]", "[0.5, 0]]", "polygon has no area"),
        ("id: gate", "id: ../gate", "site.yaml: cameras[0].id: String should match pattern"),
        ("id: gate", "id: gate\n    colour: red", "site.yaml: cameras[0].colour: Extra inputs are not permitted"),
        ("end: [0.5, 1]", "end: [0.5, 7]", "site.yaml: cameras[0].lines[0].end[1]: Input should be less than"),
        ("rtsp://", "ftp://", "url: "),
        ("site: mall", "site: [", "site.yaml: not valid YAML at line"),
        (GOOD, "- a list", "holds list, expected a mapping"),
        (GOOD, "!!python/object/apply:os.system ['true']", "not valid YAML"),
    ],
)
def test_a_bad_site_file_is_refused_with_the_place_and_without_secrets(
    tmp_path: Path, old: str, new: str, message: str
) -> None:
    path = tmp_path / "site.yaml"
    path.write_text(GOOD.replace(old, new), encoding="utf-8")
    with pytest.raises(SettingsError) as caught:
        read_site(path)
    assert message in str(caught.value)
    assert "geheim99" not in str(caught.value)


def test_a_site_file_that_is_written_can_be_read_again(tmp_path: Path) -> None:
    path = tmp_path / "site.yaml"
    path.write_text(GOOD, encoding="utf-8")
    cameras = [camera.to_domain() for camera in read_site(path).cameras]
    path.write_text(site_to_yaml(cameras, site="mall", with_secrets=True), encoding="utf-8")
    assert [camera.to_domain() for camera in read_site(path).cameras] == cameras
    assert "geheim99" not in site_to_yaml(cameras, with_secrets=False)


@pytest.mark.parametrize(
    "url", ["concat:a|b", "exec:ls", "pipe:0", "subfile,,start,0:x", "data:,x", "a\nb", "", "tcp://h/x"]
)
def test_what_is_no_source_of_pictures_is_refused(url: str) -> None:
    with pytest.raises(ValidationError):
        CameraSettings(id="gate", url=url)  # type: ignore[arg-type]


def test_names_must_be_unique() -> None:
    line = {"name": "door", "start": (0, 0), "end": (1, 1)}
    with pytest.raises(ValidationError, match="'door' is there 2 times"):
        CameraSettings.model_validate({"id": "gate", "url": "film.mp4", "lines": [line, line]})
