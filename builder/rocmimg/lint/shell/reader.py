"""The shell inside RUN as a flat list of commands that know their circumstances.

tree-sitter-bash reads the text. Scripts inside scripts (``bash -c '...'``, ``sh <<EOF``, ``xargs sh -c``) are read too,
and every byte keeps its place in the file.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from typing import Final

from tree_sitter import Language, Node, Parser

from rocmimg.lint.expand import Lookup
from rocmimg.lint.shell.commands import State, effects, follow, inner_script, options, reads_script, script_file
from rocmimg.lint.shell.conditions import branches, condition, conjunction
from rocmimg.lint.shell.context import Context
from rocmimg.lint.shell.heredocs import Heredoc, find, take_out
from rocmimg.lint.shell.model import UNKNOWN, Assignment, Command, Condition, Redirect, Script
from rocmimg.lint.shell.nodes import errors, is_no_op
from rocmimg.lint.shell.words import Words
from rocmimg.lint.syntax import SHELLS
from rocmimg.lint.text import MappedText

MAX_DEPTH: Final = 120
_MAX_NESTING: Final = 6
_SUBSTITUTION: Final = re.compile(rb"\$\(|`|[<>]\(")
_EXTGLOB: Final = re.compile(rb"[?*+@!]\([^()\s'\"$]*\)")
_ERREXIT: Final = re.compile(rb"\bset +(?:-\w*e|.*-o +errexit)")
_HANDLERS: Final = {
    "ERROR": "_unchecked",
    "c_style_for_statement": "_loop",
    "case_statement": "_branches",
    "command": "_command",
    "compound_statement": "_group",
    "do_group": "_group",
    "for_statement": "_loop",
    "function_definition": "_function",
    "if_statement": "_branches",
    "list": "_list",
    "negated_command": "_unchecked",
    "pipeline": "_pipeline",
    "program": "_group",
    "redirected_statement": "_redirected",
    "subshell": "_subshell",
    "while_statement": "_loop",
}


@cache
def _parser() -> Parser:
    import tree_sitter_bash

    return Parser(Language(tree_sitter_bash.language()))


Files = Callable[[str, str | None], tuple[MappedText, tuple[str, ...]] | None]
"""The script at a path of the image, seen from a directory, with its interpreter."""


def _unknown(_: str) -> str | None:
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What a script finds when it starts: files of the image, variables of its environment."""

    files: Files | None = None
    variables: Lookup = _unknown


def read(
    text: MappedText, *, interpreter: tuple[str, ...], cwd: str | None, around: Surroundings = Surroundings()
) -> Script:
    """Read a script; `interpreter` is the shell with its options (``/bin/bash -o pipefail -c``)."""
    script = Script()
    _Reader(script, around, nesting=0, depth=0).run(text, interpreter, State(cwd))
    return script


def _targets(node: Node) -> list[Node]:
    """The target of a redirect, and the words behind it, which the grammar takes for more of them."""
    return node.children_by_field_name("destination") if node.type == "file_redirect" else []


def _decides(guard: Condition) -> bool:
    """Whether known values can ever tell what a condition comes to."""
    return guard.kind in {"test", "case"} or any(map(_decides, guard.parts))


class _Reader:
    def __init__(self, script: Script, around: Surroundings, *, nesting: int, depth: int) -> None:
        self.script = script
        self.around = around
        self.heredocs: tuple[Heredoc, ...] = ()
        self.conditions: dict[int, Condition] = {}
        self.nesting = nesting
        self.depth = depth
        self.text = MappedText.of(b"", 0)
        self.words = Words(self.text)

    def run(self, text: MappedText, shell: tuple[str, ...], state: State, *, context: Context | None = None) -> None:
        self.script.texts.append((text, shell))
        self.text, self.heredocs = take_out(text)
        self.words = Words(self.text)
        errexit, pipefail = options(shell[1:])
        state.errexit |= errexit
        state.pipefail |= pipefail
        tree = _parser().parse(self.text.data)
        if tree.root_node.has_error and _EXTGLOB.search(self.text.data):
            # The grammar does not know these patterns inside a word.
            tree = _parser().parse(_EXTGLOB.sub(lambda match: b"x" * len(match[0]), self.text.data))
        for node, what in errors(tree.root_node):
            self.script.errors.append((self.text.origin(node.start_byte), self.text.origin(node.end_byte), what))
        self._sequence(tree.root_node.named_children, state, context or Context())

    # -- structure ---------------------------------------------------------------------------------------------------

    def _sequence(self, nodes: list[Node], state: State, context: Context) -> None:
        live = [node for node in nodes if node.type != "comment"]
        before = replace(context, final=False) if len(live) > 1 and context.final else context
        for node in live[:-1]:
            self._node(node, state, before)
        if live:
            self._node(live[-1], state, context)

    def _node(self, node: Node, state: State, context: Context) -> None:
        if self.depth > MAX_DEPTH:
            return
        self.depth += 1
        if context.tail and node.type not in {"list", "pipeline", "redirected_statement"}:
            context = replace(context, redirects=(*context.redirects, *context.tail), tail=())
        if context.behind and node.type not in {"list", "pipeline", "redirected_statement", "command"}:
            context = replace(context, behind=())
        if node.type == "declaration_command":
            exported = bool(node.children) and (node.children[0].text or b"") in {b"export", b"declare", b"typeset"}
            self._assignments(node, state, context, exported=exported)
        elif node.type in {"variable_assignment", "variable_assignments"}:
            self._assignments(node, state, context, exported=False)
        else:
            getattr(self, _HANDLERS.get(node.type, "_substitutions"))(node, state, context)
        self.depth -= 1

    def _list(self, node: Node, state: State, context: Context, last: Callable[[Context], None] | None = None) -> None:
        """``a && b``; `last` reads b where more belongs to it than this node shows."""
        left, right = node.named_children[0], node.named_children[-1]
        operator = next((child.type for child in node.children if child.type in {"&&", "||"}), "&&")
        if operator == "&&":
            before = replace(context, left=True, tail=(), behind=())
        elif is_no_op(right):
            before = replace(context, lost=context.lost or "true", left=True, tail=(), behind=())
        else:
            before = replace(context, condition=True, left=True, tail=(), behind=())
        self._node(left, state, before)
        if right is left:
            return
        guard = self._condition(left)
        if operator == "&&":
            self.conditions[node.id] = conjunction(guard, self._condition(right))
        else:
            guard = Condition(kind="not", parts=(guard,))
        if _decides(guard):
            context = replace(context, guards=(*context.guards, guard))
        if last is not None:
            last(context)
        else:
            self._node(right, state, context)

    def _condition(self, node: Node) -> Condition:
        return self.conditions.get(node.id, UNKNOWN) if node.type == "list" else condition(node, self.words)

    def _pipeline(self, node: Node, state: State, context: Context) -> None:
        first, *others = (child for child in node.named_children if child.type != "comment")
        inner = first.named_children[0] if first.type == "redirected_statement" and first.named_children else first
        if inner.type != "list":
            self._members([first, *others], state, context, first=Context())
            return
        # The grammar takes ``a && b 2>&1 | c`` for ``{ a && b; } 2>&1 | c``: only b is in the pipe.
        piped = Context(tail=tuple(self._redirects(first)), behind=self._behind(first))

        def last(around: Context) -> None:
            self._members([inner.named_children[-1], *others], state, around, first=piped)

        self._list(inner, state, context, last)

    def _members(self, members: list[Node], state: State, context: Context, *, first: Context) -> None:
        """The members of a pipeline; `first` has what the first one of them has behind it."""
        self.script.pipelines += 1
        number = self.script.pipelines
        piped: Heredoc | None = None
        text = ""
        for index, child in enumerate(members):
            inner = replace(context, pipeline=number, position=index, piped=piped, piped_text=text)
            if index < len(members) - 1:
                inner = replace(inner, tail=first.tail if not index else (), behind=first.behind if not index else ())
                if not state.pipefail:
                    inner = replace(inner, lost=context.lost or "pipe")
            before = len(self.script.commands)
            self._node(child, replace(state, variables=dict(state.variables)), inner)
            piped, text = self._output(self.script.commands[before:])

    def _output(self, commands: list[Command]) -> tuple[Heredoc | None, str]:
        """What is known of the output of a member of a pipeline."""
        if len(commands) != 1:
            return None, ""
        command = commands[0]
        if command.name == "cat" and not command.words:
            return self._heredoc(list(command.redirects)), command.input
        return None, "\n".join(command.values()) if command.name in {"echo", "printf"} else ""

    def _redirected(self, node: Node, state: State, context: Context) -> None:
        redirects = (*context.tail, *self._redirects(node))
        behind = (*self._behind(node), *context.behind)
        for child in node.named_children:
            if child.type == "herestring_redirect":
                self._substitutions(child, state, context)
            elif not child.type.endswith("_redirect"):
                self._node(child, state, replace(context, tail=redirects, behind=behind))

    def _behind(self, node: Node) -> tuple[Node, ...]:
        return tuple(word for child in node.named_children for word in _targets(child)[1:])

    def _redirects(self, node: Node) -> list[Redirect]:
        found: list[Redirect] = []
        for child in node.named_children:
            if targets := _targets(child):
                operator = next((part.type for part in child.children if not part.is_named), ">")
                found.append(Redirect(operator=operator, target=self.words.word(targets[0])))
        return found

    def _branches(self, node: Node, state: State, context: Context) -> None:
        for branch in branches(node, self.words):
            for test in branch.tests:
                self._node(test, state, replace(context, condition=True))
            before = state.cwd
            self._sequence(branch.body, state, replace(context, guards=(*context.guards, *branch.guards)))
            state.cwd = before

    def _loop(self, node: Node, state: State, context: Context) -> None:
        for child in node.named_children:
            if child.type in {"do_group", "compound_statement"}:
                self._sequence(child.named_children, state, replace(context, loop=True))
            elif node.type == "while_statement":
                self._node(child, state, replace(context, condition=True, loop=True))
            else:
                self._substitutions(child, state, context)

    def _subshell(self, node: Node, state: State, context: Context) -> None:
        self._sequence(node.named_children, replace(state, variables=dict(state.variables)), context)

    def _group(self, node: Node, state: State, context: Context) -> None:
        self._sequence(node.named_children, state, context)

    def _unchecked(self, node: Node, state: State, context: Context) -> None:
        """After ``!``, and where the grammar lost its way: the status says nothing."""
        self._sequence(node.named_children, state, replace(context, condition=True))

    def _function(self, node: Node, state: State, context: Context) -> None:
        # Called when the script has set its options, wherever in it they stand (often in `main`).
        errexit = state.errexit or _ERREXIT.search(self.text.data) is not None
        inner = replace(state, errexit=errexit, pipefail=state.pipefail or b"o pipefail" in self.text.data)
        for child in node.named_children:
            if child.type in {"compound_statement", "subshell"}:
                self._subshell(child, inner, replace(context, final=True))

    def _assignments(self, node: Node, state: State, context: Context, *, exported: bool) -> None:
        nodes = [node] if node.type == "variable_assignment" else node.named_children
        for child in nodes:
            if child.type == "variable_assignment":
                assignment = self.words.assignment(child, exported=exported, guards=context.guards)
                self.script.assignments.append(assignment)
                state.variables[assignment.name] = self._array(child) or assignment.value.value
            self._substitutions(child, state, context)

    def _array(self, node: Node) -> str:
        value = node.child_by_field_name("value")
        if value is None or value.type != "array":
            return ""
        return " ".join(self.words.word(child).value for child in value.named_children)

    def _substitutions(self, node: Node, state: State, context: Context) -> None:
        """Commands inside ``$(...)`` and ``<(...)`` anywhere below a node."""
        if not node.named_child_count or not _SUBSTITUTION.search(node.text or b""):
            return
        stack = [(node, self.depth)]
        while stack:
            current, depth = stack.pop()
            if depth > MAX_DEPTH:
                continue
            if current.type in {"command_substitution", "process_substitution"}:
                inner = replace(
                    context,
                    condition=True,
                    redirects=(),
                    tail=(),
                    behind=(),
                    pipeline=0,
                    position=0,
                    piped=None,
                    piped_text="",
                    lost="",
                )
                inner_state = replace(state, variables=dict(state.variables))
                outer, self.depth = self.depth, depth + 1
                self._sequence(current.named_children, inner_state, inner)
                self.depth = outer
                continue
            if current.named_child_count:
                stack.extend((child, depth + 1) for child in reversed(current.named_children))

    # -- commands ----------------------------------------------------------------------------------------------------

    def _command(self, node: Node, state: State, context: Context) -> None:
        name_node = node.child_by_field_name("name")
        assignments: list[Assignment] = []
        nodes: list[Node] = []
        redirects = [*context.redirects, *self._redirects(node)]
        for child in node.named_children:
            if child.type == "variable_assignment":
                assignments.append(self.words.assignment(child, exported=True, guards=context.guards))
            elif child.type not in {"command_name", "file_redirect", "herestring_redirect"}:
                nodes.append(child)
            self._substitutions(child, state, context)
        for child in context.behind:
            nodes.append(child)
            self._substitutions(child, state, context)

        def lookup(variable: str) -> str | None:
            return state.variables.get(variable) or self.around.variables(variable)

        pairs = [(word, child) for child in nodes for word in self.words.split(child, lookup)]
        if name_node is not None:
            inner = name_node.named_children[0] if name_node.named_children else name_node
            pairs[:0] = [(word, inner) for word in self.words.split(inner, lookup)]
        words, nodes = [word for word, _ in pairs], [child for _, child in pairs]
        head = words.pop(0) if name_node is not None else None
        if head is not None:
            nodes.pop(0)
        start = self.text.origin(node.start_byte)
        path, name_end, wrapped = follow(head, words, nodes, lookup, assignments)
        heredoc = self._heredoc(redirects)
        lost = context.lost
        if not lost and not context.condition and not context.final:
            if not state.errexit:
                lost = "sequence"
            elif context.left:
                lost = "and-list"
        if context.condition:
            lost = context.lost if context.lost == "true" else ""
        command = Command(
            name=posixpath.basename(path),
            path=path,
            words=tuple(words),
            assignments=tuple(assignments),
            redirects=tuple(redirects),
            start=start,
            end=self.text.origin(node.end_byte),
            name_end=name_end,
            cwd=state.cwd,
            lost=lost,
            pipeline=context.pipeline,
            position=context.position,
            guards=context.guards,
            loop=context.loop,
            condition=context.condition,
            wrapped=tuple(wrapped),
            input=heredoc.body.data.decode(errors="replace") if heredoc is not None else context.piped_text,
        )
        self.script.commands.append(command)
        effects(command, state)
        self._scripts(command, nodes, heredoc, state, context)

    def _heredoc(self, redirects: list[Redirect]) -> Heredoc | None:
        found = (find(redirect.target.value, self.heredocs) for redirect in redirects if redirect.operator == "<")
        return next((heredoc for heredoc in found if heredoc is not None), None)

    def _scripts(
        self, command: Command, nodes: list[Node], heredoc: Heredoc | None, state: State, context: Context
    ) -> None:
        """Scripts that a command runs: in its arguments, on its input, in a file of the context."""
        inner = inner_script(command, nodes)
        if inner is not None:
            self._nested(self.words.script(inner[0]), inner[1], state, context)
        elif heredoc is None and command.position and context.piped is not None:
            heredoc = context.piped
        if inner is None and heredoc is not None and (shell := reads_script(command)):
            self._nested(heredoc.body, shell, state, context)
        elif inner is None and self.around.files is not None and (path := script_file(command)) is not None:
            text = self.around.files(path, state.cwd)
            if text is not None:
                options = tuple(value for value in command.values() if value[:1] in "-+")
                self._nested(text[0], (*text[1], *(options if command.name in SHELLS else ())), state, context)

    def _nested(self, text: MappedText, shell: tuple[str, ...], state: State, context: Context) -> None:
        if self.nesting >= _MAX_NESTING:
            return
        reader = _Reader(self.script, self.around, nesting=self.nesting + 1, depth=self.depth)
        inner = State(state.cwd)
        # What the outer shell does with the status of the whole script holds for its last command only.
        outer = Context(
            guards=context.guards,
            loop=context.loop,
            lost=context.lost,
            condition=context.condition,
            final=context.final or state.errexit,
        )
        reader.run(text, shell, inner, context=outer)
