"""Decides which frames train, which choose the threshold and which judge; knows no pictures.

What decides is the camera and its stretch of time, never the single frame: two frames of one camera a second apart are
the same picture, and who has trained on one of them knows the other.
"""

from __future__ import annotations

import bisect
import dataclasses
import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final, Literal

from footfall.errors import InsufficientLabelsError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from retrain.frames import LabelledFrame, Split

Stretch = Literal["day", "hour", "ten minutes", "minute"]
STRETCHES: Final[Mapping[Stretch, timedelta]] = {
    "day": timedelta(days=1),
    "hour": timedelta(hours=1),
    "ten minutes": timedelta(minutes=10),
    "minute": timedelta(minutes=1),
}
"""How long the pieces of a camera's time are; the first that gives enough pieces is taken."""
LEAST_PIECES: Final = 5
"""Of new and of old frames each: three train, one chooses, one judges."""
TEST_SHARE: Final = 0.25
VAL_SHARE: Final = 0.15
LEAST_TO_SEAL: Final = 40
"""With fewer pieces for testing none is sealed: half of them would leave the gates too few clusters to tell."""
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Decided:
    """Where every frame goes.

    Attributes:
        frames: with their split.
        stretch: how long the pieces are.
        pieces: piece → split; to be kept, so that what judged once never trains.
        dropped: frames left out, because they are too near in time to another split of their camera.
    """

    frames: tuple[LabelledFrame, ...]
    stretch: Stretch
    pieces: Mapping[str, Split]
    dropped: int


def piece_of(frame: LabelledFrame, stretch: Stretch) -> str:
    """Name the piece of a camera's time that a frame is from.

    Drawn frames are from a piece of their own camera: no real frame shares it.
    """
    number = (frame.taken_at - _EPOCH) // STRETCHES[stretch]
    return f"{frame.camera_id}/{stretch}/{number}"


def decide(
    frames: Sequence[LabelledFrame],
    *,
    site: str,
    kept: Mapping[str, Split] | None = None,
    apart: timedelta = timedelta(seconds=30),
) -> Decided:
    """Give every frame its split: about a quarter of new and of old frames test, a seventh chooses, the rest trains.

    Chance is a digest of site, camera and time, so the same frames are decided alike everywhere. Drawn frames and those
    that a teacher labelled train only: they judge nobody.

    Args:
        kept: pieces that were decided in earlier retrainings of the site; they stay.
        apart: frames of one camera nearer than this do not go into different splits; of two splits the one that
            trains loses.

    Raises:
        InsufficientLabelsError: there are too few pieces of new frames, even of a minute each, or none for a split.
    """
    judging = [each for each in frames if not each.is_drawn and each.labelled_by != "teacher"]
    training = [each for each in frames if each.is_drawn or each.labelled_by == "teacher"]
    stretch = _stretch_of(judging, kept or {})
    pieces: dict[str, Split] = {}
    for is_new in (True, False):
        part = [each for each in judging if each.is_new == is_new]
        for name, split in _assigned(part, stretch, site, {**(kept or {}), **pieces}).items():
            pieces.setdefault(name, split)
    decided = [dataclasses.replace(each, split=pieces[piece_of(each, stretch)]) for each in judging]
    # What trains by a teacher's word must be as far from the test as what trains by a person's.
    decided += [dataclasses.replace(each, split="train") for each in training]
    kept_apart = _apart(decided, apart, pieces, stretch)
    for wanted in ("train", "val", "test"):
        if not any(each.is_new and each.split == wanted for each in kept_apart if not each.is_drawn):
            raise InsufficientLabelsError(
                f"labelled frames: no new one is left for {wanted!r} when they are divided by camera and {stretch}; "
                "nothing is trained. Label frames of more cameras or times"
            )
    return Decided(tuple(kept_apart), stretch, {**(kept or {}), **pieces}, len(decided) - len(kept_apart))


def _stretch_of(frames: Sequence[LabelledFrame], kept: Mapping[str, Split]) -> Stretch:
    # What was decided by days before is decided by days again: else a day's hours would scatter.
    for stretch in STRETCHES:
        if any(f"/{stretch}/" in name for name in kept):
            return stretch
    counts = []
    for stretch in STRETCHES:
        new = {piece_of(each, stretch) for each in frames if each.is_new}
        old = {piece_of(each, stretch) for each in frames if not each.is_new}
        if len(new) >= LEAST_PIECES and (not old or len(old) >= LEAST_PIECES):
            return stretch
        counts.append(len(new))
    raise InsufficientLabelsError(
        f"labelled frames: the new ones are from {max(counts, default=0)} minutes of a camera, expected at least "
        f"{LEAST_PIECES}: with fewer, what judges would be what trained. Label frames of more cameras or times"
    )


def _assigned(
    frames: Sequence[LabelledFrame], stretch: Stretch, site: str, kept: Mapping[str, Split]
) -> dict[str, Split]:
    sizes: dict[str, int] = {}
    for each in frames:
        name = piece_of(each, stretch)
        sizes[name] = sizes.get(name, 0) + 1
    by_chance = sorted(sizes, key=lambda name: hashlib.sha256(f"{site}/{name}".encode()).digest())
    assigned: dict[str, Split] = {name: kept[name] for name in by_chance if name in kept}
    wanted: tuple[tuple[Split, float], ...] = (("test", TEST_SHARE), ("val", VAL_SHARE))
    total = len(frames)
    free = [name for name in by_chance if name not in assigned]
    for left, (split, share) in zip((2, 1), wanted, strict=True):  # pieces that the others need
        members: set[Split] = {"test", "sealed"} if split == "test" else {split}
        while len(free) > left and sum(sizes[name] for name, to in assigned.items() if to in members) < share * total:
            assigned[free.pop(0)] = split
    for name in free:
        assigned[name] = "train"
    tests = [name for name in by_chance if assigned[name] == "test" and name not in kept]
    if len(tests) >= LEAST_TO_SEAL:
        for name in tests[::2]:
            assigned[name] = "sealed"
    return assigned


def _apart(
    frames: Sequence[LabelledFrame], apart: timedelta, pieces: Mapping[str, Split], stretch: Stretch
) -> list[LabelledFrame]:
    """Leave out of training, then of choosing, what is too near to a frame that judges."""
    by_rank: dict[Split, int] = {"sealed": 0, "test": 0, "val": 1, "train": 2}
    kept: list[LabelledFrame] = []
    times: dict[tuple[str, int], list[datetime]] = {}
    for each in sorted(frames, key=lambda frame: by_rank[frame.split or "train"]):
        rank = by_rank[each.split or "train"]
        if each.is_drawn:  # nobody's neighbour
            kept.append(each)
            continue
        # A teacher's frame of a piece that judges is of the test's own hour.
        within = rank == 2 and pieces.get(piece_of(each, stretch), "train") != "train"
        if within or _is_near(times, each, rank, apart):
            continue
        kept.append(each)
        bisect.insort(times.setdefault((each.camera_id, rank), []), each.taken_at)
    order = {each.id: number for number, each in enumerate(frames)}
    return sorted(kept, key=lambda frame: order[frame.id])


def _is_near(
    times: Mapping[tuple[str, int], Sequence[datetime]], frame: LabelledFrame, rank: int, apart: timedelta
) -> bool:
    for lower in range(rank):
        known = times.get((frame.camera_id, lower), ())
        at = bisect.bisect_left(known, frame.taken_at - apart)
        if at < len(known) and known[at] <= frame.taken_at + apart:
            return True
    return False


def by_split(frames: Iterable[LabelledFrame]) -> dict[Split, list[LabelledFrame]]:
    """Sort frames by their split; a split without frames has an empty list."""
    found: dict[Split, list[LabelledFrame]] = {"train": [], "val": [], "test": [], "sealed": []}
    for each in frames:
        if each.split is not None:
            found[each.split].append(each)
    return found
