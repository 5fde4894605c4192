"""Whatever a registry answers and whatever is attached there: errors of ours, and never a proof.

hypothesis makes the content: any JSON, and records that would be right but for some places that hold something odd.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
import requests
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from securesystemslib.signer import Signer

from rocmimg.checks.model import CheckInfo, CheckResult, ImageResult
from rocmimg.errors import RocmimgError
from rocmimg.registry import Reference
from rocmimg.registry.client import Repository
from rocmimg.registry.transport import Transport
from rocmimg.registry.types import OCI_INDEX, OCI_MANIFEST, Descriptor, digest_of
from rocmimg.release import intent as intents
from rocmimg.release import records
from rocmimg.release.candidates import labels_of, read_config
from rocmimg.release.gate import Demand, evaluate, may_pass
from rocmimg.release.provenance import unproven_origin
from rocmimg.release.records import CHECKS, OUTCOME, PROMOTION, PROVENANCE, ImageRecords, Promotion
from rocmimg.release.retag import TagUpdate
from rocmimg.release.signing import KEY_VARIABLE, NOBODY, Trust, make_key, seal, signing_key, statement, unseal

SUBJECT = f"sha256:{'1' * 64}"
PLAN = f"sha256:{'2' * 64}"
WORDS = (
    "mediaType", "digest", "size", "manifests", "config", "layers", "artifactType", "annotations", "tags", "token",
    "payload", "payloadType", "signatures", "subject", "predicate", "predicateType", "result", "checks", "status",
    "labels", "errors", "message", OCI_INDEX, OCI_MANIFEST, SUBJECT, PLAN, CHECKS, "sha256:", "a\x1b[2J", "../../x",
)  # fmt: skip
texts = st.sampled_from(WORDS) | st.text(max_size=12)
odd = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)
few = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))


def places(value: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Paths of everything inside."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, one in inner:
        yield (*at, key)
        yield from places(one, (*at, key))


@st.composite
def spoilt(draw: st.DrawFn, right: Any) -> Any:
    """A right value with one to three places that hold something odd, or nothing."""
    value = json.loads(json.dumps(right))
    for _ in range(draw(st.integers(1, 3))):
        paths = list(places(value))
        if not paths:
            break
        *way, last = draw(st.sampled_from(paths))
        inside = value
        for step in way:
            inside = inside[step]
        if draw(st.booleans()):
            inside[last] = draw(odd)
        else:
            del inside[last]
    return value


# -- what is attached


class Attached(Repository):
    """A repository in which one thing is attached to one image."""

    def __init__(self, kind: str, data: bytes) -> None:
        super().__init__(Reference(host="127.0.0.1:1", name="lab/app"), Transport("127.0.0.1:1", None))
        self._kind, self._data = kind, data

    def referrers(self, digest: str) -> list[Descriptor]:  # noqa: ARG002
        return [Descriptor(media_type=OCI_MANIFEST, digest=digest_of(self._data), size=1, artifact_type=self._kind)]

    def attached(self, descriptor: Descriptor) -> bytes:  # noqa: ARG002
        return self._data

    def artifact(self, tag: str, artifact_type: str) -> bytes | None:  # noqa: ARG002
        return self._data


def known(kind: str, data: bytes, trust: Trust = NOBODY) -> ImageRecords:
    return ImageRecords(Attached(kind, data), SUBJECT, trust)


def said(kind: str, predicate: Any) -> dict[str, Any]:
    return statement(records.PREDICATES[kind], {"lab/app": SUBJECT}, predicate)


SUITE = tuple(
    CheckInfo(id=tier, tier=tier, classes=(), title="", path="", digest="1")
    for tier in ("image", "import", "aot", "gpu")
)
DEMAND = Demand(
    cell="app-gfx942", plan=PLAN, archs=("gfx942",), tiers=("image", "import", "aot", "gpu"), suite=SUITE,
    today=date(2026, 11, 30),
)  # fmt: skip


def result(gpu: str) -> Any:
    def check(info: CheckInfo) -> CheckResult:
        on_gpu = info.tier == "gpu"
        return CheckResult(
            id=info.id, tier=info.tier, classes=(), status=gpu if on_gpu else "passed",  # type: ignore[arg-type]
            digest="1", run="r", archs=("gfx942",), device="MI300X" if on_gpu and gpu != "not-run" else "",
        )  # fmt: skip

    one = ImageResult(
        id="app-gfx942", target="app", gpu_arch="gfx942", image="", image_id=SUBJECT, digest=PLAN, run="r", started="",
        seconds=1, engine="", device="", archs=("gfx942",), checks=tuple(map(check, SUITE)),
    )  # fmt: skip
    return json.loads(json.dumps(one.as_json()))


def passes(data: bytes, trust: Trust = NOBODY) -> bool:
    """What the gate makes of attached bytes."""
    image = known(CHECKS, data, trust)
    return may_pass(evaluate(DEMAND, records.check_results(image), notes=image.not_believed(CHECKS)))


def ours(act: Callable[[], Any]) -> Any:
    """Its answer, or None after an error of ours; any other exception is a fault."""
    try:
        return act()
    except RocmimgError:
        return None


def test_what_the_fuzz_starts_from_is_right() -> None:
    assert passes(json.dumps(said(CHECKS, {"after": [], "result": result("passed")})).encode())
    assert not passes(json.dumps(said(CHECKS, {"after": [], "result": result("failed")})).encode())
    assert not passes(json.dumps(said(CHECKS, {"after": [], "result": result("not-run")})).encode())


@pytest.mark.parametrize("gpu", ["failed", "not-run"])
@few
@given(data=st.data())
def test_results_that_are_spoilt_prove_nothing(gpu: str, data: st.DataObject) -> None:
    value = data.draw(spoilt(said(CHECKS, {"after": [], "result": result(gpu)})))
    assert not ours(lambda: passes(json.dumps(value).encode()))


@few
@given(
    value=odd
    | st.builds(lambda one: {**said(CHECKS, {}), "predicate": one}, odd)
    | st.builds(lambda one: said(CHECKS, {"result": one}), odd)
)
def test_results_that_are_anything_prove_nothing(value: Any) -> None:
    assert not ours(lambda: passes(json.dumps(value).encode()))


@few
@given(data=st.binary(max_size=60))
def test_bytes_prove_nothing(data: bytes) -> None:
    for kind in (CHECKS, PROMOTION, OUTCOME):
        assert not ours(lambda kind=kind: known(kind, data).of(kind))  # type: ignore[misc]
    assert unproven_origin(known(PROVENANCE, data), "app-gfx942", PLAN)


ORIGIN = {
    "buildDefinition": {
        "buildType": "urn:rocmimg:build:v1",
        "externalParameters": {"cell": "app-gfx942"},
        "internalParameters": {"plan": PLAN},
    }
}


@few
@given(data=st.data())
def test_provenance_of_another_plan_that_is_spoilt_is_none(data: st.DataObject) -> None:
    assert not unproven_origin(known(PROVENANCE, json.dumps(said(PROVENANCE, ORIGIN)).encode()), "app-gfx942", PLAN)
    other = copy.deepcopy(ORIGIN)
    other["buildDefinition"]["internalParameters"] = {"plan": "sha256:another"}
    value = data.draw(spoilt(said(PROVENANCE, other)))
    if json.dumps(value).count(PLAN) == 0:
        image = known(PROVENANCE, json.dumps(value).encode())
        assert ours(lambda: unproven_origin(image, "app-gfx942", PLAN)) != ""


PROMOTED = Promotion(
    kind="promotion", cell="app-gfx942", version="v1", when="2026-11-30T00:00:00Z", who="me", tags=("lab/app:v1",),
    aliases={"lab/app:latest": PLAN}, tiers={"gpu": "gpu: 1 passed"}, overrides={}, requires=("gpu",), results=("x",),
    transaction="1",
).as_json()  # fmt: skip


@few
@given(data=st.data())
def test_records_of_promotions_that_are_spoilt(data: st.DataObject) -> None:
    value = data.draw(spoilt(said(PROMOTION, {**PROMOTED, "after": []})))
    for one in ours(lambda: records.promotions(known(PROMOTION, json.dumps(value).encode()))) or ():
        assert one.kind in ("promotion", "rollback")
        assert datetime.now(UTC) - datetime.fromisoformat(one.when)
        assert all(
            isinstance(text, str) for text in (*one.tags, *one.aliases, *one.aliases.values(), one.who, one.when)
        )


@few
@given(data=st.data())
def test_intents_that_are_spoilt(data: st.DataObject) -> None:
    update = TagUpdate(repository="127.0.0.1:1/lab/app", tag="v1", kind="tag", before="", after=SUBJECT)
    right = intents.new_intent("promotion", ["app-gfx942"], [update], [])
    content = {
        **{name: getattr(right, name) for name in ("id", "kind", "state", "owner", "who", "when", "cells")},
        "updates": [{name: getattr(update, name) for name in TagUpdate.__slots__}],
        "records": [{"repository": "127.0.0.1:1/lab/app", "digest": SUBJECT, "data": "{}"}],
        "known": [SUBJECT],
    }
    sealed = seal(statement(intents.PREDICATE, {"lab/app": SUBJECT}, content), None)
    assert intents.load(Attached("", sealed), right.tag, NOBODY)
    value = data.draw(spoilt(json.loads(sealed)))
    found = ours(lambda: intents.load(Attached("", json.dumps(value).encode()), right.tag, NOBODY))
    if found is None:
        return
    assert found.tag == right.tag
    assert found.state in ("prepared", "started", "undoing", "finished")
    assert found.kind in ("promotion", "rollback")
    assert {record.repository for record in found.records} <= {*found.repositories}


# -- envelopes


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> tuple[Trust, Signer]:
    folder: Path = tmp_path_factory.mktemp("keys")
    make_key(folder / "ci")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(KEY_VARIABLE, f"file:{folder / 'ci.key'}")
        signer = signing_key()
    assert signer
    return Trust.load({"ci": "ci.pub"}, folder), signer


@few
@given(data=st.data())
def test_an_envelope_that_is_spoilt_says_what_was_signed_or_nothing(
    keys: tuple[Trust, Signer], data: st.DataObject
) -> None:
    trust, signer = keys
    content = said(CHECKS, {"after": [], "result": result("failed")})
    sealed = json.loads(seal(content, signer))
    value = data.draw(spoilt(sealed))
    opened = unseal(json.dumps(value).encode(), trust)
    if opened and opened.believed:
        assert opened.statement == content
    assert not ours(lambda: passes(json.dumps(value).encode(), trust))


@few
@given(payload=odd)
def test_what_nobody_signed_is_not_believed(keys: tuple[Trust, Signer], payload: Any) -> None:
    trust, _ = keys
    for value in (payload, said(CHECKS, {"after": [], "result": payload})):
        opened = unseal(json.dumps(value).encode(), trust)
        assert not opened or not opened.believed
    assert not passes(json.dumps(said(CHECKS, {"after": [], "result": result("passed")})).encode(), trust)


# -- answers of registries

MANIFEST = {
    "schemaVersion": 2, "mediaType": OCI_MANIFEST, "artifactType": CHECKS, "annotations": {"a": "b"},
    "config": {"mediaType": "x", "digest": SUBJECT, "size": 1},
    "layers": [{"mediaType": "x", "digest": SUBJECT, "size": 1}],
    "subject": {"mediaType": "x", "digest": SUBJECT, "size": 1},
}  # fmt: skip
INDEX = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [{**MANIFEST["config"], "artifactType": CHECKS}]}  # type: ignore[dict-item]
header_texts = st.text(st.characters(min_codepoint=32, max_codepoint=255), max_size=30) | st.sampled_from(
    [
        OCI_INDEX, OCI_MANIFEST, "application/json", "text/html", '</v2/lab/app/tags/list?last=a>; rel="next"',
        '<http://[::1/x>; rel="next"', "<>; rel=next", "http://[::1", "//evil.example/x", "file:///etc/passwd",
        'Bearer realm="https://[::1"', 'Bearer realm="http://[::1"', 'Bearer realm="x",service', "Bearer", "Basic",
        'Bearer realm="https://127.0.0.1:99999/token"', 'Bearer realm="https://127.0.0.1:1/x",a="\xe9"', SUBJECT,
    ]
)  # fmt: skip
headers = st.dictionaries(
    st.sampled_from(
        ["Content-Type", "Link", "Location", "Docker-Content-Digest", "WWW-Authenticate", "OCI-Subject", "Retry-After"]
    ),
    header_texts,
    max_size=4,
)
bodies = st.one_of(
    st.binary(max_size=40),
    *(st.builds(lambda one: json.dumps(one).encode(), kind) for kind in (
        odd, spoilt(MANIFEST), spoilt(INDEX), spoilt({"tags": ["a", "b"]}), spoilt({"token": "t"}),
        spoilt({"errors": [{"code": "X", "message": "m", "detail": {}}]}), st.just(MANIFEST), st.just(INDEX),
    )),
)  # fmt: skip
STATUSES = [*[200] * 8, 201, 202, 204, 301, 307, 400, 401, 403, 404, 405, 416, 429, 500]
answers = st.lists(
    st.tuples(st.sampled_from(STATUSES), headers, bodies),
    min_size=1,
    max_size=6,
)  # fmt: skip


class Scripted(Transport):
    """The answers of a script, the last one again and again."""

    def __init__(self, script: list[tuple[int, dict[str, str], bytes]]) -> None:
        super().__init__("127.0.0.1:1", None)
        self._scheme, self._left, self.sent = "http", list(script), 0

    def _send(self, method: str, url: str, **_: Any) -> requests.Response:
        self.sent += 1
        assert self.sent < 200, "it does not end"
        try:
            requests.Request(method, url).prepare()
        except requests.RequestException as error:
            raise self._unreachable(url, error) from error
        status, given_headers, body = self._left.pop(0) if len(self._left) > 1 else self._left[0]
        response = requests.Response()
        response.status_code, response.url, response._content = status, url, body
        response.headers.update(given_headers)
        return response


CALLS: list[Callable[[Repository], Any]] = [
    lambda repo: repo.tags(),
    lambda repo: repo.digest("v1"),
    lambda repo: repo.manifest("v1"),
    lambda repo: repo.blob(SUBJECT),
    lambda repo: repo.referrers(SUBJECT),
    lambda repo: repo.artifact("v1", CHECKS),
    lambda repo: repo.put_artifact("v1", CHECKS, b"x"),
    lambda repo: repo.untag("v1"),
    lambda repo: repo.attach(Descriptor(media_type="x", digest=SUBJECT, size=1), CHECKS, b"x", annotations={}),
    lambda repo: repo.delete_with_attachments(SUBJECT),
    lambda repo: repo.require_push(),
    lambda repo: records.check_results(ImageRecords(repo, SUBJECT)),
    lambda repo: records.promotions(ImageRecords(repo, SUBJECT)),
    lambda repo: (manifest := repo.manifest("v1")) and labels_of(repo, manifest),
    lambda repo: (manifest := repo.manifest("v1")) and read_config(repo, manifest),
    lambda repo: intents.pending([repo], None, NOBODY),  # type: ignore[arg-type]
]


@settings(max_examples=250, deadline=None, suppress_health_check=list(HealthCheck))
@given(script=answers, call=st.sampled_from(CALLS))
def test_any_answer_of_a_registry(script: list[tuple[int, dict[str, str], bytes]], call: Callable[..., Any]) -> None:
    transport = Scripted(script)
    repository = Repository(Reference(host="127.0.0.1:1", name="lab/app"), transport)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("rocmimg.registry.client.time.sleep", lambda _: None)
        ours(lambda: call(repository))
