"""Upstream's own Dockerfile over the same stub base: which commands and arguments differ from those of a cell.

usage: python -m tracing.parity FILE CELL [ARG=VALUE]...

The file stays where it is; nothing of it is kept. A command of it that a recorder does not know goes on all the
same, and is listed: what was not compared is said.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rocmimg.engine import BuildRequest, ContainerSpec, StepFailed, connect
from rocmimg.engine.client import Engine
from rocmimg.plan import ContextFile
from tracing import IMAGES
from tracing.build import Tracer
from tracing.record import Call, calls
from tracing.stub import FOLDER, REPOSITORY, StubBases

LENIENT = f"{REPOSITORY}/upstream"
_PREPARE = """\
import sys
sys.path.insert(0, "/opt/trace/recorder")
from pathlib import Path
from call import LENIENT, provide
import dists
LENIENT.touch()
names = "wget gpg curl git rustc cargo rustup python python3 pip pip3 gcc cmake which add-apt-repository"
names += " update-alternatives"
provide(*names.split())
dists.install("pip", "25.0")
for name in {wheels!r}:
    dists.write_wheel(Path("/"), name.split("-")[0], name.split("-")[1], {{}})
    made = next(Path("/").glob(name.split("-")[0] + "-*.whl"))
    made.rename("/" + name)
"""
_RUN = '["/opt/trace/python3", "/prepare.py"]'
_WHEEL = re.compile(r"^ARG \w+=\"?([\w.+-]+\.whl)\"?", re.MULTILINE)
_HEREDOC = re.compile(r"<<-?['\"]?(?P<word>\w+)['\"]?(?P<rest>[^\n]*)\n(?P<body>.*?)\n(?P=word)\n", re.DOTALL)
_SHORTER = re.compile(r"^(?P<before>ENV .*)\$\{(?P<name>\w+)%-\*\}", re.MULTILINE)
_TELLING = re.compile(
    r"GPU_ARCHS|PYTORCH_ROCM_ARCH|AMDGPU_TARGET|PREBUILD_KERNELS|ENABLE_CK|AITER_(USE|TRITON)_\w+|\w+_FORCE_BUILD|MORI_GPU_ARCHS|BUILD_UMBP"
    r"|CMAKE_ARGS|C(XX)?FLAGS|LDFLAGS|PKG_CONFIG_PATH|USE_ROCM|VLLM_TARGET_DEVICE|SGLANG_BUILD_\w+|SETUPTOOLS_SCM_\w+"
)
"""Variables that say what is compiled, and for which GPU."""
_SAYS_NOTHING = re.compile(
    r"--(quiet|no-cache-dir|no-build-isolation|no-deps|no-index|use-pep517|upgrade|force-reinstall|jobs|parallel|wheel-dir"
    r"|dist-dir|dest|prefix|find-links|no-install-recommends|yes)\b.*|-[qyvUBSj]\S*|/\S*|\.|&&"
)
"""Arguments about how a tool works, not what comes of it, and places."""


@dataclass(frozen=True)
class Side:
    """One image's build: its commands, and the environment that the image is left with."""

    name: str
    calls: tuple[Call, ...]
    env: frozenset[str]

    def topics(self) -> dict[str, set[str]]:
        """Subject -> the commands about it, without what says nothing of the result."""
        topics: dict[str, set[str]] = {"environment": set(self.env)}
        for call in self.calls:
            for topic, line in _lines(call, self.env):
                topics.setdefault(topic, set()).add(line)
        return topics


def main() -> None:
    file, cell, *arguments = sys.argv[1:]
    with connect() as engine:
        print(
            compare(ours(engine, IMAGES, cell), upstream(engine, Path(file), dict(a.split("=", 1) for a in arguments)))
        )


def compare(here: Side, there: Side) -> str:
    """What only one of them has, by subject; - is upstream's."""
    found = [f"- {there.name}: {len(there.calls)} commands", f"+ {here.name}: {len(here.calls)} commands"]
    left, right = there.topics(), here.topics()
    for topic in sorted({*left, *right}):
        theirs, own = left.get(topic, set()), right.get(topic, set())
        found.append(f"\n{topic}: {len(theirs & own)} the same")
        found += [f"  - {line}" for line in sorted(theirs - own)]
        found += [f"  + {line}" for line in sorted(own - theirs)]
    if unknown := sorted({" ".join(call.argv)[:160] for call in there.calls if call.facts.get("refused")}):
        found += ["\nnot compared, for the recorders do not know them:", *(f"  {line}" for line in unknown)]
    return "\n".join(found)


def ours(engine: Engine, matrix: Path, cell: str) -> Side:
    """A cell of ours."""
    tracer = Tracer(engine, StubBases(engine), matrix)
    try:
        built = tracer.build(cell)
        return Side(name=cell, calls=tuple(built.trace), env=_environment(built.image.env))
    finally:
        tracer.close()


@contextmanager
def lenient_bases(engine: Engine, text: str) -> Iterator[dict[str, str]]:
    """The production bases that a Dockerfile names -> stub bases in which a step goes on after an unknown command."""
    stubs = StubBases(engine)
    made: dict[str, str] = {}
    bases: dict[str, str] = json.loads((FOLDER / "data/profiles.json").read_text())["bases"]
    prepare = _PREPARE.format(wheels=_WHEEL.findall(text))
    try:
        for base, profile in bases.items():
            if base in text:
                made[base] = f"{LENIENT}:{profile}"
                dockerfile = f"FROM {stubs.reference(base)}\nCOPY prepare.py /\nRUN {_RUN}\n"
                context = (ContextFile(path="prepare.py", data=prepare.encode()),)
                engine.build(
                    BuildRequest(dockerfile=dockerfile, context=context, tags=(made[base],)), lambda _event: None
                )
        yield made
    finally:
        for reference in made.values():
            engine.remove(reference, force=True)


def portable(text: str, arguments: Mapping[str, str]) -> tuple[str, list[ContextFile]]:
    """The same Dockerfile for engines of before here-documents, which may not let a step raise a limit."""
    text = re.sub(r"\bulimit -\w \d+ && ", "", text)
    return _without_heredocs(_SHORTER.sub(lambda m: _shorter(m, arguments), text))


def upstream(engine: Engine, file: Path, arguments: dict[str, str]) -> Side:
    """Another Dockerfile, built with these arguments."""
    text = file.read_text()
    built = f"{LENIENT}:built"
    try:
        with lenient_bases(engine, text) as bases:
            for base, reference in bases.items():
                text = text.replace(base, reference)
            text, scripts = portable(text, arguments)
            request = BuildRequest(
                dockerfile=text,
                context=(ContextFile(path="empty", data=b""), *scripts),
                tags=(built,),
                build_args=arguments,
                network_mode="none",
            )
            image = engine.image(engine.build(request, lambda _event: None).image_id)
        assert image is not None
        lines: list[str] = []
        with engine.run(ContainerSpec(image=image.id, user="root", env={"PATH": "/opt/trace:/usr/bin"})) as container:
            for member, content in container.archive("/opt/trace/log"):
                lines += content.read().decode().splitlines() if member.isreg() else []
        name = " ".join([file.name, *(f"{key}={value}" for key, value in arguments.items())])
        return Side(name=name, calls=calls("upstream", lines), env=_environment(image.env))
    finally:
        engine.remove(built, force=True)


def _shorter(match: re.Match[str], arguments: Mapping[str, str]) -> str:
    """``${NAME%-*}`` of an ENV, which older engines do not know."""
    value = arguments.get(match["name"], "")
    return f"{match['before']}{value.rpartition('-')[0] or value}"


def _without_heredocs(text: str) -> tuple[str, list[ContextFile]]:
    """The same Dockerfile for engines that do not know here-documents: each is a file that the step reads."""
    scripts: list[ContextFile] = []
    while found := _HEREDOC.search(text):
        name = f"heredoc-{len(scripts)}"
        scripts.append(ContextFile(path=name, data=f"{found['body']}\n".encode()))
        start = text.rindex("\nRUN", 0, found.start()) + 1
        text = (
            f"{text[:start]}COPY {name} /heredocs/{name}\n{text[start : found.start()]}< /heredocs/{name}"
            f"{found['rest']}\n{text[found.end() :]}"
        )
    return text, scripts


def _environment(env: Mapping[str, str]) -> frozenset[str]:
    return frozenset(f"{name}={value}" for name, value in env.items() if name not in ("PATH", "DEBIAN_FRONTEND"))


def _lines(call: Call, image_env: frozenset[str]) -> Iterator[tuple[str, str]]:
    if call.tool == "apt":
        if call.facts.get("verb") == "install":
            yield from (("Debian packages", str(name)) for name in call.facts["packages"])
    elif call.tool == "pip" and call.facts.get("verb") in ("install", "download", "wheel") and not _local(call):
        words = map(str, call.facts.get("requirements", ()))
        yield from (("Python packages", _package(word)) for word in words if "/" not in word.partition("@")[0])
    elif call.tool in ("curl", "wget"):
        yield "downloads", str(call.facts.get("url", ""))
    elif call.tool == "git":
        if call.facts.get("verb") in ("checkout", "cherry-pick", "revert") and call.facts.get("url"):
            what = call.facts.get("head") or " ".join(call.facts.get("commits", ()))
            yield _repository(call.facts["url"]), f"git {call.facts['verb']} {what}"
    elif call.checkout.get("url") and call.tool not in ("sha256sum", "sleep", "python"):
        words = [word for word in call.argv[1:] if not _SAYS_NOTHING.fullmatch(word) and word not in ("-m", "pip")]
        env = [
            f"{name}={' '.join(value.split())}" for name, value in sorted(call.env.items()) if _TELLING.fullmatch(name)
        ]
        told = [word for word in env if word not in image_env and not word.endswith("=")]
        yield (
            _repository(call.checkout["url"]),
            " ".join([*told, *([] if call.tool == "setup.py" else [call.tool]), *words]),
        )


def _package(word: str) -> str:
    """A requirement with its name as PEP 503 has it."""
    name = re.match(r"[\w.-]*[\w]", word)
    return re.sub(r"[-_.]+", "-", name[0]).lower() + word[name.end() :] if name else word


def _local(call: Call) -> bool:
    """Whether pip builds or installs the checkout that it stands in."""
    words = [*call.facts.get("requirements", ()), *call.facts.get("editable", ())]
    return bool(call.checkout.get("url")) and any(str(word).partition("[")[0] in (".", "python") for word in words)


def _repository(url: str) -> str:
    return url.removesuffix(".git").rpartition("/")[2]


if __name__ == "__main__":
    try:
        main()
    except StepFailed as failure:
        raise SystemExit(f"{failure}\n" + "\n".join(failure.log[-20:])) from None
