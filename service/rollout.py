"""Lets the cameras follow the registry: fetches, checks and swaps models; a bad one leaves all as it is.

What is wanted is in the registry, and only people and other programs change it; this only does it, and says if it
cannot.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import structlog

from footfall import __version__
from footfall.errors import ModelError, PromotionError, StoreError
from footfall.vision.models import EMBEDDED, EMBEDDED_FOLDER, embedded_model, resolve_model
from service.pipeline import Detectors
from service.smoke import check_detector

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable
    from pathlib import Path

    from footfall.domain import ModelAliases
    from footfall.stores.registry import Registry
    from footfall.vision.detector import Detector
    from service.metrics import Metrics
    from service.pipeline import Pipeline

_log = structlog.get_logger(__name__)
_ACTOR: Final = "footfall"
_TIMES_SLOWER: Final = 3.0


@dataclass(frozen=True, slots=True)
class RolloutStatus:
    """What runs beside what is wanted.

    Attributes:
        pinned: the setting that wins over the registry; None: the registry is followed.
        champion, challenger: digests of what runs; challenger None: there is none, or it was refused.
        follows: whether everything that the registry wants runs.
    """

    pinned: str | None
    champion: str
    challenger: str | None
    canaries: tuple[str, ...]
    follows: bool


class Rollout:
    """Follows the registry, on a thread of its own.

    Args:
        pinned: the setting `FOOTFALL_MODEL`; with it the registry is looked at and not followed.
        load: makes a detector of a model folder.
        smoke: tries a model folder out where it harms nobody, given its name; raises ModelError. What passed once is
            not tried again, and neither is the embedded model.
        slowest_s: see `check_detector`; a model up to three times slower than the first is fine in any case.
    """

    def __init__(
        self,
        registry: Registry,
        metrics: Metrics,
        *,
        models_dir: Path,
        pinned: str | None,
        load: Callable[[Path], Detector],
        smoke: Callable[[Path, str], None],
        slowest_s: float,
    ) -> None:
        self._registry = registry
        self._metrics = metrics
        self._models_dir = models_dir
        self._pinned = pinned
        self._load = load
        self._smoke = smoke
        self._passed: set[str] = set()  # digests, so bytes are what passed
        self._slowest_s = slowest_s
        self._detectors: Detectors | None = None
        self._seen = -1  # number of the change that was dealt with
        self._follows = True
        self._is_away = False

    @property
    def status(self) -> RolloutStatus:
        """What runs now; after `first`."""
        assert self._detectors is not None
        challenger = self._detectors.challenger
        return RolloutStatus(
            pinned=self._pinned,
            champion=self._detectors.champion.version.sha256,
            challenger=None if challenger is None else challenger.version.sha256,
            canaries=tuple(sorted(self._detectors.canaries)),
            follows=self._follows,
        )

    def first(self) -> Detectors:
        """Return what the service begins with: the pinned model, or the champion, or the one before it.

        A registry in which nothing was ever promoted gets the model that would have served without one.

        Raises:
            ModelError: there is none that can serve; says how to get one.
        """
        if self._pinned is not None:
            self._detectors = Detectors(self._load(resolve_model(self._pinned, self._models_dir)))
        else:
            self._fill()
            aliases = self._registry.aliases()
            self._detectors = Detectors(self._first_that_serves(aliases))
        self._tell()
        return self._detectors

    def turn(self, pipeline: Pipeline) -> None:
        """Look once whether something else is wanted, and if so, check it and swap.

        Raises:
            StoreError: a store does not answer; tried again at the next turn.
        """
        assert self._detectors is not None
        aliases = self._registry.aliases()
        if aliases.number == self._seen:
            return
        if self._pinned is not None:
            _log.warning(
                "another model is wanted, and FOOTFALL_MODEL wins", pinned=self._pinned, wanted=_short(aliases.champion)
            )
            self._seen = aliases.number
            return
        champion = self._get(aliases.champion) or self._detectors.champion
        challenger, trouble = None, None
        try:
            challenger = self._get(aliases.challenger)
        except (StoreError, OSError) as error:
            trouble = error  # which must not keep a rollback of the champion back
        self._follows = champion.version.sha256 == aliases.champion and (
            aliases.challenger is None or challenger is not None
        )
        before, self._detectors = (
            self._detectors,
            Detectors(champion, challenger, frozenset(aliases.canaries if challenger is not None else ())),
        )
        pipeline.use(self._detectors)
        self._tell()
        if champion is not before.champion:
            self._metrics.model_swaps.labels("swapped").inc()
            _log.info("champion swapped", model=champion.version.name, sha256=_short(champion.version.sha256))
        if trouble is not None:
            raise trouble
        self._seen = aliases.number
        if self._detectors.canaries:
            _log.info("challenger looks at canaries", cameras=sorted(self._detectors.canaries))

    def run(self, pipeline: Pipeline, interval_s: float, stopping: threading.Event) -> None:
        """Look every `interval_s` until `stopping` is set."""
        while not stopping.wait(interval_s):
            try:
                self.turn(pipeline)
                self._is_away = False
            except (StoreError, OSError) as error:
                self._metrics.model_lookup_failures.inc()
                if not self._is_away:
                    self._is_away = True
                    _log.error("the registry cannot be read; what runs goes on", error=str(error))
            except Exception:  # noqa: BLE001  whatever a model does, the one that runs goes on, and so does this
                self._metrics.model_lookup_failures.inc()
                _log.exception("following the registry failed; what runs goes on")

    def _get(self, sha256: str | None) -> Detector | None:
        """The detector by its digest, one that runs already if possible; None for none, or one that is refused."""
        assert self._detectors is not None
        for running in (self._detectors.champion, self._detectors.challenger):
            if running is not None and running.version.sha256 == sha256:
                return running
        if sha256 is None:
            return None
        if self._registry.model(sha256).refused_at is not None:
            return None  # until somebody promotes it or tries it out again
        try:
            return self._checked(sha256)
        except ModelError as error:
            self._refuse(sha256, error)
        return None

    def _checked(self, sha256: str) -> Detector:
        model = self._registry.model(sha256)
        folder = self._registry.fetch(model, self._models_dir, also=(EMBEDDED_FOLDER,))
        if folder != EMBEDDED_FOLDER and sha256 not in self._passed:
            self._smoke(folder, model.name)
            self._passed.add(sha256)
        try:
            detector = self._load(folder)
            # Without any other a slow one is better than none.
            took_s = check_detector(detector, slowest_s=math.inf if self._detectors is None else self._slowest_s)
        except (ModelError, StoreError, OSError):
            raise
        except Exception as error:  # noqa: BLE001  a runtime's exceptions have no common base
            raise ModelError(
                f"model {model.name!r}: cannot be loaded ({type(error).__name__}: {str(error)[:160]}); it is refused"
            ) from None
        if self._detectors is None:
            self._slowest_s = max(self._slowest_s, _TIMES_SLOWER * took_s)
        return detector

    def _refuse(self, sha256: str, error: ModelError) -> None:
        self._metrics.model_swaps.labels("refused").inc()
        self._registry.refuse(sha256, str(error), at=datetime.now(UTC))
        _log.error("model refused; what runs goes on", sha256=_short(sha256), error=str(error))

    def _fill(self) -> None:
        """Make the embedded model known; promote where nobody ever did, or where Footfall brings a newer one."""
        shipped = embedded_model()
        if shipped is not None:
            self._registry.add(EMBEDDED_FOLDER, origin="embedded", by=_ACTOR, at=datetime.now(UTC))
        aliases = self._registry.aliases()
        why = "nothing was promoted before"
        if aliases.champion is None:
            folder = resolve_model(None, self._models_dir)
            if folder == EMBEDDED_FOLDER and shipped is not None:
                wanted = shipped.sha256
            else:
                wanted = self._registry.add(folder, origin="imported", by=_ACTOR, at=datetime.now(UTC)).sha256
        elif shipped is not None and self._registry.model(aliases.champion).origin == EMBEDDED:
            wanted, why = shipped.sha256, f"came with Footfall {__version__}"
        else:
            return
        try:
            self._registry.promote(wanted, actor=_ACTOR, why=why, at=datetime.now(UTC), seen=aliases.number)
        except PromotionError as error:
            _log.info("somebody else was first", error=str(error))

    def _first_that_serves(self, aliases: ModelAliases) -> Detector:
        wanted = [each for each in (aliases.champion, aliases.previous) if each is not None]
        # What a service has refused is not tried again at every start.
        known_bad = {sha256 for sha256 in wanted if self._registry.model(sha256).refused_at is not None}
        errors = []
        for sha256 in sorted(wanted, key=lambda each: each in known_bad):
            try:
                detector = self._checked(sha256)
            except ModelError as error:
                errors.append(str(error))
                if sha256 not in known_bad:
                    self._refuse(sha256, error)
            except (StoreError, OSError) as error:
                errors.append(str(error))  # another turn may bring it
            else:
                self._follows = sha256 == aliases.champion and aliases.challenger is None
                # The rest is dealt with at the first turn, when counting has begun.
                self._seen = aliases.number if self._follows else -1
                return detector
        raise ModelError(
            f"neither the champion nor the one before it can serve ({'; '.join(errors)}); import a model and choose it "
            "with `footfall models use NAME`, or name one with --model or FOOTFALL_MODEL"
        )

    def _tell(self) -> None:
        assert self._detectors is not None
        champion = self._detectors.champion
        self._metrics.set_model(champion.version, champion.runtime)
        self._metrics.model_follows.set(1 if self._follows else 0)
        self._metrics.canary_cameras.set(len(self._detectors.canaries))


def _short(sha256: str | None) -> str:
    return "" if sha256 is None else sha256[:12]
