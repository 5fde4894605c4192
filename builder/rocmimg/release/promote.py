"""Give proven candidates their public names: all cells of a release, or none."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rocmimg.errors import GateRefused, RegistryError, RocmimgError, TagTaken
from rocmimg.plan import ImagePlan, make_plan
from rocmimg.registry import parse
from rocmimg.registry.client import Registries, Repository
from rocmimg.release import records
from rocmimg.release.candidates import Candidate, newest_fitting, public_reference, repository_of
from rocmimg.release.copy import copy_image
from rocmimg.release.gate import Verdict, evaluate, may_pass
from rocmimg.release.intent import RecordToAttach, new_id, new_intent
from rocmimg.release.policy import Policy, policies
from rocmimg.release.provenance import unproven_origin
from rocmimg.release.records import CHECKS, Checked, ImageRecords, Promotion
from rocmimg.release.retag import TagUpdate
from rocmimg.release.signing import Trust, signing_key
from rocmimg.release.transaction import AT_ONCE, Transaction, settle

if TYPE_CHECKING:
    from securesystemslib.signer import Signer

    from rocmimg.matrix import Matrix


@dataclass(frozen=True, slots=True, kw_only=True)
class Ready:
    """One cell that may be promoted, and what that would change."""

    image: ImagePlan
    candidate: Candidate
    public: Repository
    verdicts: tuple[Verdict, ...]
    results: tuple[str, ...]
    """Attached results that the gate looked at."""
    tags: tuple[TagUpdate, ...]
    """Immutable tags that do not exist yet."""
    aliases: tuple[TagUpdate, ...]
    """Aliases that name something else."""

    def as_json(self) -> dict[str, Any]:
        return {
            "id": self.image.id,
            "digest": self.candidate.digest,
            "candidate": f"{self.candidate.repository}:{self.candidate.tag}",
            "tags": [str(update) for update in self.tags],
            "aliases": {str(update): update.before for update in self.aliases},
            "tiers": {verdict.tier: str(verdict) for verdict in self.verdicts},
        }


class Release:
    """The cells that are promoted or rolled back together."""

    def __init__(
        self,
        images: Sequence[ImagePlan],
        policies: Mapping[str, Policy],
        registries: Registries,
        say: Callable[[str], None],
    ) -> None:
        self.images = images
        self.policies = policies
        self.registries = registries
        self.say = say
        self.trust = Trust({name: key for one in policies.values() for name, key in one.trust.keys.items()})

    @property
    def repositories(self) -> list[Repository]:
        """Where the public names are."""
        return [self.registries.repository(public_reference(image)) for image in self.images]

    def signer(self) -> Signer | None:
        """The key for what is written.

        Raises:
            SigningError: signatures are wanted, and the key is missing or unknown.
        """
        signer = signing_key(self.trust)
        for policy in self.policies.values():
            policy.trust.require(signer)
        return signer

    def settle(self, *, undo_promotions: bool = False) -> bool:
        """Finish or undo what others left unfinished; whether a promotion was undone."""
        self.require_push()
        settled = settle(
            self.repositories, self.registries, self.signer(), self.trust, self.say, undo_promotions=undo_promotions
        )
        return undo_promotions and any(one.kind == "promotion" for one in settled)

    def require_push(self) -> None:
        """Raise RegistryDenied now where a later write would."""
        for repository in {str(one): one for one in self.repositories}.values():
            repository.require_push()

    def record(self, repository: Repository, digest: str, record: Promotion, signer: Signer | None) -> RecordToAttach:
        """A record of this release, as it is going to be attached."""
        known = ImageRecords(repository, digest, self.trust)
        data = known.sealed(records.PROMOTION, record.as_json(), signer).decode()
        return RecordToAttach(repository=str(repository), digest=digest, data=data)


def open_release(matrix: Matrix, cells: Sequence[str], say: Callable[[str], None], *, suite: bool = True) -> Release:
    """The release of these cells; ``say`` is told of what takes a while.

    Raises:
        ConfigError, TemplateError, SourceError: see :func:`~rocmimg.plan.make_plan` and
            :func:`~rocmimg.release.policy.policies`.
    """
    plan = make_plan(matrix, cells)
    return Release([plan[cell] for cell in cells], policies(matrix, cells, suite=suite), Registries(), say)


def prepare(release: Release, overrides: Mapping[str, str]) -> list[Ready]:
    """Everything that can refuse a promotion, looked at before anything is written.

    ``overrides`` (tier -> reason) stand for proofs that are missing.

    Raises:
        GateRefused: a cell has no fitting candidate, or that lacks proofs; every such cell is named.
        TagTaken: an immutable tag names another image.
        RegistryDenied: these credentials may not write.
        RegistryError: the registry does not answer.
    """
    with ThreadPoolExecutor(AT_ONCE) as pool:
        outcomes = list(pool.map(lambda image: _attempt(image, release, overrides), release.images))
    errors = [outcome for outcome in outcomes if isinstance(outcome, RocmimgError)]
    if len(errors) == 1:
        raise errors[0]
    if errors:
        kinds = {type(error) for error in errors}
        kind = kinds.pop() if len(kinds) == 1 else GateRefused
        raise kind(
            f"{len(errors)} of {len(release.images)} cells cannot be promoted, so none is",
            why="\n  " + "\n  ".join(map(str, errors)),
        )
    release.require_push()
    return [outcome for outcome in outcomes if isinstance(outcome, Ready)]


def promote(release: Release, ready: Sequence[Ready], overrides: Mapping[str, str]) -> None:
    """Announce it, copy manifests inside the registry, attach the records, set immutable tags, move the aliases last.

    Raises:
        RegistryError: something could not be written, or another promotion is under way; the message says what the
            names are now.
    """
    moving = [cell for cell in ready if cell.tags or cell.aliases]
    if not moving:
        return
    signer, transaction_id = release.signer(), new_id()
    with ThreadPoolExecutor(AT_ONCE) as pool:
        attach = list(
            pool.map(
                lambda cell: release.record(
                    cell.public, cell.candidate.digest, _record(cell, overrides, transaction_id), signer
                ),
                moving,
            )
        )
    updates = [one for cell in moving for one in cell.tags] + [one for cell in moving for one in cell.aliases]
    intent = new_intent("promotion", [cell.image.id for cell in moving], updates, attach, transaction_id)
    transaction = Transaction(release.registries, intent, signer, release.trust)
    transaction.begin()
    try:
        for cell in moving:  # one by one: docker-registry loses a layer that is mounted twice at once
            _take_over(cell)
    except BaseException:
        transaction.drop()
        raise
    transaction.run()


def verdicts_of(policy: Policy, known: ImageRecords, plan: str, overrides: Mapping[str, str]) -> list[Verdict]:
    """What is proven of an image: where it comes from, and each tier."""
    return _verdicts(policy, known, plan, overrides)[0]


def _verdicts(
    policy: Policy, known: ImageRecords, plan: str, overrides: Mapping[str, str]
) -> tuple[list[Verdict], list[Checked]]:
    results = records.check_results(known)
    notes = known.not_believed(CHECKS)
    verdicts = evaluate(policy.demand(plan), results, overrides, notes=notes)
    if lost := known.lost(CHECKS, results):
        why = f"results that were attached before are gone: {', '.join(sorted(lost))}"
        reason = overrides.get("results")
        verdicts.append(Verdict(tier="results", state="overridden" if reason else "missing", reasons=(reason or why,)))
    if not policy.prebuilt and (why := unproven_origin(known, policy.cell, plan)):
        verdicts.append(Verdict(tier="origin", state="failed", reasons=(why,)))
    return verdicts, results


def _attempt(image: ImagePlan, release: Release, overrides: Mapping[str, str]) -> Ready | RocmimgError:
    try:
        return _ready(image, release, overrides)
    except RocmimgError as error:
        return error


def _ready(image: ImagePlan, release: Release, overrides: Mapping[str, str]) -> Ready:
    repository = repository_of(image, release.registries)
    public = release.registries.repository(public_reference(image))
    if public.reference.host != repository.reference.host:
        raise RegistryError(
            f"candidates of {image.id} are in another registry than its public names",
            why="a promotion copies inside one registry, where no layer has to move",
            next_step=f"put release.candidate_repository into {public.reference.host}",
            position=image.cell.position("release", "candidate_repository"),
        )
    policy = release.policies[image.id]
    candidate = newest_fitting(image, repository)
    known = ImageRecords(repository, candidate.digest, policy.trust)
    verdicts, results = _verdicts(policy, known, candidate.plan(image), overrides)
    if not may_pass(verdicts):
        raise _refused(image, candidate, [one for one in verdicts if one.state in ("failed", "missing")])
    return Ready(
        image=image,
        candidate=candidate,
        public=public,
        verdicts=tuple(verdicts),
        results=tuple(one.digest for one in results),
        tags=tuple(_immutable(image, public, candidate.digest)),
        aliases=tuple(_moving(image, public, candidate.digest)),
    )


def _refused(image: ImagePlan, candidate: Candidate, bad: Sequence[Verdict]) -> GateRefused:
    missing = [verdict.tier for verdict in bad if verdict.state == "missing"]
    lowered = set(missing) - set(image.cell.config.release.required_tiers) - {"results"}
    return GateRefused(
        f"{image.id} is not proven: {candidate.digest}",
        why="; ".join(
            [
                *map(str, bad),
                *([f"{', '.join(sorted(lowered))}: required by the file, whatever --set says"] * bool(lowered)),
            ]
        ),
        next_step="fix it, build and check again"
        if len(missing) < len(bad)
        else f"run `rocmimg test` where that can be proven and `rocmimg push --results {image.id}`, or pass "
        + " ".join(f"--override {tier}=REASON" for tier in missing),
    )


def _immutable(image: ImagePlan, public: Repository, digest: str) -> list[TagUpdate]:
    updates = []
    for name in image.cell.tags:
        tag = parse(name).tag
        found = public.digest(tag)
        if found is None:
            updates.append(TagUpdate(repository=str(public), tag=tag, kind="tag", before="", after=digest))
        elif found != digest:
            raise TagTaken(
                f"{name} exists and names another image",
                why=f"it is {found}, the candidate is {digest}",
                next_step="give the release a new `version`: tags that are no aliases are never overwritten",
                position=image.cell.position("version"),
            )
    return updates


def _moving(image: ImagePlan, public: Repository, digest: str) -> list[TagUpdate]:
    updates = []
    for name in image.cell.aliases:
        tag = parse(name).tag
        before = public.digest(tag) or ""
        if before != digest:
            updates.append(TagUpdate(repository=str(public), tag=tag, kind="alias", before=before, after=digest))
    return updates


def _record(cell: Ready, overrides: Mapping[str, str], transaction_id: str) -> Promotion:
    return Promotion(
        kind="promotion",
        cell=cell.image.id,
        version=cell.image.cell.config.version,
        when=records.now(),
        who=records.actor(),
        tags=tuple(str(update) for update in cell.tags),
        aliases={str(update): update.before for update in cell.aliases},
        tiers={verdict.tier: str(verdict) for verdict in cell.verdicts},
        overrides={v.tier: overrides[v.tier] for v in cell.verdicts if v.state == "overridden"},
        requires=tuple(verdict.tier for verdict in cell.verdicts),
        results=cell.results,
        transaction=transaction_id,
    )


def _take_over(cell: Ready) -> None:
    """Bring manifest, layers and proofs into the public repository; nothing is downloaded but the proofs."""
    source, target = cell.candidate.repository, cell.public
    if source.reference == target.reference:
        return
    manifest = cell.candidate.manifest
    copy_image(manifest, source, target)
    known = {entry.digest for entry in target.referrers(manifest.digest)}
    for entry in source.referrers(manifest.digest):
        if entry.digest not in known and entry.artifact_type not in (records.PROMOTION, records.OUTCOME):
            target.copy_attached(entry, manifest.descriptor, source)
