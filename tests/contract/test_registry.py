"""Every program gets a model byte for byte; of many who change what serves one is first; in every database."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from support.registered import make_registry, model_folder

from footfall.domain import ModelAliases, RegisteredModel
from footfall.errors import ModelError, PromotionError, UnknownRecordError
from footfall.stores.database import Database
from footfall.stores.registry import Registry

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
BY: dict[str, Any] = {"actor": "ana", "why": "asked", "at": NOON}


@pytest.fixture
def registry(database: Database, tmp_path: Path) -> Registry:
    return make_registry(tmp_path, database)


@pytest.fixture
def add(registry: Registry, tmp_path: Path) -> Callable[..., RegisteredModel]:
    def add(name: str, *, at: datetime = NOON, **about: Any) -> RegisteredModel:
        folder = tmp_path / "made" / name
        if not folder.exists():
            model_folder(tmp_path / "made", name)
        return registry.add(folder, origin="imported", by="ana", at=at, **about)

    return add


def test_a_model_comes_back_byte_for_byte_on_a_machine_that_never_saw_it(
    registry: Registry, add: Callable[..., RegisteredModel], tmp_path: Path
) -> None:
    added = add("night", gates={"G1": "passed"}, run="r1")
    assert registry.model(added.sha256) == added
    assert (added.name, added.run, added.gates, added.size_bytes) == ("night", "r1", {"G1": "passed"}, 5)
    folder = registry.fetch(added, tmp_path / "elsewhere")
    assert (folder / "model.onnx").read_bytes() == b"night"
    assert json.loads((folder / "model.json").read_text()) == added.card
    assert registry.fetch(added, tmp_path / "elsewhere") == folder
    assert registry.fetch(added, tmp_path / "made") == tmp_path / "made" / "night"  # it was imported here
    assert [each.name for each in (tmp_path / "elsewhere" / ".fetched").iterdir()] == [added.sha256]


def test_a_copy_that_broke_on_this_machine_is_fetched_anew(
    registry: Registry, add: Callable[..., RegisteredModel], tmp_path: Path
) -> None:
    added = add("night")
    folder = registry.fetch(added, tmp_path / "elsewhere")
    for broken in ("model.onnx", "model.json"):
        (folder / broken).write_bytes(b"{}")
        assert registry.fetch(added, tmp_path / "elsewhere") == folder
        assert (folder / "model.onnx").read_bytes() == b"night"
        assert json.loads((folder / "model.json").read_text()) == added.card


def test_files_that_changed_or_vanished_in_the_blob_store_are_refused(
    registry: Registry, add: Callable[..., RegisteredModel], tmp_path: Path
) -> None:
    added = add("night")
    stored = tmp_path / "blobs" / "models" / added.sha256 / "model.onnx"
    stored.write_bytes(b"other")
    with pytest.raises(ModelError, match=r"model 'night': model.onnx in the blob store has sha256 .* it was changed"):
        registry.fetch(added, tmp_path / "elsewhere")
    stored.unlink()
    with pytest.raises(ModelError, match=r"its files are in the blob store no more"):
        registry.fetch(added, tmp_path / "elsewhere")
    assert not (tmp_path / "elsewhere" / ".fetched").exists()


@pytest.mark.parametrize(
    ("break_it", "message"),
    [
        (lambda folder: (folder / "model.json").unlink(), r"cannot be read \(FileNotFoundError\)"),
        (lambda folder: (folder / "model.json").write_text("[]"), r"cannot be read \(TypeError\)"),
        (lambda folder: (folder / "model.onnx").write_bytes(b"x"), r"has sha256 .*, model.json says .* not added"),
    ],
)
def test_a_folder_whose_files_do_not_belong_together_is_not_added(
    registry: Registry, tmp_path: Path, break_it: Callable[[Path], object], message: str
) -> None:
    folder = model_folder(tmp_path, "night")
    break_it(folder)
    with pytest.raises(ModelError, match=message):
        registry.add(folder, origin="imported", by="ana", at=NOON)
    assert registry.models() == []


def test_the_same_model_again_is_one_and_its_gate_report_may_follow(add: Callable[..., RegisteredModel]) -> None:
    first = add("night")
    assert add("night", at=NOON + timedelta(days=1)) == first
    judged = add("night", gates={"G2": "failed"}, is_rejected=True)
    assert (judged.gates, judged.is_rejected, judged.added_at) == ({"G2": "failed"}, True, NOON)
    assert (first.gates_digest, len(judged.gates_digest)) == ("", 64)
    assert add("night") == judged  # no report is no news


def test_a_name_or_a_threshold_is_not_given_twice(
    registry: Registry, add: Callable[..., RegisteredModel], tmp_path: Path
) -> None:
    add("night")
    other = model_folder(tmp_path, "night", content=b"other")
    with pytest.raises(ModelError, match=r"model 'night': another model has this name already"):
        registry.add(other, origin="imported", by="ana", at=NOON)
    bolder = model_folder(tmp_path / "bolder", "night", threshold=0.1)
    with pytest.raises(ModelError, match=r"is known as 'night' with another card"):
        registry.add(bolder, origin="imported", by="ana", at=NOON)
    newer = registry.add(other, origin="embedded", by="footfall", at=NOON + timedelta(days=1))
    assert registry.find("night") == newer  # the one that ships changes with Footfall


def test_words_on_a_card_may_differ_and_a_newer_footfall_knows_its_own_model_better(
    registry: Registry, tmp_path: Path
) -> None:
    first = model_folder(tmp_path / "a", "embedded", threshold=0.3, stride=32)
    described = model_folder(tmp_path / "b", "embedded", threshold=0.3, description="sees more")
    tuned = model_folder(tmp_path / "c", "embedded", threshold=0.4)
    added = registry.add(first, origin="embedded", by="footfall", at=NOON)
    assert registry.add(described, origin="imported", by="ana", at=NOON) == added
    assert registry.fetch(added, tmp_path / "x", also=[described]) == described
    with pytest.raises(ModelError, match="with another card"):
        registry.add(tuned, origin="imported", by="ana", at=NOON)
    assert registry.add(tuned, origin="embedded", by="footfall", at=NOON).card["threshold"] == 0.4
    assert registry.fetch(registry.find("embedded"), tmp_path / "x", also=[first, tuned]) == tuned


def test_people_name_a_model_or_begin_its_digest(registry: Registry, add: Callable[..., RegisteredModel]) -> None:
    night, day = add("night"), add("day")
    assert registry.find("night") == night
    assert registry.find(day.sha256[:6].upper()) == day
    with pytest.raises(UnknownRecordError, match=r"model 'dusk': is not in the registry; known are: day, night"):
        registry.find("dusk")
    with pytest.raises(UnknownRecordError):
        registry.find(day.sha256[:5])


def test_a_promotion_is_one_entry_of_the_log_and_the_same_again_none(
    registry: Registry, add: Callable[..., RegisteredModel]
) -> None:
    assert registry.aliases() == ModelAliases()
    day, night = add("day"), add("night", gates={"G1": "passed"})
    registry.promote(day.sha256, **BY)
    change, outcome = registry.promote(night.sha256, actor="retrain r1", why="gates passed", at=NOON, seen=1)
    assert (outcome, change.action, change.before, change.model) == ("changed", "promoted", day.sha256, night.sha256)
    assert change.gates_digest == night.gates_digest
    assert registry.aliases() == ModelAliases(2, night.sha256, None, day.sha256)
    again = registry.promote(night.sha256, **BY, seen=1)  # what was wanted is so, whoever did it
    assert again == (change, "unchanged")
    assert registry.log() == [change, registry.log()[1]]
    assert [each.aliases.number for each in registry.log()] == [2, 1]
    assert registry.log(limit=1) == [change]


def test_who_saw_an_older_state_changes_nothing(registry: Registry, add: Callable[..., RegisteredModel]) -> None:
    a, b, c = add("aa"), add("bb"), add("cc")
    registry.promote(a.sha256, **BY)
    registry.promote(b.sha256, actor="bob", why="better", at=NOON, seen=1)
    told = r"changed meanwhile \(you saw change 1, the newest is 2: promoted by 'bob'\); nothing was done"
    with pytest.raises(PromotionError, match=told):
        registry.promote(c.sha256, **BY, seen=1)
    with pytest.raises(PromotionError, match=told):
        registry.rollback(**BY, seen=1)
    with pytest.raises(PromotionError, match=told):
        registry.try_out(c.sha256, ["gate"], **BY, seen=1)
    assert registry.aliases().number == 2


def test_a_rejected_model_is_promoted_only_if_somebody_insists(
    registry: Registry, add: Callable[..., RegisteredModel]
) -> None:
    add("day")
    poisoned = add("poisoned", gates={"G1": "failed"}, is_rejected=True)
    registry.promote(registry.find("day").sha256, **BY)
    for wanted in (registry.promote, lambda sha, **by: registry.try_out(sha, ["gate"], **by)):
        with pytest.raises(PromotionError, match=r"model 'poisoned': its gates have rejected it; nothing was changed"):
            wanted(poisoned.sha256, **BY)
    assert registry.promote(poisoned.sha256, **BY, is_forced=True)[1] == "changed"


def test_a_challenger_is_tried_out_then_promoted_or_withdrawn(
    registry: Registry, add: Callable[..., RegisteredModel]
) -> None:
    day, night = add("day"), add("night")
    with pytest.raises(PromotionError, match=r"there is no champion to compare it with"):
        registry.try_out(night.sha256, ["gate"], **BY)
    registry.promote(day.sha256, **BY)
    with pytest.raises(PromotionError, match=r"model 'day': is the champion"):
        registry.try_out(day.sha256, ["gate"], **BY)
    registry.try_out(night.sha256, ["hall", "gate", "hall"], **BY)
    assert registry.aliases() == ModelAliases(2, day.sha256, night.sha256, None, ("gate", "hall"))
    assert registry.try_out(night.sha256, ["gate", "hall"], **BY)[1] == "unchanged"
    change, _ = registry.withdraw(**BY)
    assert (change.action, change.before, change.model) == ("withdrawn", night.sha256, None)
    assert registry.withdraw(**BY) == (change, "unchanged")
    registry.try_out(night.sha256, [], **BY)
    registry.promote(night.sha256, **BY)
    assert registry.aliases() == ModelAliases(5, night.sha256, None, day.sha256)


def test_a_rollback_takes_one_step_back_canaries_first(registry: Registry, add: Callable[..., RegisteredModel]) -> None:
    a, b, c = add("aa"), add("bb"), add("cc")
    with pytest.raises(PromotionError, match=r"no previous champion to go back to; promote a model by its name"):
        registry.rollback(**BY)
    registry.promote(a.sha256, **BY)
    registry.promote(b.sha256, **BY)
    registry.try_out(c.sha256, ["gate"], **BY)
    assert registry.rollback(**BY)[0].action == "withdrawn"
    assert registry.aliases() == ModelAliases(4, b.sha256, None, a.sha256)
    change, _ = registry.rollback(**BY)
    assert (change.action, change.before, change.model) == ("rolled_back", b.sha256, a.sha256)
    assert registry.aliases() == ModelAliases(5, a.sha256)
    with pytest.raises(PromotionError, match=r"no previous champion"):
        registry.rollback(**BY)  # the second of two people in a hurry


def test_a_refusal_holds_until_somebody_wants_the_model_again(
    registry: Registry, add: Callable[..., RegisteredModel]
) -> None:
    day, night = add("day"), add("night")
    registry.promote(day.sha256, **BY)
    registry.promote(night.sha256, **BY)
    registry.refuse(night.sha256, "output holds NaN", at=NOON)
    refused = registry.model(night.sha256)
    assert (refused.refused_at, refused.refusal) == (NOON, "output holds NaN")
    registry.rollback(**BY)
    assert registry.model(night.sha256).refusal == "output holds NaN"
    registry.promote(night.sha256, **BY)
    assert registry.model(night.sha256).refused_at is None


def test_files_are_removed_only_of_models_that_are_nothing_now_and_come_back_with_the_model(
    registry: Registry, add: Callable[..., RegisteredModel], tmp_path: Path
) -> None:
    first, second, third = (add(name) for name in ("first", "second", "third"))
    for model in (first, second, third):
        registry.promote(model.sha256, **BY)
    assert [registry.remove_files(each.sha256, tmp_path, at=NOON) for each in (second, third)] == [False, False]
    registry.try_out(first.sha256, [], **BY)
    assert not registry.remove_files(first.sha256, tmp_path, at=NOON)
    registry.withdraw(**BY)
    fetched = registry.fetch(first, tmp_path)
    assert [registry.remove_files(first.sha256, tmp_path, at=NOON) for _ in range(2)] == [True, True]
    assert registry.model(first.sha256).files_deleted_at == NOON
    assert not fetched.exists()
    for ask in (registry.promote, lambda sha256, **by: registry.try_out(sha256, [], **by)):
        with pytest.raises(PromotionError, match="its files were removed"):
            ask(first.sha256, **BY)
    again = add("first")
    assert again.files_deleted_at is None
    registry.promote(first.sha256, **BY)
    assert registry.fetch(again, tmp_path).is_dir()


def test_of_many_who_promote_at_once_each_is_one_entry_and_the_log_has_no_gap(
    registry: Registry, add: Callable[..., RegisteredModel]
) -> None:
    wanted = [add(f"model-{number}") for number in range(4)]
    with ThreadPoolExecutor(24) as pool:
        outcomes = list(pool.map(lambda n: registry.promote(wanted[n % 4].sha256, **BY)[1], range(48)))
    log = registry.log()
    assert [each.aliases.number for each in reversed(log)] == list(range(1, len(log) + 1))
    assert len(log) == outcomes.count("changed")
    for newer, older in itertools.pairwise(log):  # each entry builds on the one before
        assert newer.before == newer.aliases.previous == older.aliases.champion


def test_of_many_who_decide_on_the_same_state_one_is_first(
    registry: Registry, add: Callable[..., RegisteredModel]
) -> None:
    wanted = [add(f"model-{number}") for number in range(24)]
    registry.promote(wanted[0].sha256, **BY)

    def decide(number: int) -> str:
        try:
            return registry.promote(wanted[1 + number % 23].sha256, **BY, seen=1)[1]
        except PromotionError:
            return "told"

    with ThreadPoolExecutor(23) as pool:
        answers = list(pool.map(decide, range(23)))
    assert (answers.count("changed"), answers.count("told")) == (1, 22)
    assert registry.aliases().number == 2


def test_of_many_who_add_and_fetch_one_model_all_get_it(registry: Registry, tmp_path: Path) -> None:
    folder = model_folder(tmp_path, "night", content=b"night" * 100_000)

    def add_and_fetch(_: int) -> bytes:
        model = registry.add(folder, origin="retrained", by="retrain", at=NOON)
        return (registry.fetch(model, tmp_path / "elsewhere") / "model.onnx").read_bytes()

    with ThreadPoolExecutor(24) as pool:
        assert set(pool.map(add_and_fetch, range(24))) == {b"night" * 100_000}
    assert len(registry.models()) == 1
