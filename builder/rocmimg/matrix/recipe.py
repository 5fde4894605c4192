"""Recipes: what each component template is called, takes and needs. A recipe is `components/<name>.yaml` beside its
template `components/<name>.j2`; a project's own folder comes before the built-in one, file by file.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache, lru_cache
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from rocmimg.errors import ConfigError, Position, did_you_mean
from rocmimg.matrix.model import (
    AptPackage,
    Distribution,
    EnvName,
    Model,
    ModuleName,
    Name,
    OptionValue,
    Text,
    VersionSpec,
)
from rocmimg.matrix.nodes import Node, mapping, parse_yaml, read_text, read_yaml
from rocmimg.matrix.validate import validate

Install = Literal["editable", "wheel"]


class Declaration(Model):
    """A flag or an option: its type, its default and what it does."""

    type: Literal["bool", "int", "text", "choice", "list"]
    """What a value is; a list holds texts."""
    default: OptionValue
    """Taken where images.yaml says nothing."""
    help: str
    """One sentence for the reference and for editors."""
    values: tuple[str, ...] = ()
    """What a choice may be."""
    pattern: str = r"[^\x00-\x1f]*"
    """Regular expression that a text, or each text of a list, must match as a whole."""

    @model_validator(mode="after")
    def _default_fits(self) -> Declaration:
        self.check(self.default)
        return self

    def check(self, value: object) -> OptionValue:
        """``value`` as this type; bool takes 1 and 0 too, as upstream's build arguments do.

        Raises:
            ValueError: it does not fit.
        """
        match self.type:
            case "bool" if isinstance(value, bool) or (isinstance(value, int) and value in (0, 1)):
                return bool(value)
            case "int" if isinstance(value, int) and not isinstance(value, bool):
                return value
            case "choice" if isinstance(value, str) and value in self.values:
                return value
            case "text" if isinstance(value, str | int) and not isinstance(value, bool):
                return self._text(value)
            case "list" if isinstance(value, tuple):
                return tuple(self._text(entry) for entry in value)
        wanted = {"bool": "true or false", "int": "a number", "text": "text", "list": "a list of text"}
        raise ValueError(f"{value!r} is not {wanted.get(self.type) or 'one of ' + ', '.join(self.values)}")

    def _text(self, value: object) -> str:
        text = str(value)
        if not re.fullmatch(self.pattern, text):
            raise ValueError(f"{text!r} does not match {self.pattern}")
        return text


class Apt(Model):
    """Debian packages of a recipe."""

    build: tuple[AptPackage, ...] = ()
    """Needed in the component's own stage."""
    runtime: tuple[AptPackage, ...] = ()
    """Needed in the final image."""
    vendor: tuple[AptPackage, ...] = ()
    """Needed in the final image, from a vendor's archive that the template configures for the step; its options choose
    among them."""


class EnvWith(Model):
    """Runtime environment that a component contributes where its options are so."""

    options: Mapping[str, OptionValue]
    """The options and their values."""
    env: Mapping[EnvName, Text]
    """The variables."""


class Recipe(Model):
    """What one component template declares."""

    name: Name = ""
    description: str
    """One line; the comment above its stage."""
    extends: Name = ""
    """The recipe that it refines: all that this one does not say is as there, the template too."""
    template: Name = ""
    """The recipe whose template it has; found, not declared."""
    module: ModuleName | Literal["{name}"] = ""
    """Import name of what it installs; empty when it is not a Python package, ``{name}`` for the component's own."""
    import_needs_gpu: bool = False
    """Whether `import` of the module fails on a machine without a GPU."""
    directory: str = ""
    """Name of the checkout in the work directory; the component's name when empty."""
    sources: tuple[Literal["git", "local", "index", "none"], ...] = ("git", "local")
    """Where its sources may come from: `index` for a package of an index, `none` alone when it has none."""
    install: tuple[Install, ...] = ()
    """How it can be installed; the first is the default."""
    when: str = ""
    """The flag that switches the component on, its own or another recipe's: off where it is false or `none`; always on
    when empty."""
    in_base_stage: bool = False
    """Whether it is part of the base stage, so that every other stage starts from it; it has no stage of its own."""
    provides: tuple[Distribution, ...] = ()
    """Python distributions that it installs instead of the base's, and that nothing installed later may replace."""
    paths: tuple[str, ...] = ()
    """What it writes in the final image besides its checkout and module; fields: {directory} and its options."""
    build_pip: Mapping[Distribution, VersionSpec] = {}
    """Python packages that its build needs: name -> version or bounds."""
    flags: Mapping[Annotated[str, Field(pattern=r"^[A-Z][A-Z0-9_]*$")], Declaration] = {}
    """Build flags that it takes, by name."""
    options: Mapping[Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")], Declaration] = {}
    """What images.yaml may choose of it, by name."""
    needs: tuple[str, ...] = ()
    """Components whose results its stage uses, where they are in the cell."""
    after: tuple[str, ...] = ()
    """Components that the final image installs before it, where they are in the cell."""
    apt: Apt = Apt()
    """Debian packages, by where they are needed."""
    env: Mapping[EnvName, Text] = {}
    """Runtime environment that it contributes."""
    env_with: tuple[EnvWith, ...] = ()
    """More of it with certain options."""
    kernels: bool = False
    """Whether its shared objects hold GPU code that must be for the cell's archs."""
    kernels_except: Mapping[str, OptionValue] = {}
    """Options with which they do not."""
    framework: bool = False
    """Whether it uses the other components: its calls are compared with their sources before a build."""
    prebuilt: str = ""
    """The flag with which its kernels are compiled into the image; always when empty."""


@cache
def builtin_templates() -> Path:
    """The folder of the templates that come with rocmimg: in the wheel, or at the top of a checkout."""
    package = Path(__file__).resolve().parent.parent
    installed = package / "_templates"
    return installed if installed.is_dir() else package.parent.parent / "templates"


@lru_cache(maxsize=64)
def _parsed(text: str, shown: str) -> Node:
    return parse_yaml(text, shown)


@lru_cache(maxsize=64)
def _recipe(name: str, text: str, shown: str) -> Recipe:
    return validate(Recipe, _parsed(text, shown)).model_copy(update={"name": name, "template": name})


def _laid_over(under: Node, over: Node) -> Node:
    """A recipe's file over the one that it extends, key by key; a list replaces."""
    if not (isinstance(under.value, Mapping) and isinstance(over.value, Mapping)):
        return over
    entries = dict(under.children)
    for key, child in over.children.items():
        entries[key] = _laid_over(entries[key], child) if key in entries else child
    return mapping(entries, over.position)


class Catalogue:
    """All recipes that a matrix can use."""

    def __init__(self, folders: tuple[Path, ...]) -> None:
        self.folders = folders
        self._recipes: dict[str, Recipe] = {}
        self._flags: Mapping[str, Declaration] | None = None
        self._paths: dict[str, Path] = {}
        for folder in reversed(folders):
            self._paths |= {path.stem: path for path in sorted((folder / "components").glob("*.yaml"))}

    @property
    def names(self) -> tuple[str, ...]:
        """Names of all recipes, sorted."""
        return tuple(sorted(self._paths))

    def shown(self, name: str) -> str:
        """The recipe's file as it is shown to a user."""
        return f"templates/components/{self._paths[name].name}"

    def __getitem__(self, name: str) -> Recipe:
        """The recipe ``name``.

        Raises:
            ConfigError: its file is wrong.
            KeyError: there is none.
        """
        if name not in self._recipes:
            self._recipes[name] = self._read(name)
        return self._recipes[name]

    def _read(self, name: str) -> Recipe:
        shown = self.shown(name)
        text = read_text(self._paths[name], shown)
        if "extends" not in _parsed(text, shown).children:
            return _recipe(name, text, shown)
        node, template = self._chain(name, ())
        return validate(Recipe, node).model_copy(update={"name": name, "template": template})

    def _chain(self, name: str, seen: tuple[str, ...]) -> tuple[Node, str]:
        """A recipe's file over those that it extends, and whose template it has."""
        node = _parsed(read_text(self._paths[name], self.shown(name)), self.shown(name))
        extended = node.children.get("extends")
        if extended is None:
            return node, name
        base = str(extended.value)
        if base not in self or base in (*seen, name):
            raise ConfigError(
                f"extends: there is no recipe {base!r}" if base not in self else f"circular extends: {base} -> {name}",
                next_step=did_you_mean(base, self.names) if base not in self else "remove one of them",
                position=extended.position,
            )
        under, template = self._chain(base, (*seen, name))
        own = any((folder / "components" / f"{name}.j2").is_file() for folder in self.folders)
        return _laid_over(under, node), name if own else template

    def __contains__(self, name: object) -> bool:
        return name in self._paths

    def file(self, name: str) -> Path | None:
        """The file ``name`` of templates/files, the project's own before the built-in one."""
        return next((path for folder in self.folders if (path := folder / "files" / name).is_file()), None)

    def declaring(self, flag: str) -> tuple[str, ...]:
        """Recipes that take ``flag``."""
        return tuple(name for name in self.names if flag in self[name].flags or flag == self[name].when)

    def flags(self) -> Mapping[str, Declaration]:
        """Every flag of every recipe.

        Raises:
            ConfigError: two recipes declare one flag differently.
        """
        if self._flags is None:
            self._flags = self._all_flags()
        return self._flags

    def _all_flags(self) -> Mapping[str, Declaration]:
        found: dict[str, tuple[str, Declaration]] = {}
        for name in self.names:
            for flag, declaration in self[name].flags.items():
                owner, first = found.setdefault(flag, (name, declaration))
                if first != declaration:
                    raise ConfigError(
                        f"flag {flag} is declared differently by {owner} and {name}",
                        next_step="make both declarations the same",
                        position=Position(self.shown(name)),
                    )
        for name in self.names:
            if self[name].when and self[name].when not in found:
                raise ConfigError(
                    f"`when` names {self[name].when}, which no recipe declares",
                    next_step="declare it under `flags`",
                    position=self.position(name, ("when",)),
                )
        return {flag: declaration for flag, (_, declaration) in found.items()}

    def position(self, name: str, path: tuple[str, ...]) -> Position:
        """Where a recipe's file says something."""
        return self._node(name).find(path).position

    def _node(self, name: str) -> Node:
        return read_yaml(self._paths[name], self.shown(name))
