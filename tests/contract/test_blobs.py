"""One promise for every kind of blob store."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import boto3
import pytest
from moto.server import ThreadedMotoServer

from footfall.errors import StoreError, UnknownRecordError
from footfall.stores.blobs import BlobStore


@pytest.fixture(scope="session")
def s3_address() -> Iterator[str]:
    """A server that speaks S3, on loopback."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def s3_place(s3_address: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """A new bucket, reached as an operator would: by the environment."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", s3_address)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    bucket = f"footfall-{uuid.uuid4().hex}"
    place = {"LocationConstraint": "eu-central-1"}
    boto3.client("s3").create_bucket(Bucket=bucket, CreateBucketConfiguration=place)
    return f"s3://{bucket}/site"


@pytest.fixture(params=["folder", "memory", "s3"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> BlobStore:
    """A folder, fsspec's store in memory, which has no renaming and no folders, and S3."""
    if request.param == "s3":
        return BlobStore(request.getfixturevalue("s3_place"))
    return BlobStore(str(tmp_path / "blobs") if request.param == "folder" else f"memory://{uuid.uuid4().hex}")


def test_what_was_put_is_there_until_it_is_deleted(store: BlobStore) -> None:
    store.put("samples/gate-2/1.jpg", b"\xff\xd8")
    assert store.get("samples/gate-2/1.jpg") == b"\xff\xd8"
    store.put("samples/gate-2/1.jpg", b"other")
    assert store.get("samples/gate-2/1.jpg") == b"other"
    assert store.delete("samples/gate-2/1.jpg") is True
    assert store.delete("samples/gate-2/1.jpg") is False
    with pytest.raises(UnknownRecordError, match=r"blob 'samples/gate-2/1.jpg' is not in "):
        store.get("samples/gate-2/1.jpg")


def test_blobs_are_listed_by_key_with_size_and_time(store: BlobStore) -> None:
    for key in ("b/2", "a/1", "a/sub/3", "ab/4"):
        store.put(key, key.encode() * 10)
    assert [blob.key for blob in store.blobs()] == ["a/1", "a/sub/3", "ab/4", "b/2"]
    assert [blob.key for blob in store.blobs("a")] == ["a/1", "a/sub/3"]
    assert list(store.blobs("nothing")) == []
    assert store.size("a") == 30 + 70
    age = datetime.now(UTC) - next(iter(store.blobs())).changed_at
    assert timedelta(seconds=-1) < age < timedelta(minutes=1)


def test_deleting_below_a_name_takes_no_other_that_begins_like_it(store: BlobStore) -> None:
    for key in ("gate/1", "gate/day/2", "gate-2/3"):
        store.put(key, b"x")
    assert store.delete_below("gate") == 2
    assert store.delete_below("gate") == 0
    assert [blob.key for blob in store.blobs()] == ["gate-2/3"]


def test_an_empty_store_is_empty(store: BlobStore) -> None:
    assert list(store.blobs()) == []
    assert store.size() == 0


@pytest.mark.parametrize("key", ["", "/etc/passwd", "../up", "a/../b", "a//b", ".hidden", "a/", "a b", "ä", "a" * 200])
def test_a_key_leads_nowhere_else(store: BlobStore, key: str) -> None:
    with pytest.raises(ValueError, match="expected names of letters, digits"):
        store.put(key, b"x")
    with pytest.raises(ValueError, match="expected names of letters, digits"):
        store.get(key)


def test_a_folder_holds_no_half_written_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = BlobStore(str(tmp_path))

    def full(path: str, content: bytes) -> None:
        Path(path).write_bytes(content[:1])
        raise OSError(28, "No space left on device")

    store.put("a/1", b"whole")
    monkeypatch.setattr(store._files, "pipe_file", full)
    with pytest.raises(StoreError, match=r"'a/1' could not be written \(No space left on device\)"):
        store.put("a/1", b"other")
    assert store.get("a/1") == b"whole"
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["1"]


def test_a_file_that_was_being_written_when_the_power_went_is_not_listed(tmp_path: Path) -> None:
    store = BlobStore(str(tmp_path))
    store.put("a/1", b"x")
    (tmp_path / "a" / ".unfinished-0-2").write_bytes(b"half")
    assert [blob.key for blob in store.blobs()] == ["a/1"]


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "blobs").write_text("a file stands where the folder should be")
    with pytest.raises(StoreError, match=r"blobs .*/blobs: 'a' could not be written"):
        BlobStore(str(tmp_path / "blobs")).put("a", b"x")


def test_a_kind_of_store_that_nobody_knows_is_named_without_secrets() -> None:
    with pytest.raises(StoreError, match="expected a folder, or s3://bucket/prefix") as caught:
        BlobStore("nosuch://user:geheim@host/x")
    assert "geheim" not in str(caught.value)


def test_a_bucket_that_is_not_there_is_told_and_no_secret_with_it(s3_place: str) -> None:
    store = BlobStore(s3_place.replace("footfall-", "other-"))
    with pytest.raises(StoreError, match=r"blobs s3://other-\w+/site: 'a/1' could not be written") as told:
        store.put("a/1", b"x")
    assert "secret" not in str(told.value)
