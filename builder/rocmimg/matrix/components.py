"""One component of a cell: its recipe found, its options typed, its source, its place among the others."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from graphlib import CycleError, TopologicalSorter

from rocmimg.errors import ConfigError, did_you_mean
from rocmimg.matrix.cell import ResolvedComponent
from rocmimg.matrix.model import CellConfig, Component, OptionValue
from rocmimg.matrix.nodes import Node
from rocmimg.matrix.recipe import Catalogue, Declaration, Recipe
from rocmimg.source import Git, Local, Nothing, SourceSpec


def recipe_name(name: str, component: Component, node: Node, catalogue: Catalogue) -> str:
    """The name of the recipe that makes component ``name``.

    Raises:
        ConfigError: there is no such recipe.
    """
    recipe = component.uses or name
    if recipe not in catalogue:
        key = "uses" if component.uses else ""
        place = node.find(("components", name, key) if key else ("components", name)).position
        raise ConfigError(
            f"component {name}: there is no recipe {recipe!r}",
            why="a recipe is templates/components/<name>.yaml with its template beside it",
            next_step=did_you_mean(recipe, catalogue.names),
            position=place,
        )
    return recipe


def typed(value: object, declaration: Declaration, what: str, node: Node) -> OptionValue:
    """``value`` as ``declaration`` wants it; ``what`` is its name for the message.

    Raises:
        ConfigError: it does not fit.
    """
    try:
        return declaration.check(value)
    except ValueError as error:
        raise ConfigError(f"{what} is wrong", why=str(error), position=node.position) from None


def resolve_component(
    name: str,
    component: Component,
    node: Node,
    catalogue: Catalogue,
    flags: Mapping[str, bool | int | str],
    cell: CellConfig,
    archs: tuple[str, ...],
) -> ResolvedComponent | None:
    """Component ``name`` with its recipe's defaults; None where its flag switches it off.

    Raises:
        ConfigError: an option, a source, an install mode or an arch is wrong.
    """
    recipe = catalogue[recipe_name(name, component, node, catalogue)]
    here = node.find(("components", name))

    def wrong(key: str, what: str, next_step: str) -> ConfigError:
        place = here.children[key].position if key in here.children else here.position
        return ConfigError(f"component {name}: {what}", next_step=next_step, position=place)

    options: dict[str, OptionValue] = {key: _named(option.default, name) for key, option in recipe.options.items()}
    for key, value in component.options.items():
        if key not in recipe.options:
            raise ConfigError(
                f"component {name}: {recipe.name} takes no option {key!r}",
                next_step=did_you_mean(key, recipe.options),
                position=here.find(("options", key)).position,
            )
        place = here.find(("options", key))
        options[key] = typed(value, recipe.options[key], f"components.{name}.options.{key}", place)
    source, shared_with = _source(name, component, cell, here)
    source = _fitting(source, component, recipe, wrong)
    if component.install and component.install not in recipe.install:
        ways = " or ".join(recipe.install) or "nothing: it is not a Python package"
        raise wrong("install", f"{recipe.name} cannot be installed as {component.install}", f"it takes {ways}")
    for index, arch in enumerate(component.gpu_archs):
        if arch not in archs:
            raise ConfigError(
                f"component {name}: the cell is not for {arch}",
                next_step=did_you_mean(arch, archs),
                position=here.find(("gpu_archs", index)).position,
            )
    if recipe.when and flags[recipe.when] in (False, "none"):
        return None
    install = component.install or (recipe.install[0] if recipe.install else None)
    if component.source == "index":
        install = "wheel"
    module = component.module or recipe.module.replace("{name}", name.replace("-", "_"))
    directory = component.directory or recipe.directory or name
    checkout = f"{cell.workdir}/{directory}"
    return ResolvedComponent(
        name=name,
        recipe=recipe,
        config=component,
        install=install,
        module=module,
        directory=directory,
        options=options,
        archs=component.gpu_archs or archs,
        build_pip={**recipe.build_pip, **component.build_pip},
        paths=(
            *([checkout] if install == "editable" else []),
            *([f"site-packages/{module}"] if module else []),
            *(f"distribution {provided}" for provided in recipe.provides),
            *(pattern.format_map({**options, "directory": checkout}) for pattern in recipe.paths),
        ),
        position=here.position,
        source=source,
        shared_with=shared_with,
    )


def _fitting(
    source: SourceSpec, component: Component, recipe: Recipe, wrong: Callable[[str, str, str], ConfigError]
) -> SourceSpec:
    """``source`` where the recipe can use it."""
    match source:
        case _ if "none" in recipe.sources:
            if source != Git(repo="", ref=""):
                key = "repo" if component.repo else "ref" if component.ref else "source"
                raise wrong(key, f"{recipe.name} has no source of its own", f"remove {key}")
            return Nothing()
        case Nothing() if "index" not in recipe.sources:
            raise wrong("source", f"{recipe.name} cannot come from an index", f"use {' or '.join(recipe.sources)}")
        case Nothing() if component.repo or component.ref or component.install == "editable":
            key = next(key for key in ("repo", "ref", "install") if getattr(component, key))
            raise wrong(key, f"what comes from an index has no {key} of its own", f"remove {key}")
        case Local() if "local" not in recipe.sources:
            raise wrong("source", f"{recipe.name} cannot come from local", f"use {' or '.join(recipe.sources)}")
        case Git() if "git" not in recipe.sources:
            raise wrong("source", f"{recipe.name} cannot come from git", f"use {' or '.join(recipe.sources)}")
        case Git() if not (source.repo and source.ref):
            missing = "repo" if not source.repo else "ref"
            raise wrong(missing, f"{missing} is missing", f"add {missing}, or source: local:FOLDER")
    return source


def _named(default: OptionValue, name: str) -> OptionValue:
    """A recipe's default; ``{name}`` in a text is the component's name."""
    return default.replace("{name}", name) if isinstance(default, str) else default


def _source(name: str, component: Component, cell: CellConfig, here: Node) -> tuple[SourceSpec, str]:
    """What the keys source, repo, ref and so on of a component mean, and the component that they are taken from."""
    kind, _, rest = component.source.partition(":")
    if kind == "component":
        return _source_of_another(name, component, rest, cell, here), rest
    if kind == "local":
        return Local(folder=rest), ""
    if kind == "index":
        return Nothing(), ""
    ref = component.ref.replace("{version}", cell.version)
    return Git(repo=component.repo, ref=ref, picks=component.picks, reverts=component.reverts), ""


def _source_of_another(name: str, component: Component, owner: str, cell: CellConfig, here: Node) -> SourceSpec:
    place = here.find(("source",)).position
    other = cell.components.get(owner)
    if other is None or other.source.startswith("component:"):
        known = [key for key, value in cell.components.items() if not value.source.startswith("component:")]
        raise ConfigError(
            f"component {name}: {owner!r} is not a component with a source of its own",
            next_step=did_you_mean(owner, known),
            position=place,
        )
    if component.repo or component.ref:
        raise ConfigError(
            f"component {name} has the source of {owner}, and one of its own",
            next_step="remove repo and ref, or source",
            position=place,
        )
    return _source(owner, other, cell, here)[0]


def refuse_shared_paths(components: tuple[ResolvedComponent, ...]) -> None:
    """Raise a ConfigError where two components write one path: the later would hide what the earlier installed."""
    for index, component in enumerate(components):
        for other in components[:index]:
            for path in component.paths:
                if clash := next((p for p in other.paths if f"{path}/".startswith(f"{p}/") or p == path), None):
                    later = max(component, other, key=lambda c: (c.position.line, c.position.column))
                    raise ConfigError(
                        f"components {other.name} and {component.name} both write {clash}",
                        why="one would hide what the other installed",
                        next_step="remove one of them, or change its directory, module or options",
                        position=later.position,
                    )


def ordered(components: list[ResolvedComponent], node: Node) -> tuple[ResolvedComponent, ...]:
    """The components in an order in which each comes after those that it needs.

    Raises:
        ConfigError: there is a circle.
    """
    by_recipe: dict[str, list[str]] = {}
    for component in components:
        by_recipe.setdefault(component.recipe.name, []).append(component.name)
    graph = {
        c.name: [
            *(n for recipe in (*c.recipe.needs, *c.recipe.after) for n in by_recipe.get(recipe, ())),
            *_present_needs(c, components, node),
        ]
        for c in components
    }
    rank = {component.name: index for index, component in enumerate(components)}
    sorter = TopologicalSorter(graph)
    try:
        sorter.prepare()
    except CycleError as error:
        circle: list[str] = error.args[1]
        raise ConfigError(
            f"circular needs: {' -> '.join(circle)}",
            next_step="remove one `needs` or `after` from a recipe",
            position=node.find(("components", circle[0])).position,
        ) from None
    order: list[str] = []
    ready: list[str] = []
    while sorter.is_active():
        ready = sorted([*ready, *sorter.get_ready()], key=rank.__getitem__)
        first = ready.pop(0)
        order.append(first)
        sorter.done(first)
    by_name = {component.name: component for component in components}
    return tuple(by_name[name] for name in order)


def _present_needs(component: ResolvedComponent, components: list[ResolvedComponent], node: Node) -> list[str]:
    """Those that ``needs`` names, without those that their flags switch off."""
    known = node.find(("components",)).children
    for index, name in enumerate(component.config.needs):
        if name not in known:
            raise ConfigError(
                f"component {component.name} needs {name!r}, which the cell does not have",
                next_step=did_you_mean(name, known),
                position=node.find(("components", component.name, "needs", index)).position,
            )
    return [other.name for other in components if other.name in component.config.needs]
