"""A retraining really runs, from labelled frames of a drawn site in fog to the registry, whatever is killed."""

from __future__ import annotations

import copy
import fcntl
import json
import os
import shutil
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from footfall.agreement import drawn_for_two
from footfall.domain import LabelBatch, SampleLabel
from footfall.stores.registry import Registry
from footfall.stores.retrains import RetrainStore
from footfall.stores.runs import forget_examples, read_examples
from footfall.vision.detector import load_detector, read_card, sha256_of
from footfall.vision.models import EMBEDDED_FOLDER
from retrain.collect import picture_file
from retrain.examples import differing
from retrain.export import copy_model, copy_with_threshold, write_model_json
from retrain.frames import digest_of, read_manifest
from retrain.gates import Bounds, Evidence, judge, verdict
from retrain.predictions import CHALLENGER, CHAMPION, read_predictions, tally
from retrain.stages import code_digest
from tests.support.retrained import DRIFT_AT, REQUEST, Drifted

ROOT = Path(__file__).resolve().parents[3]
STAGES = (
    "plan",
    "collect",
    "labels",
    "split",
    "technique",
    "augment",
    "train",
    "export",
    "evaluate",
    "gates",
    "promote",
)
LOOSE = {"FOOTFALL_RETRAIN_MAY_LOSE": "0.9", "FOOTFALL_PRECISION_TARGET": "0.1"}
"""What a few steps on a few frames can pass; the gates' own bounds have tests of their own."""


def arguments_of(site: Drifted) -> list[str]:
    few = ["--steps", "16", "--drawn", "12", "--stress-frames", "2", "--device", "cpu", "--no-int8"]
    return ["run", "--request", str(site.request()), *few]


def environment_of(site: Drifted) -> dict[str, str]:
    return {
        "FOOTFALL_DATA_DIR": str(site.folder),
        "FOOTFALL_DRIFT_LEAST_LABELS": "20",
        "FOOTFALL_INPUT_SIZE": "192",
        "FOOTFALL_RUNTIME": "openvino",
        "OMP_NUM_THREADS": "1",
    }


def run(site: Drifted, **environment: str) -> tuple[int, str, str]:
    done = subprocess.run(
        [sys.executable, "-m", "retrain", *arguments_of(site)],
        cwd=ROOT,
        env={**os.environ, **environment_of(site), **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


def folder_of(site: Drifted) -> Path:
    return site.folder / "retrains" / REQUEST / "run"


def artefact(site: Drifted, name: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(
        (folder_of(site) / f"{STAGES.index(name) + 1:02}-{name}.json").read_text(encoding="utf-8")
    )
    return content


def for_two(site: Drifted) -> None:
    """Ben labels two frames of Ada's that were drawn for two: as she did, and one person fewer."""
    found = site.samples.samples(since=DRIFT_AT, until=DRIFT_AT + timedelta(days=9), unit="frame")
    marks = {label.sample_id: label.content["boxes"] for label in site.samples.labels([each.id for each in found])}
    agreed, disputed = [each.id for each in found if len(marks[each.id]) > 1][:2]
    for sample, boxes in ((agreed, marks[agreed]), (disputed, marks[disputed][1:])):
        site.samples.add_label(SampleLabel(sample, "Ben", DRIFT_AT, "reviewer", {"boxes": boxes}))
    batch = LabelBatch("b" * 32, DRIFT_AT, "fog", 2, (agreed, disputed), (agreed, disputed))
    RetrainStore(site.database).open_batch(batch)


@pytest.fixture(scope="module")
def promoted(tmp_path_factory: pytest.TempPathFactory) -> Drifted:
    """A site whose retraining went through loose gates."""
    site = Drifted(tmp_path_factory.mktemp("site"), cameras=2, frames=20)
    another_model(site.folder / "models/other")
    for_two(site)
    status, out, err = run(site, **LOOSE, **tracked_in(site), FOOTFALL_MODEL="embedded")
    assert (status, out.partition(" ")[0]) == (0, "promoted:"), err[-3000:]
    return site


def another_model(folder: Path) -> None:
    """Write one that sees what the embedded one does, and is another one by its bytes."""
    copy_model(EMBEDDED_FOLDER, folder)
    model = onnx.load(str(folder / "model.onnx"))
    model.doc_string = "another one"
    onnx.save(model, str(folder / "model.onnx"))
    write_model_json(
        folder, read_card(folder).model_copy(update={"name": "other", "sha256": sha256_of(folder / "model.onnx")})
    )


def tracked_in(site: Drifted) -> dict[str, str]:
    return {"MLFLOW_TRACKING_URI": (site.folder / "mlflow").as_uri(), "MLFLOW_ALLOW_FILE_STORE": "true"}


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_request_ends_with_a_champion_that_the_registry_gives_to_everybody(promoted: Drifted) -> None:
    registry = Registry(promoted.database, promoted.blobs)
    champion = registry.model(registry.aliases().champion or "")
    assert (champion.origin, champion.run, champion.is_rejected) == ("retrained", REQUEST, False)
    assert champion.gates is not None
    assert champion.gates["promote"] is True
    folder = registry.fetch(champion, promoted.folder / "models")
    found = load_detector(folder, input_size=192).detect([np.zeros((90, 160, 3), np.uint8)])
    assert found[0].boxes_px.shape[1] == 4
    card = read_card(folder)
    assert card.data_digest == artefact(promoted, "split")["digest"]
    assert card.threshold in {
        artefact(promoted, "export")["threshold"],
        (artefact(promoted, "export")["int8"] or {}).get("threshold"),
    }
    entry = registry.log()[0]
    assert (entry.actor, entry.action) == ("footfall-retrain", "promoted")
    assert tuple(artefact(promoted, "plan")["stage_s"]) == STAGES
    progress = RetrainStore(promoted.database).progress(REQUEST)
    assert progress is not None
    lines = [json.loads(line) for line in (folder_of(promoted) / "progress.jsonl").read_text().splitlines()]
    steps = [line for line in lines if "epoch" in line]
    assert steps[-1]["epoch"] <= steps[-1]["epochs"]
    scale = 16 / steps[-1]["step"]  # a fast training tells of its first step only, and both have two decimals
    assert steps[-1]["epochs"] == pytest.approx(scale * steps[-1]["epoch"], abs=0.0051 * (scale + 1))
    assert (progress.stage, progress.number, progress.stages, progress.left_s) == ("promote", 11, 11, 0.0)
    assert progress.done == pytest.approx(1.0)


@pytest.mark.slow
def test_what_people_look_at_is_kept_where_the_page_finds_it(promoted: Drifted) -> None:
    registry = Registry(promoted.database, promoted.blobs)
    gates = registry.model(registry.aliases().champion or "").gates or {}
    assert gates["champion"] == artefact(promoted, "train")["base"]["sha256"]
    assert gates["training"]["curve"] == artefact(promoted, "train")["curve"]
    for point in gates["training"]["curve"]:
        assert point["loss"] == pytest.approx(point["box"] + point["cls"] + point["dfl"], abs=3e-4)
        assert min(point["box"], point["cls"], point["dfl"]) > 0
    assert {"camera c0", "crowded", "people of 96 px and more"} <= set(gates["figures"]["challenger"]["parts"])
    assert "examples" not in gates  # what is for ever holds nothing of single pictures
    judged = read_predictions(folder_of(promoted) / "evaluate" / "predictions.jsonl")
    known = {each.frame_id for each in judged}
    examples = read_examples(promoted.blobs, REQUEST)
    assert examples == differing(judged, known=known)
    assert examples
    assert forget_examples(promoted.blobs, [examples[0]["sample"]]) == 1
    assert read_examples(promoted.blobs, REQUEST) == examples[1:]


@pytest.mark.slow
def test_models_at_hand_are_compared_and_the_table_goes_into_the_run(promoted: Drifted) -> None:
    registry = Registry(promoted.database, promoted.blobs)
    champion = registry.model(registry.aliases().champion or "")
    told = (champion.gates or {})["baselines"]
    assert {each["name"] for each in told} == {"embedded", "other", champion.name}
    by_name = {each["name"]: each for each in told}
    assert by_name["embedded"]["f1"] == by_name["other"]["f1"]
    assert all(each["streams_per_core"] > 0 and each["licence"] == "AGPL-3.0-or-later" for each in told)
    table = (folder_of(promoted) / "evaluate/baselines.md").read_text()
    assert [line.split("|")[1].strip().removesuffix(" ●") for line in table.splitlines()[2:]] == [
        each["name"] for each in told
    ]
    assert "<polyline" in (folder_of(promoted) / "evaluate/baselines.svg").read_text()


@pytest.mark.slow
def test_mlflow_is_told_of_the_run_and_shown_no_picture(promoted: Drifted) -> None:
    store = promoted.folder / "mlflow"
    (kept,) = [path.parent.parent for path in store.rglob("tags/footfall.run") if path.read_text() == REQUEST]
    assert (kept / "tags/footfall.outcome").read_text() == "promoted"
    assert (kept / "params/technique.technique").read_text() == artefact(promoted, "technique")["choice"]["technique"]
    losses = [float(line.split()[1]) for line in (kept / "metrics/loss").read_text().splitlines()]
    assert losses == [point["loss"] for point in artefact(promoted, "train")["curve"]]
    model = kept / "artifacts/model/model.onnx"
    assert sha256_of(model) == artefact(promoted, "export")["sha256"]
    ids = [path.stem.encode() for path in (promoted.folder / "blobs/samples").rglob("*.jpg")]
    content = b"".join(path.read_bytes() for path in kept.rglob("*") if path.is_file() and path != model)
    assert not any(each in content for each in ids)
    assert not list(store.rglob("*.jpg"))


@pytest.mark.slow
def test_the_record_tells_what_it_takes_to_do_it_again(promoted: Drifted) -> None:
    frames = read_manifest(folder_of(promoted) / "split" / "manifest.json")
    assert digest_of(frames) == artefact(promoted, "split")["digest"]
    real = [each for each in frames if not each.is_drawn]
    assert len(real) == 80 - 1 - len(artefact(promoted, "labels")["duplicates"])  # one is in dispute
    by_id = {each.id: promoted.samples.sample(each.id) for each in real}
    assert all(each.taken_at == by_id[each.id].taken_at for each in real)
    assert sum(each.is_drawn for each in frames) == 12
    record = artefact(promoted, "plan")["record"]
    assert any(each.startswith("torch==") for each in record["packages"])
    assert record["code"] == code_digest()
    assert artefact(promoted, "train")["picture_ms"] > 0
    assert record["champion"] == artefact(promoted, "train")["base"]["sha256"]
    assert artefact(promoted, "plan")["job"]["options"]["seed"] == 1
    assert artefact(promoted, "train")["sha256"] == sha256_of(folder_of(promoted) / "train" / "model.onnx")
    assert artefact(promoted, "train")["old"] > artefact(promoted, "train")["new"] > 0
    labels = artefact(promoted, "labels")
    assert labels["judged_by"] == {"embedded": labels["frames"] - 12}  # it never saw any frame of this site
    assert labels["not_judged"] == 0
    assert artefact(promoted, "technique")["situation"]["auc"] > 0.9  # fog is told from a clear view


@pytest.mark.slow
def test_how_people_agree_is_told_and_what_is_in_dispute_is_left_out(promoted: Drifted) -> None:
    batch = RetrainStore(promoted.database).batch("b" * 32)
    assert batch is not None
    agreed, disputed = batch.for_two
    told = artefact(promoted, "labels")["for_two"]
    assert (told["labelled"], told["by_two"], told["settled_by_a_third"]) == (2, 2, 0)
    assert told["left_out"] == [disputed]
    assert told["kappa"] is not None
    assert told["kappa"] < 1
    marked = [len(label.content["boxes"]) for label in promoted.samples.labels([agreed, disputed])]
    assert told["f1"] == pytest.approx((sum(marked) - 1) / sum(marked))  # all have a partner but the one whom Ada added
    (pair,) = artefact(promoted, "labels")["agreement"]
    assert (pair["first"], pair["second"], pair["kappa"]) == ("Ada", "Ben", told["kappa"])
    assert artefact(promoted, "plan")["available"]["new"] == 39  # the plan counts on none that is in dispute
    frames = {each.id: each for each in read_manifest(folder_of(promoted) / "split" / "manifest.json")}
    assert agreed in frames
    assert disputed not in frames


@pytest.mark.slow
def test_models_are_judged_in_the_runtime_that_serves(promoted: Drifted) -> None:
    assert artefact(promoted, "plan")["job"]["options"]["runtime"] == "openvino"
    assert artefact(promoted, "evaluate")["runtimes"] == dict.fromkeys((CHAMPION, CHALLENGER), "openvino/CPU")


@pytest.mark.slow
def test_gates_are_judged_again_from_what_was_saved(promoted: Drifted) -> None:
    judged = read_predictions(folder_of(promoted) / "evaluate" / "predictions.jsonl")
    evaluated = artefact(promoted, "evaluate")
    figures = evaluated["figures"]
    assert {each["severity"] for each in evaluated["stress"] if each["kind"] == "fog"} == {1, 2, 3, 4, 5}
    for model in (CHAMPION, CHALLENGER):
        assert figures[model]["parts"]["all"]["f1"] == pytest.approx(tally(judged, model).f1, abs=1e-4)
    again = judge(Evidence(judged), Bounds(may_lose=0.9, precision_target=0.1))
    first = {each["name"]: each["value"] for each in artefact(promoted, "gates")["gates"]}
    assert {each.name: each.value for each in again if each.name in {"G1 old", "G1 new", "G2", "G3"}} == {
        name: first[name] for name in ("G1 old", "G1 new", "G2", "G3")
    }
    assert not verdict(judge(Evidence([each for each in judged if not each.is_new]), Bounds()))


@pytest.mark.slow
def test_no_picture_stays_but_two_sheets_and_nothing_is_done_twice(promoted: Drifted) -> None:
    pictures = [path.relative_to(folder_of(promoted)).as_posix() for path in folder_of(promoted).rglob("*.jpg")]
    assert sorted(pictures) == ["augment/samples.jpg", "labels/contact-sheet.jpg"]
    before = {path: path.stat().st_mtime_ns for path in folder_of(promoted).glob("*.json")}
    status, out, _ = run(promoted)  # by strict bounds it would be rejected: what is over is over
    assert (status, out.partition(" ")[0]) == (0, "promoted:")
    assert {path: path.stat().st_mtime_ns for path in folder_of(promoted).glob("*.json")} == before


KILLER = """
import os, signal, sys, time
from pathlib import Path

import retrain.stages, retrain.promote  # once for all: PyTorch takes seconds to load
from retrain.__main__ import app

progress, stages, arguments = Path(sys.argv[1]), sys.argv[2].split(","), sys.argv[3:]

def begin():
    child = os.fork()
    if child == 0:
        app(arguments, standalone_mode=False)
        os._exit(0)
    return child

for stage in stages:
    wanted = f'"stage": "{stage}", "what": "begins"'
    child = begin()
    while not (progress.exists() and wanted in progress.read_text()):
        if os.waitpid(child, os.WNOHANG)[0]:
            sys.exit(f"ended before {stage} began")
        time.sleep(0.005)
    os.kill(child, signal.SIGKILL)
    if os.WIFSIGNALED(os.waitpid(child, 0)[1]):
        print(stage, flush=True)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(begin(), 0)[1]))
"""


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_killed_in_every_stage_it_goes_on_and_ends_like_an_undisturbed_one(promoted: Drifted, tmp_path: Path) -> None:
    site = Drifted(tmp_path, cameras=2, frames=20)
    for_two(site)
    command = [sys.executable, "-c", KILLER, str(folder_of(site) / "progress.jsonl"), ",".join(STAGES)]
    done = subprocess.run(
        [*command, *arguments_of(site)],
        cwd=ROOT,
        env={**os.environ, **environment_of(site), **LOOSE},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    killed = [line for line in done.stdout.splitlines() if line in STAGES]
    assert killed[:-1] == list(STAGES[: len(killed) - 1])
    assert len(killed) >= len(STAGES) - 1  # the last one may be over before the signal comes
    assert artefact(site, "train")["sha256"] == artefact(promoted, "train")["sha256"]
    first, second = artefact(site, "export"), artefact(promoted, "export")
    assert (first["threshold"], first["val_f1"]) == (second["threshold"], second["val_f1"])
    for name in ("labels", "split", "technique"):
        assert artefact(site, name) == artefact(promoted, name)
    assert [each.action for each in Registry(site.database, site.blobs).log()] == ["promoted"]
    assert not [path for path in folder_of(site).iterdir() if path.name.startswith(".unfinished")]


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_run_is_done_again_with_the_same_weights_and_not_without_its_pictures(promoted: Drifted) -> None:
    settings = {"FOOTFALL_DATA_DIR": str(promoted.folder), "FOOTFALL_INPUT_SIZE": "192", "OMP_NUM_THREADS": "1"}

    def reproduce() -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "retrain", "reproduce", REQUEST]
        return subprocess.run(
            command, cwd=ROOT, env={**os.environ, **settings}, capture_output=True, text=True, check=False
        )

    log = len(Registry(promoted.database, promoted.blobs).log())
    done = reproduce()
    assert done.returncode == 0, done.stderr[-2000:]
    assert "F1 on new frames: +0.0000 (tolerance 0.02)" in done.stdout
    assert "the same weights, to the last bit" in done.stdout
    assert "other code" not in done.stdout
    assert len(Registry(promoted.database, promoted.blobs).log()) == log
    sample = promoted.samples.sample(read_manifest(folder_of(promoted) / "split" / "manifest.json")[0].id)
    content = promoted.blobs.get(sample.blob_key)
    promoted.blobs.delete(sample.blob_key)
    assert f"1 of 91 were deleted since, such as {sample.id}" in reproduce().stderr
    promoted.blobs.put(sample.blob_key, content + b" ")
    assert "its picture is not the one that was trained on" in reproduce().stderr
    promoted.blobs.put(sample.blob_key, content)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_8_bits_that_lose_too_much_on_the_test_give_way_to_floats(promoted: Drifted, tmp_path: Path) -> None:
    """A run that had chosen 8 bits by `val` goes on from there; on the test they find nobody."""
    site = copy.copy(promoted)
    site.folder = tmp_path / "site"
    shutil.copytree(promoted.folder, site.folder)
    for path in (*(folder_of(site) / f"{number:02}-{STAGES[number - 1]}.json" for number in (9, 10, 11)),):
        path.unlink()
    (folder_of(site) / "outcome.json").unlink()
    pictures = folder_of(site) / "collect"
    pictures.mkdir()  # where a run ends they are removed
    for each in read_manifest(folder_of(site) / "split" / "manifest.json"):
        if not each.is_drawn:
            picture_file(pictures, each.id).write_bytes(promoted.blobs.get(each.picture))
    exported = folder_of(site) / "export"
    copy_with_threshold(exported / "floats", exported / "int8", 0.99)
    shutil.copytree(exported / "int8", exported / "model", dirs_exist_ok=True)
    path = folder_of(site) / "08-export.json"
    path.write_text(json.dumps(artefact(site, "export") | {"artefact": "int8"}), encoding="utf-8")
    _, out, err = run(site, **LOOSE)
    assert "8 bits lose too much on the test; the artefact with floats goes on" in err
    report = {gate["name"]: gate for gate in artefact(site, "gates")["gates"]}
    assert report["G6"]["passed"] is None
    assert report["G6"]["detail"].endswith(": too much is lost, and the artefact with floats is judged and goes on")
    floats = read_card(exported / "floats")
    judged = read_predictions(folder_of(site) / "evaluate" / "predictions.jsonl")
    assert {each.found[CHALLENGER].threshold for each in judged} == {floats.threshold}  # all gates judged the floats
    # Handed over are the floats; they do not beat the champion, which is this very model by now.
    assert artefact(site, "promote")["sha256"] == floats.sha256
    assert out.startswith("rejected: G1 new")


@pytest.mark.timeout(300)
def test_a_plan_tells_what_it_takes_by_real_steps(tmp_path: Path) -> None:
    site = Drifted(tmp_path, cameras=1, frames=6)
    environment = {
        "FOOTFALL_DATA_DIR": str(tmp_path),
        "FOOTFALL_INPUT_SIZE": "192",
        "FOOTFALL_RETRAIN_PRICE_PER_HOUR": "3.6",
        "OMP_NUM_THREADS": "1",
    }
    command = [sys.executable, "-m", "retrain", "plan", "--request", str(site.request()), "--steps", "1000", "--json"]
    done = subprocess.run(
        command, cwd=ROOT, env={**os.environ, **environment}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    plan = json.loads(done.stdout)
    assert plan["available"] == {"new": 6, "old": 6, "unlabelled": 0, "missing": 294}
    assert plan["seconds"] > 1000 * plan["step_s"] > 10
    assert plan["price"] == pytest.approx(plan["seconds"] / 1000, abs=0.01)
    assert 300 < plan["memory_mb"] < 4000
    assert not (tmp_path / "retrains").exists()


@pytest.mark.timeout(300)
def test_too_few_labels_train_nothing_and_open_a_batch(tmp_path: Path) -> None:
    site = Drifted(tmp_path, cameras=1, frames=3)
    nobody = np.full((180, 320, 3), 90, np.uint8)
    for number in range(4):
        site.add("c0", DRIFT_AT + timedelta(days=1, hours=number), nobody, None)
    status, out, err = run(site)
    assert (status, out.partition(" ")[0]) == (43, "insufficient_labels:"), err[-2000:]
    assert "3 new ones, expected at least 20; nothing was trained" in out
    assert "A batch of 4 frames waits for labels, 13 more must be sampled" in out
    batch = json.loads(site.database.setting(f"label_batch/{REQUEST}") or "{}")
    assert (batch["wanted"], batch["cause"], len(batch["frames"])) == (17, "fog", 4)
    assert batch["for_two"] == list(drawn_for_two(batch["frames"], 0.05, seed=REQUEST))
    assert len(batch["for_two"]) == 1
    assert not (folder_of(site) / "train").exists()
    assert run(site)[0] == 43


@pytest.mark.timeout(120)
def test_two_processes_never_work_at_one_run(tmp_path: Path) -> None:
    site = Drifted(tmp_path, cameras=1, frames=1)
    folder_of(site).mkdir(parents=True)
    with (folder_of(site) / "lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        status, _, err = run(site)
    assert status == 1
    assert "another process is at it; this one ends, and that one goes on" in err
    assert not list(folder_of(site).glob("*.json"))
