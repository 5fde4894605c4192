"""Who signed a statement, and what a signature says nothing of."""

from __future__ import annotations

import base64
import json
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from securesystemslib.signer import SIGNER_FOR_URI_SCHEME, CryptoSigner, Signer

from rocmimg.errors import ConfigError, SigningError
from rocmimg.release.signing import KEY_VARIABLE, NOBODY, Trust, make_key, seal, signing_key, statement, unseal

DIGEST = f"sha256:{'1' * 64}"
OTHER = f"sha256:{'2' * 64}"
SAID = statement("urn:rocmimg:checks:v2", {"r.example/app": DIGEST}, {"passed": True})


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    for name in ("ci", "stranger"):
        make_key(tmp_path / name)
    return tmp_path


@pytest.fixture
def trust(keys: Path) -> Trust:
    return Trust.load({"ci": "ci.pub"}, keys)


def signer(keys: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> Signer:
    monkeypatch.setenv(KEY_VARIABLE, f"file:{keys / name}.key")
    found = signing_key()
    assert found
    return found


def test_a_key_is_for_its_owner_and_never_overwritten(keys: Path) -> None:
    assert stat.S_IMODE((keys / "ci.key").stat().st_mode) == 0o600
    assert b"PUBLIC KEY" in (keys / "ci.pub").read_bytes()
    with pytest.raises(SigningError, match="never overwritten"):
        make_key(keys / "ci")


def test_what_a_known_key_signed_is_believed(keys: Path, trust: Trust, monkeypatch: pytest.MonkeyPatch) -> None:
    data = seal(SAID, signer(keys, "ci", monkeypatch))
    opened = unseal(data, trust)
    assert opened
    assert (opened.believed, opened.signers, opened.statement) == (True, ("ci",), SAID)
    assert opened.is_about(DIGEST)
    assert not opened.is_about(OTHER)


def test_a_key_in_a_variable(keys: Path, trust: Trust, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI_SECRET", (keys / "ci.key").read_text())
    monkeypatch.setenv(KEY_VARIABLE, "env:CI_SECRET")
    opened = unseal(seal(SAID, signing_key()), trust)
    assert opened
    assert opened.signers == ("ci",)


def stripped(data: bytes) -> bytes:
    return json.dumps({**json.loads(data), "signatures": []}).encode()


def bare(data: bytes) -> bytes:
    return base64.b64decode(json.loads(data)["payload"])


def altered(data: bytes) -> bytes:
    payload = bare(data).replace(b'"passed": true', b'"passed": "sure"')
    return json.dumps({**json.loads(data), "payload": base64.b64encode(payload).decode()}).encode()


def retyped(data: bytes) -> bytes:
    return json.dumps({**json.loads(data), "payloadType": "application/json"}).encode()


def renamed(data: bytes, keyid: str) -> bytes:
    """A stranger's signature under the name of a known key."""
    value = json.loads(data)
    value["signatures"][0]["keyid"] = keyid
    return json.dumps(value).encode()


@pytest.mark.parametrize("attack", [stripped, bare, altered, retyped])
def test_what_was_tampered_with_is_not_believed(
    attack: Any, keys: Path, trust: Trust, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = unseal(attack(seal(SAID, signer(keys, "ci", monkeypatch))), trust)
    assert opened is None or not opened.believed


def test_a_stranger_is_not_believed_under_any_name(keys: Path, trust: Trust, monkeypatch: pytest.MonkeyPatch) -> None:
    data = seal(SAID, signer(keys, "stranger", monkeypatch))
    for forged in (data, renamed(data, trust.keys["ci"].keyid)):
        opened = unseal(forged, trust)
        assert opened
        assert not opened.believed


@pytest.mark.parametrize(
    "data",
    [b"", b"no JSON", b"[]", b"{}", b'{"payload": 1}',
     b'{"payload": "!", "payloadType": "application/vnd.in-toto+json"}',
     b"[" * 100_000, b'{"payload": "W10=", "payloadType": "application/vnd.in-toto+json", "signatures": 7}'],
)  # fmt: skip
def test_what_is_no_statement_is_nothing(data: bytes, trust: Trust) -> None:
    assert unseal(data, trust) is None
    assert unseal(data, NOBODY) is None


def test_where_nobody_is_named_nothing_has_to_be_signed(keys: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for data in (seal(SAID, None), seal(SAID, signer(keys, "stranger", monkeypatch))):
        opened = unseal(data, NOBODY)
        assert opened
        assert opened.believed
    NOBODY.require(None)


def test_what_would_not_be_believed_is_refused_before_it_is_written(
    keys: Path, trust: Trust, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(SigningError, match=r"wants signatures.*ROCMIMG_SIGNING_KEY"):
        trust.require(None)
    with pytest.raises(SigningError, match=r"belongs to nobody in release\.signers; known are ci"):
        trust.require(signer(keys, "stranger", monkeypatch))
    trust.require(signer(keys, "ci", monkeypatch))


@pytest.mark.parametrize("given", ["file:/nowhere", "env:ROCMIMG_NOT_SET", "awskms:alias/x", "ci=nosuch:x", "x"])
def test_a_key_that_cannot_be_used_is_named(given: str, trust: Trust, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(KEY_VARIABLE, given)
    with pytest.raises(SigningError, match="ROCMIMG_SIGNING_KEY names cannot be used"):
        signing_key(trust)


def test_a_key_management_service_signs_for_the_signer_that_is_named(
    keys: Path, trust: Trust, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stand-in: what is shown is how securesystemslib is asked, not a service."""

    class Service(CryptoSigner):
        @classmethod
        def from_priv_key_uri(cls, priv_key_uri: str, public_key: Any, _handler: Any = None) -> CryptoSigner:
            return super().from_priv_key_uri(priv_key_uri.replace("testkms", "file2"), public_key)

    services: Mapping[str, Any] = {**SIGNER_FOR_URI_SCHEME, "testkms": Service}
    monkeypatch.setattr("securesystemslib.signer._signer.SIGNER_FOR_URI_SCHEME", services)
    monkeypatch.setenv(KEY_VARIABLE, f"ci=testkms:{keys / 'ci.key'}")
    opened = unseal(seal(SAID, signing_key(trust)), trust)
    assert opened
    assert opened.signers == ("ci",)


def test_a_public_key_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "bad.pub").write_text("no key")
    for path in ("bad.pub", "missing.pub"):
        with pytest.raises(ConfigError, match=f"public key of ci cannot be read.*{path}"):
            Trust.load({"ci": path}, tmp_path)


@pytest.mark.parametrize("form", ["{pem}", "env:{pem}", "file:{pem}", "env:{line}", "{line}", "ci={pem}"])
def test_a_key_in_the_place_of_its_name_is_not_shown(keys, monkeypatch, form):
    pem = (keys / "ci.key").read_text()
    line = "".join(pem.splitlines()[1:-1])
    monkeypatch.setenv(KEY_VARIABLE, form.format(pem=pem, line=line))
    with pytest.raises(SigningError) as caught:
        signing_key()
    assert line not in str(caught.value)
    assert line[8:24] not in str(caught.value)
