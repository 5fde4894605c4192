"""The shell inside RUN as a flat list of commands that know their circumstances.

tree-sitter-bash reads the text. Scripts inside scripts (``bash -c '...'``, ``sh <<EOF``, ``xargs sh -c``) are read too,
and every byte keeps its place in the file.
"""

from rocmimg.lint.shell.commands import options
from rocmimg.lint.shell.conditions import holds
from rocmimg.lint.shell.model import Assignment, Command, Condition, Redirect, Script, Word
from rocmimg.lint.shell.reader import Files, Surroundings, read

__all__ = [
    "Assignment",
    "Command",
    "Condition",
    "Files",
    "Redirect",
    "Script",
    "Surroundings",
    "Word",
    "holds",
    "options",
    "read",
]
