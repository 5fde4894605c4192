"""Uses of a package in one file of a framework, with when each runs and what guards it.

Statements are followed in order with the names they bind, branch by branch; bodies of functions come after their
module, because that is when they run. Nothing is imported and nothing is executed.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Final

from rocmimg.contract.expressions import MENTIONS_GLOBALS, TOO_DEEP, dotted, ends, parse, raises, text_of
from rocmimg.contract.model import FileUses, Handler, Probe, Try
from rocmimg.contract.scope import TESTS, TEXT, UNKNOWN, Names, Values, belongs, targets
from rocmimg.contract.usage import ExpressionScanner, Here

_IMPORT_ERRORS: Final = frozenset({"ImportError", "ModuleNotFoundError"})
_TYPING_ONLY: Final = ("TYPE_CHECKING", "typing.TYPE_CHECKING")


def read_uses(content: bytes, package: str) -> FileUses:
    """All uses of a package in a file. A file that does not parse gives ``error``."""
    tree, error, line = parse(content)
    if tree is None:
        return FileUses(error=error, error_line=line)
    scanner = _Scanner(package, tests=TESTS.search(content) is not None)
    try:
        scanner.module(tree, has_globals=MENTIONS_GLOBALS.search(content) is not None)
    except RecursionError:
        return FileUses(error=TOO_DEEP)
    return FileUses(uses=tuple(scanner.uses), tries=tuple(scanner.tries))


class _Scanner(ExpressionScanner):
    def __init__(self, package: str, *, tests: bool) -> None:
        super().__init__(package, tests=tests)
        self.tries: list[Try] = []
        self.texts_only = False
        """True where annotations are never evaluated."""

    def module(self, tree: ast.Module, *, has_globals: bool) -> None:
        """Follow a module, then the bodies of its functions."""
        self.texts_only = any(
            isinstance(s, ast.ImportFrom) and s.module == "__future__" and any(a.name == "annotations" for a in s.names)
            for s in tree.body
        )
        names = Names(self._made_global(tree) if has_globals else {})
        self.block(tree.body, names, Here())
        while self.later:
            function, enclosing, here = self.later.pop(0)
            inside = enclosing.for_later()
            inside.update(dict.fromkeys(_arguments(function.args), UNKNOWN))
            if isinstance(function, ast.Lambda):
                self.expression(function.body, inside, here)
            else:
                self.block(function.body, inside, here)

    def _made_global(self, tree: ast.Module) -> dict[str, Values]:
        """Names that functions import into the module through ``global``."""
        found: dict[str, Values] = {}
        for function in ast.walk(tree):
            if not isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
                continue
            declared = {name for n in ast.walk(function) if isinstance(n, ast.Global) for name in n.names}
            if declared:
                for node in ast.walk(function):
                    if isinstance(node, ast.Import | ast.ImportFrom):
                        bound = self._bound_by(node)
                        found |= {name: values for name, values in bound.items() if name in declared}
        return found

    def _bound_by(self, node: ast.Import | ast.ImportFrom) -> dict[str, Values]:
        bound: dict[str, Values] = {}
        for alias in node.names:
            if isinstance(node, ast.Import):
                root = alias.name.partition(".")[0]
                module = alias.name if alias.asname else root
                bound[alias.asname or root] = frozenset({module}) if belongs(module, self.package) else UNKNOWN
            elif alias.name != "*":
                ours = self._is_ours(node)
                bound[alias.asname or alias.name] = frozenset({f"{node.module}.{alias.name}"}) if ours else UNKNOWN
        return bound

    # Statements

    def block(self, body: Sequence[ast.stmt], names: Names, here: Here) -> None:
        for statement in body:
            here = self.statement(statement, names, here)

    def statement(self, node: ast.stmt, names: Names, here: Here) -> Here:  # noqa: PLR0912 - one case a statement
        """Follow one statement; the answer is where the next one stands (an early return may have probed)."""
        match node:
            case ast.Import() | ast.ImportFrom():
                self._import(node, names, here)
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                self._function(node, names, here)
            case ast.ClassDef():
                for outer in [*node.bases, *node.decorator_list, *(k.value for k in node.keywords)]:
                    self.expression(outer, names, here)
                self.block(node.body, names.branch(), replace(here, scope=_inside(here.scope, node.name)))
                names[node.name] = UNKNOWN
            case ast.If():
                return self._if(node, names, here)
            case ast.Try() | ast.TryStar():
                self._try(node, names, here)
            case ast.With() | ast.AsyncWith():
                self._with(node, names, here)
            case ast.For() | ast.AsyncFor() | ast.While():
                self._loop(node, names, here)
            case ast.Match():
                self.expression(node.subject, names, here)
                branches = [names.branch() for _ in node.cases]
                for case, branch in zip(node.cases, branches, strict=True):
                    self.block(case.body, branch, here)
                names.merge(names, *branches)
            case ast.Assign() | ast.AnnAssign() | ast.AugAssign():
                self._assign(node, names, here)
            case ast.Delete():
                for target in node.targets:
                    names.pop(dotted(target), None)
            case _:
                for child in ast.iter_child_nodes(node):
                    if isinstance(child, ast.expr):
                        self.expression(child, names, here)
        return here

    def _import(self, node: ast.Import | ast.ImportFrom, names: Names, here: Here) -> None:
        names.update(self._bound_by(node))
        if isinstance(node, ast.Import):
            for alias in node.names:
                if belongs(alias.name, self.package):
                    self.use(alias.name, "module", node.lineno, here, module=alias.name)
        elif self._is_ours(node):
            module = node.module or ""
            for alias in node.names:
                if alias.name == "*":
                    self.use(module, "module", node.lineno, here, module=module)
                else:
                    self.use(f"{module}.{alias.name}", "name", alias.lineno, here, module=module)

    def _function(self, node: ast.FunctionDef | ast.AsyncFunctionDef, names: Names, here: Here) -> None:
        defaults = [*node.args.defaults, *(d for d in node.args.kw_defaults if d is not None)]
        annotations = [] if self.texts_only else [a.annotation for a in _all_arguments(node.args)] + [node.returns]
        for outer in [*node.decorator_list, *defaults, *annotations]:
            if outer is not None:
                self.expression(outer, names, here)
        names[node.name] = self.reader.tested_by(node, names) | UNKNOWN
        scope = _inside(here.scope, node.name)
        self.later.append((node, names, replace(here, lazy=True, scope=scope, tries=())))

    def _if(self, node: ast.If, names: Names, here: Here) -> Here:
        if dotted(node.test) in _TYPING_ONLY or (isinstance(node.test, ast.Constant) and not node.test.value):
            self.block(node.orelse, names, here)
            return here
        self.expression(node.test, names, here)
        is_script = "__name__" in {n.id for n in ast.walk(node.test) if isinstance(n, ast.Name)}
        probed = tuple(
            Probe(target=t, raises=raises(node.orelse) or (raises(node.body) and not node.orelse))
            for t in self.reader.probed(node.test, names)
        )
        guarded = replace(here, probes=(*here.probes, *probed), lazy=here.lazy or is_script)
        yes, no = names.branch(), names.branch()
        self.block(node.body, yes, guarded)
        self.block(node.orelse, no, guarded)
        going_on = [branch for branch, body in ((yes, node.body), (no, node.orelse)) if not ends(body)]
        names.merge(*(going_on or [yes, no]))
        return guarded if probed and ends(node.body) else here

    def _try(self, node: ast.Try | ast.TryStar, names: Names, here: Here) -> None:
        index = len(self.tries)
        handlers = tuple(Handler(catches=_caught(h.type), reraises=raises(h.body)) for h in node.handlers)
        self.tries.append(Try(handlers=handlers, pure=self._is_pure(node, handlers, names)))
        before = names.branch()
        self.block(node.body, names, replace(here, tries=(index, *here.tries)))
        failed = names.branch()
        failed.merge(before, names)
        self.block(node.orelse, names, here)
        imports = any(not h.catches or _IMPORT_ERRORS & set(h.catches) or "Exception" in h.catches for h in handlers)
        for handler in node.handlers:
            other = failed.branch()
            if handler.name:
                other[handler.name] = UNKNOWN
            self.block(handler.body, other, replace(here, handler_of=(index, *here.handler_of)))
            if not ends(handler.body):
                names.prefer(names.branch(), other) if imports else names.merge(names.branch(), other)
        self.block(node.finalbody, names, here)

    def _is_pure(self, node: ast.Try | ast.TryStar, handlers: tuple[Handler, ...], names: Names) -> bool:
        """True where only the package can make a body fail: nothing else is imported, or all of it is lookups."""
        nodes = [inner for statement in node.body for inner in ast.walk(statement)]
        imports = [inner for inner in nodes if isinstance(inner, ast.Import | ast.ImportFrom)]
        if not all(self._is_ours(inner) for inner in imports):
            return False
        narrow = all(h.catches and set(h.catches) <= _IMPORT_ERRORS for h in handlers)
        looked_up = [s for s in node.body if isinstance(s, ast.Assign) and targets(self.reader.chain(s.value, names))]
        plain = all(
            s in looked_up
            or isinstance(s, ast.Import | ast.ImportFrom | ast.Pass)
            or (isinstance(s, ast.Assign) and isinstance(s.value, ast.Constant))
            for s in node.body
        )
        return plain and bool(imports or looked_up) if not narrow else bool(imports)

    def _is_ours(self, node: ast.Import | ast.ImportFrom) -> bool:
        if isinstance(node, ast.Import):
            return all(belongs(alias.name, self.package) for alias in node.names)
        return not node.level and belongs(node.module or "", self.package)

    def _with(self, node: ast.With | ast.AsyncWith, names: Names, here: Here) -> None:
        inside = here
        for item in node.items:
            self.expression(item.context_expr, names, here)
            call = item.context_expr
            if isinstance(call, ast.Call) and dotted(call.func).rpartition(".")[2] == "suppress":
                caught = tuple(name for argument in call.args for name in _caught(argument))
                self.tries.append(Try(handlers=(Handler(catches=caught, reraises=False),), pure=False))
                inside = replace(inside, tries=(len(self.tries) - 1, *inside.tries))
            if item.optional_vars is not None:
                self.bind(item.optional_vars, UNKNOWN, names)
        self.block(node.body, names, inside)

    def _loop(self, node: ast.For | ast.AsyncFor | ast.While, names: Names, here: Here) -> None:
        if isinstance(node, ast.While):
            self.expression(node.test, names, here)
        else:
            self.expression(node.iter, names, here)
            items = node.iter.elts if isinstance(node.iter, ast.List | ast.Tuple) else []
            literal = frozenset(TEXT + text for text in map(text_of, items) if text is not None)
            self.bind(node.target, literal or UNKNOWN, names)
        inside = names.branch()
        self.block(node.body, inside, here)
        names.merge(names.branch(), inside)
        self.block(node.orelse, names, here)

    def _assign(self, node: ast.Assign | ast.AnnAssign | ast.AugAssign, names: Names, here: Here) -> None:
        if isinstance(node, ast.AnnAssign) and not here.lazy and not self.texts_only:
            self.expression(node.annotation, names, here)
        if node.value is None:
            return
        self.expression(node.value, names, here)
        values = UNKNOWN if isinstance(node, ast.AugAssign) else self.reader.value(node.value, names)
        for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
            self.bind(target, values, names)
            if not isinstance(target, ast.Name):
                self.expression(target, names, here)


def _inside(scope: str, name: str) -> str:
    return f"{scope}.{name}" if scope else name


def _all_arguments(arguments: ast.arguments) -> list[ast.arg]:
    extra = [a for a in (arguments.vararg, arguments.kwarg) if a is not None]
    return [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, *extra]


def _arguments(arguments: ast.arguments) -> Iterable[str]:
    return [argument.arg for argument in _all_arguments(arguments)]


def _caught(node: ast.expr | None) -> tuple[str, ...]:
    """Names of the exceptions of an ``except`` clause; nothing where it catches all."""
    if node is None:
        return ()
    items = node.elts if isinstance(node, ast.Tuple) else [node]
    return tuple(dotted(item).rpartition(".")[2] or "?" for item in items)
