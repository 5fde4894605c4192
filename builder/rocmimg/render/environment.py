"""The Jinja environment: strict, quoting, and with a project's own templates before the built-in ones."""

from __future__ import annotations

import contextlib
import traceback
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import jinja2
from jinja2 import nodes
from jinja2.bccache import Bucket
from jinja2.compiler import CodeGenerator, Frame

from rocmimg.errors import Position, TemplateError
from rocmimg.matrix.recipe import builtin_templates
from rocmimg.paths import cache_dir
from rocmimg.render.quoting import FILTERS, QuotingContext, UnquotedValue, absolute, require_quoted

_BLOCK_FILTERS: Final = frozenset({"trim", "one_line"})
"""Those that take no quote away and add no text."""


class _Compiler(CodeGenerator):
    """Refuses what would reach the output past ``finalize``: the result of a filter block."""

    def visit_FilterBlock(self, node: nodes.FilterBlock, frame: Frame) -> None:  # noqa: N802 - Jinja's name
        """Compile ``{% filter %}``."""
        step: nodes.Expr | None = node.filter
        while isinstance(step, nodes.Filter):
            if step.name not in _BLOCK_FILTERS or step.args or step.kwargs or step.dyn_args or step.dyn_kwargs:
                self.fail(
                    f"a filter block with {step.name} may take quotes away; "
                    f"{' and '.join(sorted(_BLOCK_FILTERS))}, without arguments, do not",
                    node.lineno,
                )
            step = step.node
        super().visit_FilterBlock(node, frame)


def environment(folders: tuple[Path, ...]) -> jinja2.Environment:
    """Templates of ``folders``, first come first served; ``builtin/NAME`` always means the built-in one."""
    # A relative folder means another one after a change of the work directory.
    return _environment(tuple(folder.absolute() for folder in folders), folders)


@lru_cache(maxsize=8)
def _environment(_places: tuple[Path, ...], folders: tuple[Path, ...]) -> jinja2.Environment:
    loaders: list[jinja2.BaseLoader] = [jinja2.FileSystemLoader(folder) for folder in folders]
    loaders.append(jinja2.PrefixLoader({"builtin": jinja2.FileSystemLoader(builtin_templates())}))
    env = jinja2.Environment(
        loader=jinja2.ChoiceLoader(loaders),
        undefined=jinja2.StrictUndefined,
        autoescape=True,  # `~` and `join` then return Markup where they meet quoted text, and that is refused
        finalize=require_quoted,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        auto_reload=False,
        bytecode_cache=_bytecode_cache(),
        extensions=["jinja2.ext.do"],
    )
    env.context_class = QuotingContext
    env.code_generator_class = _Compiler
    env.filters.update(FILTERS)
    env.tests["absolute"] = absolute
    return env


def _bytecode_cache() -> jinja2.BytecodeCache | None:
    """Compiled templates, kept by their text; none where the cache cannot be written."""
    folder = cache_dir() / "templates"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return None
    return _BytecodeCache(str(folder), "guarded_%s.cache")


class _BytecodeCache(jinja2.FileSystemBytecodeCache):
    """One that a full or read-only disk costs time only."""

    def dump_bytecode(self, bucket: Bucket) -> None:
        with contextlib.suppress(OSError):
            super().dump_bytecode(bucket)

    def load_bytecode(self, bucket: Bucket) -> None:
        with contextlib.suppress(OSError):
            super().load_bytecode(bucket)


def render_template(folders: tuple[Path, ...], name: str, values: Mapping[str, Any]) -> str:
    """The text of template ``name``.

    Raises:
        TemplateError: the template is missing, does not parse, or fails on these values; with its file and line.
    """
    try:
        return environment(folders).get_template(name).render(values)
    except jinja2.TemplateNotFound as error:
        raise TemplateError(
            f"there is no template {error.name}",
            why=f"looked in {' and '.join(map(str, folders))}",
            next_step="add it, or correct the name",
            position=_template_line(error, name) if error.name != name else None,
        ) from error
    except jinja2.TemplateSyntaxError as error:
        raise TemplateError(
            "the template does not parse",
            why=error.message or "",
            position=Position(error.filename or error.name or name, error.lineno),
        ) from error
    except (jinja2.UndefinedError, UnquotedValue, TypeError, ValueError, KeyError, AttributeError) as error:
        raise TemplateError("the template fails", why=str(error), position=_template_line(error, name)) from error


def _template_line(error: BaseException, name: str) -> Position:
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if frame.filename.endswith(".j2"):
            return Position(frame.filename, frame.lineno or 0)
    return Position(name)
