"""Statements and who signed them: in-toto statements in DSSE envelopes; securesystemslib does the cryptography."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from rocmimg.errors import ConfigError, SigningError
from rocmimg.paths import write_atomic

if TYPE_CHECKING:
    from securesystemslib.signer import Key, Signer

KEY_VARIABLE: Final = "ROCMIMG_SIGNING_KEY"
STATEMENT: Final = "https://in-toto.io/Statement/v1"
_PAYLOAD: Final = "application/vnd.in-toto+json"


@dataclass(frozen=True, slots=True)
class Trust:
    """Whose signatures count: names and public keys; where there are none, nothing has to be signed."""

    keys: Mapping[str, Key]

    @classmethod
    def load(cls, signers: Mapping[str, str], folder: Path) -> Trust:
        """From ``release.signers``: name -> path of a public key in PEM form, from the folder of images.yaml.

        Raises:
            ConfigError: a key cannot be read.
        """
        from cryptography.hazmat.primitives.serialization import load_pem_public_key
        from securesystemslib.signer import SSlibKey

        keys = {}
        for name, path in signers.items():
            try:
                keys[name] = SSlibKey.from_crypto(load_pem_public_key((folder / path).read_bytes()))
            except (OSError, ValueError, TypeError) as error:
                raise ConfigError(
                    f"release.signers: the public key of {name} cannot be read",
                    why=f"{folder / path}: {error}",
                    next_step="`rocmimg key FILE` makes a pair; the public half is FILE.pub",
                ) from error
        return cls(keys)

    def __bool__(self) -> bool:
        return bool(self.keys)

    def signed_by(self, envelope: Mapping[str, Any]) -> tuple[str, ...]:
        """Names of those of us who signed an envelope."""
        from securesystemslib.dsse import Envelope
        from securesystemslib.exceptions import VerificationError

        found = []
        for name, key in self.keys.items():
            try:
                read = Envelope.from_dict(json.loads(json.dumps(envelope)))
                read.verify([key], 1)
            except (VerificationError, ValueError, KeyError, TypeError, AttributeError):
                continue  # not signed, not by this key, or no envelope at all
            found.append(name)
        return tuple(found)

    def require(self, signer: Signer | None) -> None:
        """Refuse before anything is written what would not be believed afterwards.

        Raises:
            SigningError: signatures are wanted, and there is no key, or one that nobody knows.
        """
        if not self.keys:
            return
        if signer is None:
            raise SigningError(
                "release.signers wants signatures, and there is no key",
                next_step=f"set {KEY_VARIABLE} to file:PATH, env:NAME or the URI of a KMS",
            )
        if signer.public_key.keyid not in {key.keyid for key in self.keys.values()}:
            raise SigningError(
                f"the key of {KEY_VARIABLE} belongs to nobody in release.signers",
                why=f"known are {', '.join(self.keys)}",
                next_step="add its public half to release.signers, or use another key",
            )


_LONGEST_NAME: Final = 40
NOBODY: Final = Trust({})


def signing_key(trust: Trust = NOBODY) -> Signer | None:
    """The key that ``ROCMIMG_SIGNING_KEY`` names: ``file:PATH``, ``env:NAME`` (PEM), or a URI of securesystemslib.

    For a KMS the public half has to be in ``trust``, and ``NAME=URI`` says whose it is.

    Raises:
        SigningError: it cannot be read.
    """
    given = os.environ.get(KEY_VARIABLE, "")
    if not given:
        return None
    from cryptography.hazmat.primitives.serialization import load_pem_private_key
    from securesystemslib.signer import CryptoSigner, Signer

    scheme, _, rest = given.partition(":")
    try:
        if scheme in ("file", "env"):
            pem = _of_file(rest) if scheme == "file" else _of_environment(rest)
            return CryptoSigner(load_pem_private_key(pem, None))
        name, equals, uri = given.partition("=")
        if not equals or name not in trust.keys:
            raise ValueError(f"write NAME=URI with a NAME of release.signers ({', '.join(trust.keys) or 'none'})")
        return Signer.from_priv_key_uri(uri, trust.keys[name])
    except Exception as error:  # every KMS has errors of its own
        raise SigningError(
            f"the key that {KEY_VARIABLE} names cannot be used",
            why=f"{_without_key(scheme)}: {str(error) or type(error).__name__}",
            next_step="`rocmimg key FILE` makes a pair; write file:FILE.key",
        ) from error


def _of_file(name: str) -> bytes:
    try:
        return Path(name).read_bytes()
    except OSError as error:
        shown = "" if "PRIVATE KEY" in name or "\n" in name else f"{name}: "
        raise ValueError(f"{shown}{error.strerror}") from None


def _of_environment(name: str) -> bytes:
    if name not in os.environ:
        raise ValueError(f"there is no variable {_without_key(name)}")
    return os.environ[name].encode()


def _without_key(name: str) -> str:
    """A name as it may be shown: somebody may have put the key itself in its place."""
    return name if len(name) <= _LONGEST_NAME and not re.search(r"[\s/+]|PRIVATE KEY", name) else "(not shown)"


def make_key(path: Path) -> tuple[Path, Path]:
    """A new Ed25519 pair: ``path``.key (only for this user) and ``path``.pub.

    Raises:
        SigningError: there is one already.
    """
    from cryptography.hazmat.primitives import serialization as form
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    private, public = path.with_name(f"{path.name}.key"), path.with_name(f"{path.name}.pub")
    for one in (private, public):
        if one.exists():
            raise SigningError(f"{one} exists", why="a key is never overwritten", next_step="choose another name")
    key = Ed25519PrivateKey.generate()
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(private, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(key.private_bytes(form.Encoding.PEM, form.PrivateFormat.PKCS8, form.NoEncryption()))
    pem = key.public_key().public_bytes(form.Encoding.PEM, form.PublicFormat.SubjectPublicKeyInfo)
    write_atomic(public, pem.decode())
    return private, public


def statement(predicate_type: str, subjects: Mapping[str, str], predicate: Mapping[str, Any]) -> dict[str, Any]:
    """An in-toto statement about images: name -> digest."""
    return {
        "_type": STATEMENT,
        "subject": [
            {"name": name, "digest": {"sha256": digest.removeprefix("sha256:")}} for name, digest in subjects.items()
        ],
        "predicateType": predicate_type,
        "predicate": dict(predicate),
    }


def seal(content: Mapping[str, Any], signer: Signer | None) -> bytes:
    """A statement as it is stored: in a signed envelope, or as it is where there is no key.

    Raises:
        SigningError: the key does not sign.
    """
    payload = (json.dumps(content, indent=2, sort_keys=True) + "\n").encode()
    if signer is None:
        return payload
    from securesystemslib.dsse import Envelope

    envelope = Envelope(payload, _PAYLOAD, {})
    try:
        envelope.sign(signer)
    except Exception as error:  # every KMS has errors of its own
        raise SigningError("the signing key does not sign", why=str(error)) from error
    return (json.dumps(envelope.to_dict(), indent=2) + "\n").encode()


@dataclass(frozen=True, slots=True)
class Opened:
    """What was stored, read back."""

    statement: Mapping[str, Any]
    signers: tuple[str, ...]
    """Names of believed signers; empty also where nobody has to sign."""
    believed: bool

    @property
    def predicate(self) -> Mapping[str, Any]:
        value = self.statement.get("predicate")
        return value if isinstance(value, dict) else {}

    def is_about(self, digest: str) -> bool:
        """Whether this image is among its subjects: a signature for one image says nothing of another."""
        try:
            digests = {f"sha256:{one['digest']['sha256']}" for one in self.statement["subject"]}
        except (KeyError, TypeError):
            return False
        return digest in digests


def unseal(data: bytes, trust: Trust) -> Opened | None:
    """Read what :func:`seal` wrote; None where it is something else."""
    import base64

    try:
        value = json.loads(data)
        if not isinstance(value, dict):
            return None
        signers: tuple[str, ...] = ()
        if "payload" in value:
            if value.get("payloadType") != _PAYLOAD:
                return None
            signers = trust.signed_by(value)
            value = json.loads(base64.b64decode(value["payload"], validate=True))
    except (ValueError, TypeError, RecursionError):
        return None
    if not isinstance(value, dict) or value.get("_type") != STATEMENT:
        return None
    return Opened(value, signers, believed=bool(signers) or not trust)
