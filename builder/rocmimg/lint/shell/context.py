"""The circumstances of a command while a script is read."""

from __future__ import annotations

from dataclasses import dataclass

from tree_sitter import Node

from rocmimg.lint.shell.heredocs import Heredoc
from rocmimg.lint.shell.model import Condition, Redirect


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What holds around a node of the tree."""

    final: bool = True
    """The status of this command is the status of the script."""
    lost: str = ""
    condition: bool = False
    guards: tuple[Condition, ...] = ()
    loop: bool = False
    redirects: tuple[Redirect, ...] = ()
    tail: tuple[Redirect, ...] = ()
    """Redirects of the last command only: the grammar hangs those of ``a && b > f`` on the whole list."""
    behind: tuple[Node, ...] = ()
    """Words of the last command that stand behind a redirect: the grammar takes them for more targets of it."""
    piped: Heredoc | None = None
    """The here-document that the command before it in a pipeline copies to its input."""
    piped_text: str = ""
    pipeline: int = 0
    position: int = 0
    left: bool = False
    """Left of && or ||: errexit does not look at it."""
