"""The error tree of Footfall, on one screen.

A message names the thing, the value met, the value expected and what happens next. Whoever raises is
responsible that no secret is in the text (`footfall.redaction`).
"""


class FootfallError(Exception):
    """Base of every error that Footfall raises on purpose; commands print it without a traceback."""


class SettingsError(FootfallError):
    """A setting, site file or command argument cannot be used (exit status 2)."""


class SourceError(FootfallError):
    """A video source cannot be opened or read."""


class AuthFailedError(SourceError):
    """The camera refused the user or password."""


class NotFoundError(SourceError):
    """The camera answers, but has no such stream, or the file does not exist."""


class RedirectRefusedError(SourceError):
    """The camera wants to send us to another host; followed, the password would go there too."""


class StalledError(SourceError):
    """The source is open, but no picture could be decoded in time."""


class ModelError(FootfallError):
    """A model folder or model file cannot be trusted or understood; the model in use stays."""


class PromotionError(FootfallError):
    """A model cannot be promoted, tried out or rolled back as things stand; nothing was changed."""


class EvaluationError(FootfallError):
    """A sequence folder or its ground truth cannot be read."""


class TrainingError(FootfallError):
    """Material, a dataset or a training cannot be used; no model is written."""


class InsufficientLabelsError(TrainingError):
    """There are too few labelled frames to learn from or to judge by; nothing is trained (exit status 43)."""


class StoreError(FootfallError):
    """A record could not be stored or read."""


class UnknownRecordError(StoreError):
    """A record that was asked for by id is not there."""


class SchemaVersionError(StoreError):
    """The database was written by a newer Footfall; it is left as it is."""
