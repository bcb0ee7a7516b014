"""The typed errors of Timbre.

Each carries a sentence for the person who meets it and, where one is known, the fix. They are raised where the problem is
noticed and become words at one place per surface: the command line, the page, the worker's event log.
"""


class RvcError(Exception):
    """A failure with a sentence to show; ``fix`` says what the reader can do about it."""

    def __init__(self, message: str, *, fix: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.fix = fix

    def __str__(self) -> str:
        return f"{self.message} {self.fix}" if self.fix else self.message


class SettingsError(RvcError, ValueError):
    """A setting or a name that cannot be used as given."""


class AudioError(RvcError):
    """An audio file that cannot be read, holds nothing usable, or cannot be written."""


class DatasetError(RvcError):
    """A dataset from which nothing can be trained."""


class FormatError(RvcError):
    """A model, checkpoint, feature or index file that is not what it should be. Nothing of it was loaded."""


class MissingAssetError(RvcError):
    """Weights that were asked for by name and are not installed."""


class EmbedderMismatchError(RvcError):
    """Content features of another embedder than the one a voice or base model was trained with."""


class DeviceError(RvcError):
    """A device or precision that this machine does not offer."""


class StorageError(RvcError):
    """A file that could not be written, for instance because the disk is full. The file it would have replaced is intact."""


class DownloadError(RvcError):
    """A download that did not arrive whole. Nothing was installed."""


class RunError(RvcError):
    """A run folder that cannot be used for what was asked."""


class RunBusyError(RunError):
    """A second worker for a run that already has one."""


class TrainingError(RvcError):
    """A fit that cannot go on."""


class NonFiniteLossError(TrainingError):
    """A loss that became NaN or infinite. No weight was touched by that step."""
