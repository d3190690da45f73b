"""Everything facekit raises on purpose. Each message is one sentence that says what to do next.

FacekitError
├── ImageError               the picture cannot be used
│   ├── UnreadableImage      empty, truncated, not an image, or a format we do not decode
│   └── ImageTooLarge        more bytes or more pixels than the limits allow
├── VideoError               a clip cannot be read, or its frames are not in order
├── UnknownName              a detector, attribute, recipe or task that does not exist
├── CheckpointError          a checkpoint cannot be used
│   ├── CheckpointNotFound   neither shipped, nor a folder, nor cached, nor on the Hub
│   ├── DamagedCheckpoint    config.json or model.safetensors is broken or does not fit
│   ├── HubUnreachable       the Hub did not answer in time
│   └── PushError            it cannot be pushed: no right to, nothing new, or the repository has moved on
├── GenerationError          the faces that were asked for cannot be made
├── LabError                 a run of the laboratory cannot start, or do what it is told
├── DataError                a data set cannot be read, or lacks the labels asked for
├── RecipeError              a recipe field is wrong; the message names it
└── TrainingError            a run cannot go on: the loss is not finite, or memory or disk are full
"""


class FacekitError(Exception):
    """Base of every error facekit raises on purpose; its message is fit to show to a visitor."""


class ImageError(FacekitError):
    """The picture cannot be used."""


class UnreadableImage(ImageError):
    """Empty, truncated, not an image, or a format that is not decoded here."""


class ImageTooLarge(ImageError):
    """More bytes or more pixels than the limits allow; found in the header, before decoding."""


class VideoError(FacekitError):
    """A clip cannot be read, or its frames are not in order."""


class UnknownName(FacekitError):
    """A detector, attribute, recipe or task that does not exist."""

    @classmethod
    def among(cls, kind: str, name: object, known: "list[str] | tuple[str, ...]") -> "UnknownName":
        """The error for `name`, listing what exists: `Unknown detector 'x': choose one of haar, mtcnn.`"""
        return cls(f"Unknown {kind} {name!r}: choose one of {', '.join(sorted(known))}.")


class CheckpointError(FacekitError):
    """A checkpoint cannot be used."""


class CheckpointNotFound(CheckpointError):
    """Neither shipped, nor a folder, nor cached, nor on the Hub."""


class DamagedCheckpoint(CheckpointError):
    """config.json or model.safetensors is broken, or they do not fit each other."""


class HubUnreachable(CheckpointError):
    """The Hub did not answer in time, and the checkpoint is neither shipped nor cached."""


class PushError(CheckpointError):
    """It cannot be pushed: nobody is signed in, there is no right to, nothing is new, or the repository moved on."""


class GenerationError(FacekitError):
    """The faces that were asked for cannot be made: too many, or latents that do not fit."""


class LabError(FacekitError):
    """A run of the laboratory cannot start, or cannot do what it is told."""


class DataError(FacekitError):
    """A data set cannot be read, or lacks the labels that were asked for."""


class RecipeError(FacekitError):
    """A recipe field is wrong; the message names it."""


class TrainingError(FacekitError):
    """A run cannot go on: its loss is not finite, or memory or disk are full. What it had saved is whole."""
