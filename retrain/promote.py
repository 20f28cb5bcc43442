"""Hands a challenger to the registry: as the new champion where its gates agree, as rejected where they do not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from footfall.errors import PromotionError, TrainingError
from footfall.vision.detector import load_detector, read_card

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime
    from pathlib import Path

    from footfall.stores.registry import Registry

ACTOR: Final = "footfall-retrain"


def hand_over(
    registry: Registry,
    challenger: Path,
    report: Mapping[str, Any],
    *,
    passed: bool,
    run: str,
    champion: str,
    at: datetime,
    floats: Path | None = None,
    canaries: Sequence[str] = (),
) -> dict[str, Any]:
    """Register the challenger with its gate report, and make it the champion if it passed. Idempotent.

    Args:
        champion: sha256 of the model that it was judged against.
        canaries: cameras that try it out first; empty: all of them at once.
        floats: folder of the model that the challenger was made of, where that is another one.

    Returns:
        `outcome`, `note`, and the challenger's `sha256`.

    Raises:
        TrainingError: another model became champion meanwhile: the challenger was not judged against that one.
        StoreError: the records cannot be written.
    """
    load_detector(challenger)  # what cannot serve is not registered
    card = read_card(challenger)
    failed = [f"{gate['name']} ({gate['detail']})" for gate in report["gates"] if gate["passed"] is False] or [
        "nothing was measured on new frames"
    ]
    if floats is not None and passed:  # to be learned on from, the next time
        registry.add(floats, origin="retrained", by=ACTOR, at=at, run=run)
    model = registry.add(challenger, origin="retrained", by=ACTOR, at=at, run=run, gates=report, is_rejected=not passed)
    if not passed:
        return {"outcome": "rejected", "note": "; ".join(failed)[:500], "sha256": model.sha256}
    now = registry.aliases()
    promoted = {"outcome": "promoted", "note": f"{card.name} is the champion", "sha256": model.sha256}
    tried_out = promoted | {"note": f"{card.name} is tried out on {', '.join(canaries)}"}
    if now.champion == model.sha256:  # done before a crash
        return promoted
    if now.challenger == model.sha256:
        return tried_out
    if now.champion not in {None, champion}:
        raise TrainingError(
            f"model {card.name!r}: was judged against {champion[:12]}, but {str(now.champion)[:12]} became champion "
            "meanwhile; nothing was promoted. Ask again"
        )
    why = f"passed its gates against {champion[:12]}"
    try:
        if canaries and now.champion is not None:
            registry.try_out(model.sha256, canaries, actor=ACTOR, why=why, at=at, seen=now.number)
            return tried_out
        registry.promote(model.sha256, actor=ACTOR, why=why, at=at, seen=now.number)
    except PromotionError as error:
        raise TrainingError(f"model {card.name!r}: {error}") from None
    return promoted
