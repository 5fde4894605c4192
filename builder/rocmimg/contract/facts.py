"""What a module of the source offers: its names, how they come to be, and under which conditions."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from rocmimg.contract.expressions import (
    MENTIONS_GLOBALS,
    TOO_DEEP,
    Constant,
    UndecidedError,
    absolute,
    decide,
    dotted,
    evaluate,
    parse,
    text_of,
    texts_of,
)
from rocmimg.contract.model import Binding, ModuleFacts, Parameter, Star

Names = dict[str, tuple[Binding, ...]]


def read_module(
    content: bytes, module: str, *, is_package: bool, switches: Mapping[str, str] | None = None
) -> ModuleFacts:
    """Facts of a module from its text, under an environment. A text that does not parse gives facts with ``error``."""
    tree, error, line = parse(content)
    if tree is None:
        return ModuleFacts(error=error, error_line=line)
    reader = _Reader(
        module if is_package else module.rpartition(".")[0],
        dynamic=MENTIONS_GLOBALS.search(content) is not None,
        known={f"${name}": value for name, value in (switches or {}).items()},
    )
    try:
        names = reader.block(tree.body)
    except RecursionError:
        return ModuleFacts(error=TOO_DEEP)
    for name, bindings in reader.globals.items():
        names.setdefault(name, bindings)
    return ModuleFacts(
        names=names,
        stars=tuple(reader.stars),
        exports=reader.exports,
        hooked=reader.hooked,
        hook_open=reader.hook_open,
        open_prefixes=tuple(dict.fromkeys(reader.open_prefixes)),
        maps=reader.maps,
    )


def parameters(node: ast.FunctionDef | ast.AsyncFunctionDef, *, method: bool) -> tuple[Parameter, ...]:
    """Parameters of a function; of a method without its first one."""
    arguments = node.args
    ordered = [(a, "positional") for a in arguments.posonlyargs] + [(a, "either") for a in arguments.args]
    without_default = len(ordered) - len(arguments.defaults)
    result = [
        Parameter(name=a.arg, kind="positional" if kind == "positional" else "either", required=at < without_default)
        for at, (a, kind) in enumerate(ordered)
    ][1 if method else 0 :]
    if arguments.vararg:
        result.append(Parameter(name=arguments.vararg.arg, kind="args", required=False))
    result += [
        Parameter(name=a.arg, kind="keyword", required=default is None)
        for a, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
    ]
    if arguments.kwarg:
        result.append(Parameter(name=arguments.kwarg.arg, kind="kwargs", required=False))
    return tuple(result)


class _Reader:
    def __init__(self, package: str, *, dynamic: bool, known: dict[str, Constant]) -> None:
        self.package = package
        self.dynamic = dynamic
        """True where bodies of functions must be searched for ``global`` and ``globals()``."""
        self.stars: list[Star] = []
        self.exports: tuple[str, ...] | None = None
        self.hooked: tuple[str, ...] | None = None
        self.hook_open = False
        self.open_prefixes: list[str] = []
        self.maps: dict[str, dict[str, str]] = {}
        self.lists: dict[str, tuple[str, ...]] = {}
        self.globals: Names = {}
        self.known = known
        self.depth = 0

    def block(self, body: Sequence[ast.stmt]) -> Names:
        """Names that a sequence of statements binds; a later binding replaces an earlier one."""
        names: Names = {}
        for statement in body:
            for name, bindings in self.statement(statement).items():
                if self.depth or bindings[-1].kind not in ("value", "alias"):
                    self.known.pop(name, None)
                if all(b.conditional for b in bindings) and name in names:
                    names[name] = (*names[name], *bindings)
                else:
                    names[name] = bindings
        return names

    def statement(self, node: ast.stmt) -> Names:
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                return self._function(node)
            case ast.ClassDef():
                return {node.name: (_class(node),)}
            case ast.Import():
                return dict(self._import(node))
            case ast.ImportFrom():
                return dict(self._from(node))
            case ast.If():
                return self._if(node)
            case ast.Try() | ast.TryStar():
                return self._try(node)
            case ast.With() | ast.AsyncWith():
                return self.block(node.body)
            case ast.For() | ast.While():
                targets = dict(_targets([node.target], node.lineno)) if isinstance(node, ast.For) else {}
                return targets | self.block(node.body) | self.block(node.orelse)
            case ast.Assign() | ast.AnnAssign() | ast.AugAssign():
                return self._assign(node)
            case ast.Expr(value=ast.Call() as call):
                self._dynamic(call)
        return {}

    def _function(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> Names:
        if node.name == "__getattr__":
            self._hook(node)
            return {}
        for inner in ast.walk(node) if self.dynamic else ():
            if isinstance(inner, ast.Global):
                for name in inner.names:
                    self.globals[name] = (Binding(kind="value", line=inner.lineno, conditional=True),)
            elif isinstance(inner, ast.Call | ast.Subscript):
                self._dynamic(inner)
        decorators = _decorators(node.decorator_list)
        if any(d.rpartition(".")[2] == "overload" for d in decorators):
            return {}
        binding = Binding(
            kind="function", line=node.lineno, parameters=parameters(node, method=False), decorators=decorators
        )
        return {node.name: (binding,)}

    def _import(self, node: ast.Import) -> Iterable[tuple[str, tuple[Binding, ...]]]:
        for alias in node.names:
            module = alias.name if alias.asname else alias.name.partition(".")[0]
            yield alias.asname or module, (Binding(kind="module", line=node.lineno, target=module),)

    def _from(self, node: ast.ImportFrom) -> Iterable[tuple[str, tuple[Binding, ...]]]:
        module = absolute(node.module, node.level, self.package)
        for alias in node.names:
            if alias.name == "*":
                self.stars.append(Star(module=module, line=node.lineno, conditional=self.depth > 0))
            else:
                binding = Binding(kind="from", line=node.lineno, target=module, name=alias.name)
                yield alias.asname or alias.name, (binding,)

    def _if(self, node: ast.If) -> Names:
        named = {
            inner.target.id: (Binding(kind="value", line=inner.lineno),)
            for inner in ast.walk(node.test)
            if isinstance(inner, ast.NamedExpr)
        }
        truth = decide(node.test, self.known)
        if truth is not None:
            return named | self.block(node.body if truth else node.orelse)
        self.depth += 1
        merged = _either(self.block(node.body), self.block(node.orelse))
        self.depth -= 1
        return named | merged

    def _try(self, node: ast.Try | ast.TryStar) -> Names:
        self.depth += 1
        body = self.block([*node.body, *node.orelse])
        merged = body
        for handler in node.handlers:
            other = self.block(handler.body)
            if not any(isinstance(statement, ast.Raise) for statement in handler.body):
                merged = _either(merged, other)
        self.depth -= 1
        return merged | self.block(node.finalbody)

    def _assign(self, node: ast.Assign | ast.AnnAssign | ast.AugAssign) -> Names:
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        value = node.value
        if value is None:
            return {}
        for target in targets:
            if isinstance(target, ast.Subscript):
                self._dynamic(target, ("globals", "locals", "vars"))
        only = targets[0] if len(targets) == 1 and isinstance(targets[0], ast.Name) else None
        if only is None or isinstance(node, ast.AugAssign):
            if isinstance(node, ast.AugAssign) and only is not None and only.id == "__all__":
                more = texts_of(value)
                self.exports = (*self.exports, *more) if more is not None and self.exports is not None else None
            return dict(_targets(targets, node.lineno))
        if only.id == "__all__":
            self.exports = texts_of(value)
        if (listed := texts_of(value)) is not None:
            self.lists[only.id] = listed
        if isinstance(value, ast.Dict):
            pairs = {text_of(k): text_of(v) for k, v in zip(value.keys, value.values, strict=True)}
            if pairs and None not in pairs and None not in pairs.values():
                self.maps[only.id] = {str(k): str(v) for k, v in pairs.items()}
        try:
            self.known[only.id] = evaluate(value, self.known)
        except UndecidedError:
            self.known.pop(only.id, None)
        chain = dotted(value)
        binding = Binding(kind="alias" if chain else "value", line=node.lineno, target=chain or _made_by(value))
        return {only.id: (binding,)}

    def _dynamic(self, node: ast.Call | ast.Subscript, namespaces: tuple[str, ...] = ("globals",)) -> None:
        """Names put into the module by code: globals().update(...), globals()[...] = ... ."""
        if isinstance(node, ast.Subscript):
            is_globals = isinstance(node.value, ast.Call) and dotted(node.value.func) in namespaces
            if is_globals and isinstance(node.ctx, ast.Store):
                self.open_prefixes.append(text_of(node.slice) or "")
            return
        function = node.func
        if not (isinstance(function, ast.Attribute) and function.attr == "update"):
            return
        if not (isinstance(function.value, ast.Call) and dotted(function.value.func) == "globals"):
            return
        for argument in node.args:
            key = argument.key if isinstance(argument, ast.DictComp) else None
            first = key.values[0] if isinstance(key, ast.JoinedStr) and key.values else None
            self.open_prefixes.append(text_of(first) or "")

    def _hook(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        """Names that a module-level __getattr__ compares its argument with."""
        names: list[str] = []
        argument = node.args.args[0].arg if node.args.args else ""
        for inner in ast.walk(node):
            match inner:
                case ast.Compare(left=ast.Name(id=left), comparators=[right]) if left == argument:
                    single = text_of(right)
                    listed = texts_of(right) or self.lists.get(dotted(right)) or tuple(self.maps.get(dotted(right), ()))
                    if single is None and not listed:
                        self.hook_open = True
                    names += [single] if single is not None else listed
                case ast.Call(func=ast.Attribute(value=ast.Name(id=table), attr="get"), args=[ast.Name(id=key), *_]):
                    if key == argument:
                        names += self.maps.get(table, {})
                        self.hook_open |= table not in self.maps
        self.hook_open |= not names
        self.hooked = tuple(dict.fromkeys(names))


def _either(first: Names, second: Names) -> Names:
    """Names after one of two branches ran: a name of both is certain, a name of one is conditional."""
    merged: Names = {}
    for name in [*first, *(n for n in second if n not in first)]:
        bindings = (*first.get(name, ()), *second.get(name, ()))
        if name not in first or name not in second:
            bindings = tuple(replace(b, conditional=True) for b in bindings)
        merged[name] = bindings
    return merged


def _targets(targets: Iterable[ast.expr], line: int) -> Iterable[tuple[str, tuple[Binding, ...]]]:
    for target in targets:
        for node in ast.walk(target):
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                yield node.id, (Binding(kind="value", line=line),)


def _made_by(value: ast.expr) -> str:
    """For ``X = type(_X(0))``: the name of the native type, by which a rule can find its members."""
    match value:
        case ast.Call(func=ast.Name(id="type"), args=[ast.Call(func=ast.Name(id=name))]):
            return f"type:{name.lstrip('_')}"
    return ""


def _decorators(nodes: Sequence[ast.expr]) -> tuple[str, ...]:
    return tuple(dotted(n.func if isinstance(n, ast.Call) else n) or "?" for n in nodes)


def _class(node: ast.ClassDef) -> Binding:
    members: dict[str, None] = {}
    init: tuple[Parameter, ...] = ()
    has_init = False
    for statement in node.body:
        match statement:
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                members[statement.name] = None
                if isinstance(statement, ast.FunctionDef) and statement.name == "__init__":
                    init, has_init = parameters(statement, method=True), True
            case ast.Assign() | ast.AnnAssign():
                targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
                members |= dict.fromkeys(name for name, _ in _targets(targets, 0))
            case ast.If() | ast.Try() | ast.For() | ast.With():
                members["*"] = None
    return Binding(
        kind="class",
        line=node.lineno,
        parameters=init,
        has_init=has_init,
        decorators=(*_decorators(node.decorator_list), *(("metaclass",) if node.keywords else ())),
        members=tuple(members),
        bases=tuple(dotted(base) or "?" for base in node.bases),
    )
