"""What the API works with; builds nothing."""

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated

from fastapi import Depends
from starlette.requests import HTTPConnection

if TYPE_CHECKING:
    from collections.abc import Callable

    from footfall.config import Settings
    from footfall.stores.blobs import BlobStore
    from footfall.stores.database import Database
    from footfall.stores.drift import DriftStore
    from footfall.stores.quality import QualityStore
    from footfall.stores.registry import Registry
    from footfall.stores.retrains import RetrainStore
    from footfall.stores.samples import SampleStore
    from footfall.vision.detector import Detector
    from service.capacity import Capacity
    from service.fleet import Fleet
    from service.live import EventBus, LiveBoard
    from service.metrics import Metrics
    from service.recorder import Recorder
    from service.rollout import Rollout
    from service.sampling import SampleKeeper
    from service.shadow import Shadow


@dataclass(frozen=True, slots=True)
class Services:
    """The running parts behind the API.

    Attributes:
        detector: gives the detector in use now; it may be swapped at any time.
        capacity: tells how the machine stands; None while nothing is analysed.
        config_lock: held while a camera is read, changed and stored, so that no change is lost.
        stopping: set when the server shuts down; long answers end then.
    """

    settings: "Settings"
    database: "Database"
    fleet: "Fleet"
    live: "LiveBoard"
    events: "EventBus"
    metrics: "Metrics"
    recorder: "Recorder"
    detector: "Callable[[], Detector]"
    samples: "SampleStore"
    blobs: "BlobStore"
    keeper: "SampleKeeper"
    quality: "QualityStore"
    retrains: "RetrainStore"
    drift: "DriftStore"
    registry: "Registry"
    rollout: "Rollout"
    shadow: "Shadow | None"
    capacity: "Callable[[], Capacity | None]" = lambda: None
    config_lock: threading.Lock = field(default_factory=threading.Lock)
    stopping: threading.Event = field(default_factory=threading.Event)


def services_of(connection: HTTPConnection) -> Services:
    """Return the parts of the application that a request or WebSocket came to."""
    services: Services = connection.app.state.services
    return services


ServicesDep = Annotated[Services, Depends(services_of)]
