"""F12: a variable that only an interactive or login shell sees."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from rocmimg.lint.context import LintFile
from rocmimg.lint.model import Evidence, Hit, Level, Rule

_FILES: Final = re.compile(
    r"(/etc/(bash\.bashrc|bashrc|profile|environment)|/etc/profile\.d/.*|.*/\.(bashrc|profile|bash_profile))$"
)
# Of use in an interactive shell only.
_FOR_PEOPLE: Final = frozenset(
    {"PS1", "PS2", "PROMPT_COMMAND", "HISTSIZE", "HISTFILE", "HISTCONTROL", "HISTFILESIZE", "LS_COLORS", "TERM"}
    | {"EDITOR", "PAGER", "LESS", "COLORTERM", "debian_chroot", "force_color_prompt"}
)
_HOME: Final = re.compile(r"/(?:home|users)/([^/]+)/")
_SETTING: Final = re.compile(r"(?:^|\\n|\n)\s*(?:export\s+)?([A-Za-z_]\w*)=")


def _adapted(text: str) -> set[str]:
    """Variables that are given another value only where the session has brought one."""
    return set(re.findall(r"\[\s*-n\s+\"?\$\{?(\w+)", text))


def _of_a_login(file: LintFile, target: str) -> bool:
    """The file of a user whom no USER names: for people who log in."""
    home = _HOME.match(target)
    users = {i.words[0].partition(":")[0] for i in file.dockerfile.instructions if i.keyword == "USER" and i.words}
    return home is not None and home[1] not in users


def check(file: LintFile) -> Iterable[Hit]:
    final = file.final
    read = {word.value for _, command in file.commands(".", "source") for word in command.words[:1]}
    for _, command in file.commands():
        targets = [r.target.value for r in command.redirects if r.operator in {">", ">>"}]
        if command.name == "tee":
            targets += [word.value for word in command.words if not word.value.startswith("-")]
        target = next((t for t in targets if _FILES.match(t) and t not in read), None)
        if target is None:
            continue
        text = command.input or "\n".join(command.values())
        names = [name for name in dict.fromkeys(_SETTING.findall(text)) if name not in _FOR_PEOPLE | _adapted(text)]
        if final is not None:
            known = set.intersection(*(set(file.scopes.env(final, v)) for v in file.scopes.variants_of(final)))
            names = [name for name in names if name not in known]
        if names:
            who = "PAM logins" if target.endswith("/environment") else "interactive or login shells"
            yield Hit(
                start=command.start,
                end=command.end,
                message=f"{', '.join(names)} in {target} reaches {who} only, not `docker run IMAGE command`",
                evidence=Evidence.ASSUMED if _of_a_login(file, target) else Evidence.TEXT,
            )


RULE: Final = Rule(
    id="ROC012",
    failure_class="F12",
    level=Level.WARNING,
    title="a runtime variable is set where only an interactive shell sees it",
    why="docker run IMAGE command, docker exec and Kubernetes start no login shell and read neither file.",
    fix="Use ENV.",
    case="sglang#4630, sglang#13239",
    bad='FROM rocm/pytorch:latest\nRUN echo "export PYTHONPATH=/src/aiter" >> /etc/bash.bashrc\n',
    good="FROM rocm/pytorch:latest\nENV PYTHONPATH=/src/aiter\n",
    check=check,
)
