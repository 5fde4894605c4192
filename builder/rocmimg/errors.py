"""Every failure that a user can meet: one class and one exit code per kind.

A message reads ``file:line: what; why; what to do next``. ``why`` and ``next_step`` may be empty where ``what`` says it
all. Exit codes 0 (done), 1 (findings), 2 (wrong command line, click's own) and 130 (interrupted) have no class here.
"""

from __future__ import annotations

import errno
from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar, Final

_SUGGESTIONS: Final = 4


@dataclass(frozen=True, slots=True, order=True)
class Position:
    """A place in a file, or the word for a place that is not a file ("command line", "default")."""

    source: str
    line: int = 0
    """1-based; 0 where the source has no lines."""
    column: int = 0

    def __str__(self) -> str:
        return f"{self.source}:{self.line}" if self.line else self.source


class RocmimgError(Exception):
    """Base of all errors that are reported without a traceback."""

    exit_code: ClassVar[int] = 1
    kind: ClassVar[str] = "error"

    def __init__(self, what: str, *, why: str = "", next_step: str = "", position: Position | None = None) -> None:
        self.what = what
        self.why = why
        self.next_step = next_step
        self.position = position
        super().__init__(what)

    def __str__(self) -> str:
        text = "; ".join(part for part in (self.what, self.why, self.next_step) if part)
        return f"{self.position}: {text}" if self.position else text


class ConfigError(RocmimgError):
    """images.yaml, a recipe or a ``--set`` is wrong."""

    exit_code = 3
    kind = "configuration"


class ConfigErrors(ConfigError):
    """Several configuration errors found in one reading."""

    def __init__(self, errors: list[ConfigError]) -> None:
        self.errors = errors
        super().__init__("\n".join(map(str, errors)))

    def __str__(self) -> str:
        return "\n".join(map(str, self.errors))


class TemplateError(RocmimgError):
    """A template is missing, does not parse, or uses a value that does not exist."""

    exit_code = 4
    kind = "template"


class EngineError(RocmimgError):
    """No container engine answers, or it refuses a call."""

    exit_code = 5
    kind = "engine"


class BaseImageError(RocmimgError):
    """A base image is not there and cannot be pulled."""

    exit_code = 6
    kind = "base image"


class BuildError(RocmimgError):
    """An image does not build."""

    exit_code = 7
    kind = "build"


class DiskFullError(RocmimgError):
    """The engine or this machine ran out of disk, its disk is in trouble, or a file beside an answer is not written."""

    exit_code = 8
    kind = "disk"


class ChecksFailed(RocmimgError):
    """A built image does not show what it must show."""

    exit_code = 9
    kind = "checks"


class NotProven(RocmimgError):
    """A proof that was demanded could not be run (``--require-gpu`` without a GPU)."""

    exit_code = 10
    kind = "not proven"


class ContractBroken(RocmimgError):
    """The framework needs what its pinned source does not have."""

    exit_code = 11
    kind = "contract"


class SourceError(RocmimgError):
    """A repository, ref, folder or package that was to be read cannot be read."""

    exit_code = 12
    kind = "source"


class LockError(RocmimgError):
    """images.lock.yaml is missing, broken, or does not fit images.yaml."""

    exit_code = 13
    kind = "lock"


class LockIncomplete(RocmimgError):
    """Some look-ups of a lock failed; what could be looked up is written."""

    exit_code = 19
    kind = "lock incomplete"


class RegistryError(RocmimgError):
    """A container registry does not answer, refuses, or holds something else."""

    exit_code = 14
    kind = "registry"


class GateRefused(RocmimgError):
    """A promotion lacks its proofs."""

    exit_code = 15
    kind = "gate"


class NetworkError(RocmimgError):
    """No step of a build reaches the network, whatever mode it is given; or a connection ends before its time."""

    exit_code = 20
    kind = "network"


class RegistryDenied(RegistryError):
    """A registry wants credentials, or these may not do what was asked."""

    exit_code = 16
    kind = "credentials"


class TagTaken(RegistryError):
    """An immutable tag exists and names another image."""

    exit_code = 17
    kind = "immutable tag"


class SigningError(RocmimgError):
    """A statement cannot be signed: no key, one that nobody knows, or one that does not work."""

    exit_code = 18
    kind = "signing"


class ForeignTag(RocmimgError):
    """A build would take a name from an image that rocmimg did not build, and nobody allowed it."""

    exit_code = 21
    kind = "foreign tag"


class FileError(RocmimgError):
    """A file or folder of this machine cannot be read, made or written, for another reason than a full disk."""

    exit_code = 22
    kind = "file"


class LimitReached(RocmimgError):
    """This machine gives no more memory, processes or open files."""

    exit_code = 23
    kind = "limit"


_OTHER_KIND: Final = "something of another kind has that name: move it away, or name another place"
_NO_RIGHT: Final = "see with `ls -ld` who may use it, and run this as that user, or name another place"
_FREE: Final = "free some space and run the same command again: what is built stays"
_TROUBLE: Final = "the disk or the file system under it is in trouble: `dmesg` says more"
_FEWER: Final = "end what else runs here, or do less at once, then run the same command again"
_WELL: Final = "see whether the network and the other side are well, then run the same command again"
_OS_ERRORS: Final[dict[int, tuple[type[RocmimgError], str]]] = {
    errno.ENOSPC: (DiskFullError, _FREE),
    errno.EDQUOT: (DiskFullError, _FREE),
    errno.EROFS: (DiskFullError, "it is on a read-only file system: name another place, or mount it writable"),
    errno.EIO: (DiskFullError, _TROUBLE),
    errno.ESTALE: (DiskFullError, _TROUBLE),
    errno.EACCES: (FileError, _NO_RIGHT),
    errno.EPERM: (FileError, _NO_RIGHT),
    errno.ENOENT: (FileError, "correct the name, or make or install what is missing"),
    errno.ENOTDIR: (FileError, _OTHER_KIND),
    errno.EISDIR: (FileError, _OTHER_KIND),
    errno.EEXIST: (FileError, _OTHER_KIND),
    errno.ENOTEMPTY: (FileError, _OTHER_KIND),
    errno.ENAMETOOLONG: (FileError, "shorten the name, or work in a folder with a shorter path"),
    errno.ELOOP: (FileError, "its symbolic links lead in a circle: correct them"),
    errno.EFBIG: (FileError, "the file gets larger than its file system or `ulimit -f` allows"),
    errno.EMFILE: (LimitReached, "raise the number of open files (`ulimit -n`), then run the same command again"),
    errno.ENFILE: (LimitReached, "the whole machine has too many files open; end what else runs here"),
    errno.ENOMEM: (LimitReached, _FEWER),
    errno.EAGAIN: (LimitReached, _FEWER),
    errno.ENETDOWN: (NetworkError, _WELL),
    errno.ENETUNREACH: (NetworkError, _WELL),
    errno.EHOSTUNREACH: (NetworkError, _WELL),
    errno.EADDRINUSE: (NetworkError, _WELL),
    errno.EADDRNOTAVAIL: (NetworkError, _WELL),
}
_OF_NETWORK: Final = frozenset({"requests", "socket", "ssl", "http", "urllib"})


def of_os_error(error: OSError, what: str = "") -> RocmimgError:
    """An error of ours for one of the operating system that nobody nearer to it has a word for."""
    named = " -> ".join(str(name) for name in (error.filename, error.filename2) if name is not None)
    said = f"{named}: {error.strerror}" if named and error.strerror else str(error) or type(error).__name__
    kind, next_step = _OS_ERRORS.get(error.errno or 0, (FileError, ""))
    known = error.errno in _OS_ERRORS
    module = type(error).__module__.partition(".")[0]
    if not known and (module in _OF_NETWORK or isinstance(error, ConnectionError | TimeoutError)):
        kind, next_step = NetworkError, _WELL
    return kind(what, why=said, next_step=next_step) if what else kind(said, next_step=next_step)


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """A next step for an unknown word: the nearest known one, or all of them."""
    known = sorted(known)
    close = _longer(word, known) or _closest(word, known)
    if close:
        return f"did you mean {' or '.join(map(repr, close[:_SUGGESTIONS]))}?"
    return f"known: {', '.join(known)}" if known else "none is known here"


def _longer(word: str, known: list[str]) -> list[str]:
    """Words that begin with this one, without those that are longer forms of another: targets, not all their cells."""
    longer = [name for name in known if word and name.startswith(word)]
    return [name for name in longer if not any(name != other and name.startswith(other) for other in longer)]


def _closest(word: str, known: list[str]) -> list[str]:
    """The nearest words: all that are equally near, since one of several releases is as good a guess as another."""
    import difflib

    close = difflib.get_close_matches(word, known, n=len(known) or 1, cutoff=0.6)
    ratios = [difflib.SequenceMatcher(None, name, word).ratio() for name in close]
    return sorted(name for name, ratio in zip(close, ratios, strict=True) if ratio == ratios[0])
