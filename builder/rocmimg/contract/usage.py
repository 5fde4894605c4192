"""Uses of a package in expressions: attribute chains, calls, and lookups by a name in a string."""

from __future__ import annotations

import ast
from dataclasses import dataclass, replace

from rocmimg.contract.expressions import dotted, text_of
from rocmimg.contract.model import Call, Kind, Probe, Use
from rocmimg.contract.scope import NOTHING, OTHER, UNKNOWN, Names, Reader, Values, belongs, targets


@dataclass(frozen=True, slots=True, kw_only=True)
class Here:
    """Where a statement stands."""

    lazy: bool = False
    scope: str = ""
    tries: tuple[int, ...] = ()
    handler_of: tuple[int, ...] = ()
    probes: tuple[Probe, ...] = ()


Later = tuple[ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda, Names, Here]


class ExpressionScanner:
    """Collects uses; bodies of lambdas wait in ``later`` until their scope is known."""

    def __init__(self, package: str, *, tests: bool) -> None:
        self.package = package
        self.reader = Reader(package, tests=tests)
        self.uses: list[Use] = []
        self.later: list[Later] = []

    def bind(self, target: ast.expr, values: Values, names: Names) -> None:
        """Let a target of an assignment stand for some values."""
        if isinstance(target, ast.Name):
            names[target.id] = values
        else:
            for inner in ast.walk(target):
                if isinstance(inner, ast.Name) and isinstance(inner.ctx, ast.Store):
                    names[inner.id] = UNKNOWN

    def expression(self, node: ast.expr, names: Names, here: Here) -> None:
        """Collect the uses in an expression."""
        match node:
            case ast.Attribute() | ast.Name():
                self._chain(node, names, here, None)
            case ast.Call():
                self._call(node, names, here)
            case ast.Lambda():
                self.later.append((node, names, replace(here, lazy=True, tries=())))
            case ast.BoolOp():
                for operand in node.values:
                    self.expression(operand, names, here)
                    here = self._probing(operand, names, here)
            case ast.IfExp():
                self.expression(node.test, names, here)
                inside = self._probing(node.test, names, here)
                self.expression(node.body, names, inside)
                self.expression(node.orelse, names, inside)
            case ast.ListComp() | ast.SetComp() | ast.DictComp() | ast.GeneratorExp():
                self._comprehension(node, names, here)
            case ast.NamedExpr():
                self.expression(node.value, names, here)
                names[node.target.id] = self.reader.value(node.value, names)
            case _:
                for child in ast.iter_child_nodes(node):
                    if isinstance(child, ast.expr):
                        self.expression(child, names, here)
                    elif isinstance(child, ast.keyword):
                        self.expression(child.value, names, here)

    def _probing(self, test: ast.expr, names: Names, here: Here) -> Here:
        return replace(here, probes=(*here.probes, *(Probe(target=t) for t in self.reader.probed(test, names))))

    def _comprehension(
        self, node: ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp, names: Names, here: Here
    ) -> None:
        inside = names.branch()
        for generator in node.generators:
            self.expression(generator.iter, inside, here)
            self.bind(generator.target, UNKNOWN, inside)
            for condition in generator.ifs:
                self.expression(condition, inside, here)
                here = self._probing(condition, inside, here)
        for part in (node.key, node.value) if isinstance(node, ast.DictComp) else (node.elt,):
            self.expression(part, inside, here)

    def _call(self, node: ast.Call, names: Names, here: Here) -> None:
        for argument in [*node.args, *(keyword.value for keyword in node.keywords)]:
            self.expression(argument, names, here)
        name = dotted(node.func)
        if name in ("hasattr", "getattr") and len(node.args) > 1:
            self._looked_up(node, name, names, here)
        elif self.reader.is_find_spec(node) or self.reader.is_import(node):
            found = self.reader.modules(node, names)
            kind: Kind = "module" if self.reader.is_import(node) else "probe"
            for module in found:
                self.use(module, kind, node.lineno, here, module=module, ambiguous=len(found) > 1)
            first = node.args[0] if node.args else None
            start = text_of(first.values[0]) if isinstance(first, ast.JoinedStr) and first.values else None
            if start and belongs(start.partition(".")[0], self.package):
                self.use(f"{start}*", "dynamic", node.lineno, here)
        elif isinstance(node.func, ast.Attribute | ast.Name):
            self._chain(node.func, names, here, _shape(node))
        else:
            self.expression(node.func, names, here)

    def _looked_up(self, node: ast.Call, function: str, names: Names, here: Here) -> None:
        bases = targets(self.reader.value(node.args[0], names))
        found = self.reader.attributes(node, names)
        optional = function == "hasattr" or len(node.args) > 2  # noqa: PLR2004
        for target in found:
            via = target.rpartition(".")[0]
            self.use(target, "probe" if optional else "attribute", node.lineno, here, via=via)
        if bases and not found:
            self.use(f"{bases[0]}.*", "dynamic", node.lineno, here, via=bases[0])

    def _chain(self, node: ast.Attribute | ast.Name, names: Names, here: Here, call: Call | None) -> None:
        inner: ast.expr = node
        while isinstance(inner, ast.Attribute):
            inner = inner.value
        if not isinstance(inner, ast.Name):
            self.expression(inner, names, here)
            return
        registry = f"torch.ops.{self.package}."
        whole = dotted(node)
        if whole.startswith(registry):
            operator = whole.removeprefix(registry).partition(".")[0]
            self.use(registry + operator, "attribute", node.lineno, here)
            return
        roots = names.get(inner.id, NOTHING)
        found = targets(roots)
        if not found or (isinstance(node, ast.Name) and call is None):
            return
        tail = whole.partition(".")[2]
        target = f"{found[0]}.{tail}" if tail else found[0]
        ambiguous = len(found) > 1 or OTHER in roots
        self.use(target, "attribute", node.lineno, here, via=found[0], call=call, ambiguous=ambiguous)

    def use(
        self,
        target: str,
        kind: Kind,
        line: int,
        here: Here,
        *,
        module: str = "",
        via: str = "",
        call: Call | None = None,
        ambiguous: bool = False,
    ) -> None:
        """Note one use."""
        self.uses.append(
            Use(
                target=target,
                kind=kind,
                line=line,
                when="lazy" if here.lazy else "import",
                module=module,
                via=via,
                call=call,
                tries=here.tries,
                handler_of=here.handler_of,
                probes=here.probes,
                scope=here.scope,
                ambiguous=ambiguous,
            )
        )


def _shape(node: ast.Call) -> Call:
    hidden = any(isinstance(a, ast.Starred) for a in node.args) or any(k.arg is None for k in node.keywords)
    return Call(
        positional=sum(not isinstance(a, ast.Starred) for a in node.args),
        keywords=tuple(k.arg for k in node.keywords if k.arg is not None),
        open=hidden,
    )
