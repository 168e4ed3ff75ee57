"""Every error of the system, in one tree.

::

    FacerecError
    ├── InputError                 the caller's fault; trying again gives the same answer
    │   ├── MalformedJson, BadParam (NoAnalyser), AuthFailed, Forbidden, NotFound, Conflict
    │   ├── NoFaces, TooManyFaces
    │   ├── TooLarge, UnsupportedImage, UnreadableImage, ForbiddenUrl
    │   └── MalformedJob
    │       └── NewerMessage
    ├── FetchFailed, FetchTimeout  the server behind a URL refused, failed or was too slow
    ├── DeadlineExceeded           a synchronous request ran out of time
    ├── Backpressure               the queue is full; come again later
    ├── ServiceUnavailable         a part of the system is away; trying again helps
    │   ├── BrokerUnavailable, EngineUnavailable, IndexIncomplete
    │   └── StoreUnavailable (StoreRefusesWrites), ImageStoreUnavailable (ImageStoreRefusesWrites)
    ├── EngineFailure              the face engine broke on this picture
    │   └── ChildDied, TimeLimitExceeded, AnalyserFailed
    └── ConfigError, ModelMissing, InternalError   the operator must act

``code`` is the machine-readable name that users see; ``permanent`` says that repeating the same work cannot help.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, ClassVar


class FacerecError(Exception):
    """Root of the tree. The message is meant for a person."""

    code: ClassVar[str] = "INTERNAL"
    permanent: ClassVar[bool] = False

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class InputError(FacerecError):
    """The input is wrong."""

    permanent = True


class MalformedJson(InputError):
    """The body is not valid JSON."""

    code = "MALFORMED_JSON"


class BadParam(InputError):
    """A parameter is missing, unknown or wrong; ``param`` names it and ``value`` repeats what came.

    The reason does not: it goes to the log, and what came may hold a secret, as a signed URL does.
    """

    code = "BAD_PARAM"

    def __init__(self, param: str, reason: str, value: object = None) -> None:
        super().__init__(reason)
        self.param = param
        self.value = value


class NoAnalyser(BadParam):
    """Age, gender or emotions were asked for, and the service has no analyser of them."""

    code = "NO_ANALYSER"


class AuthFailed(InputError):
    """No token, or one that nobody has."""

    code = "AUTH_FAILED"


class Forbidden(InputError):
    """The token is good but may not do that."""

    code = "FORBIDDEN"


class NotFound(InputError):
    """There is no such thing, or it belongs to another owner."""

    code = "NOT_FOUND"


class Conflict(InputError):
    """It exists already."""

    code = "CONFLICT"


class NoFaces(InputError):
    """The photo shows no face that could be meant."""

    code = "NO_FACES"


class TooManyFaces(InputError):
    """The photo shows several faces where one was asked for; ``boxes`` says where (`facerec.faces.Box`)."""

    code = "TOO_MANY_FACES"

    def __init__(self, reason: str, boxes: Sequence[Any]) -> None:
        super().__init__(reason)
        self.boxes = tuple(boxes)


class TooLarge(InputError):
    """More bytes or more pixels than allowed."""

    code = "TOO_LARGE"


class UnsupportedImage(InputError):
    """The bytes are no picture of a supported type."""

    code = "UNSUPPORTED_IMAGE"


class UnreadableImage(InputError):
    """The bytes begin like a picture and cannot be decoded."""

    code = "UNREADABLE_IMAGE"


class ForbiddenUrl(InputError):
    """The URL is not http(s) or leads to an address that must not be fetched."""

    code = "FORBIDDEN_URL"


class MalformedJob(InputError):
    """A message on a queue is not a job of ours."""

    code = "MALFORMED_JOB"


class NewerMessage(MalformedJob):
    """A message of a release that is newer than this one: another worker will know what it says."""

    code = "NEWER_MESSAGE"


class FetchFailed(FacerecError):
    """The URL's server refused or failed."""

    code = "FETCH_FAILED"


class FetchTimeout(FacerecError):
    """The URL's server took too long."""

    code = "TIMEOUT"


class DeadlineExceeded(FacerecError):
    """A synchronous request ran out of time."""

    code = "TIMEOUT"


class Backpressure(FacerecError):
    """The queue is longer than allowed. ``retry_after`` is in seconds."""

    code = "BACKPRESSURE"

    def __init__(self, reason: str, retry_after: int) -> None:
        super().__init__(reason)
        self.retry_after = retry_after


class ServiceUnavailable(FacerecError):
    """A part of the system is away. ``retry_after`` is in seconds; ``reads``: who only reads from it is served as before."""

    code = "SERVICE_UNAVAILABLE"
    reads: ClassVar[bool] = False

    def __init__(self, reason: str, retry_after: int = 5) -> None:
        super().__init__(reason)
        self.retry_after = retry_after


class BrokerUnavailable(ServiceUnavailable):
    """RabbitMQ cannot be reached, or did not confirm in time."""


class StoreUnavailable(ServiceUnavailable):
    """Redis cannot be reached, or did not answer in time."""


class StoreRefusesWrites(StoreUnavailable):
    """Redis answers who reads and takes no changes for now: it is full, cannot save, is a replica, or has too few of them."""

    reads = True


class ImageStoreUnavailable(ServiceUnavailable):
    """The store of pictures cannot be reached."""


class ImageStoreRefusesWrites(ImageStoreUnavailable):
    """The store of pictures can be read, and keeps no new ones for now: it is full or read-only."""

    reads = True


class EngineUnavailable(ServiceUnavailable):
    """No engine process can be started for now."""


class IndexIncomplete(ServiceUnavailable):
    """Only ``live`` of the ``total`` parts of the index answered, and all were asked for; ``why`` as far as it is known."""

    def __init__(self, live: int, total: int, why: str = "") -> None:
        super().__init__(
            f"{live} of {total} parts of the index answered, and strict asks for all" + (why and f": {why}")
        )
        self.live = live
        self.total = total


class EngineFailure(FacerecError):
    """The face engine broke on this picture."""

    code = "ENGINE_FAILURE"


class ChildDied(EngineFailure):
    """The process that worked on this picture died."""

    code = "CHILD_DIED"


class TimeLimitExceeded(EngineFailure):
    """The work on this picture took longer than the job's time limit."""

    code = "TIME_LIMIT"


class AnalyserFailed(EngineFailure):
    """The operator's analyser of age, gender and emotions broke, or said what cannot be."""


class ConfigError(FacerecError):
    """A setting is wrong; the message names the variable."""

    code = "CONFIG"
    permanent = True


class ModelMissing(FacerecError):
    """A model file is not where it should be; the message says how to get it."""

    code = "MODEL_MISSING"
    permanent = True


class InternalError(FacerecError):
    """An invariant of our own does not hold."""


def _tree(root: type[FacerecError]) -> Iterator[type[FacerecError]]:
    yield root
    for branch in root.__subclasses__():
        yield from _tree(branch)


def error_for(code: str, reason: str) -> FacerecError:
    """The error behind a code that came from another process; an unknown code is an `InternalError`."""
    for kind in _simple_errors():
        if kind.code == code:
            return kind(reason)
    return InternalError(f"{code}: {reason}")


def _simple_errors() -> Iterator[type[FacerecError]]:
    """Those that are made of a reason alone and own their code."""
    for kind in _tree(FacerecError):
        if kind.__init__ is FacerecError.__init__ and "code" in kind.__dict__ and kind is not FetchTimeout:
            yield kind
