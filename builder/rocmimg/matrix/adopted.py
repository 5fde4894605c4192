"""Images that no recipe makes: from a Dockerfile of the project's own, or built by another pipeline."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, Literal

from rocmimg.errors import ConfigError, ConfigErrors
from rocmimg.matrix.cascade import merge
from rocmimg.matrix.cell import ResolvedComponent
from rocmimg.matrix.dockerfile import fields_of
from rocmimg.matrix.model import CellConfig, Component, Content
from rocmimg.matrix.nodes import Node, mapping
from rocmimg.matrix.recipe import Recipe
from rocmimg.source import Git, Local, Nothing, SourceSpec

Origin = Literal["recipes", "dockerfile", "prebuilt"]
ORIGINS: Final[tuple[Origin, ...]] = ("dockerfile", "prebuilt")
OF_RECIPES: Final = (
    "base", "components", "env", "apt", "common_pip", "pip", "uninstall", "protect", "workdir", "user", "entrypoint",
    "command",
)  # fmt: skip


def origin_of(node: Node) -> Origin:
    """Where the image of a merged layer comes from.

    Raises:
        ConfigError: it names two places.
    """
    named = [key for key in ORIGINS if key in node.children]
    if len(named) > 1:
        later = max((node.children[key] for key in named), key=lambda one: one.position)
        raise ConfigError(
            "dockerfile and prebuilt exclude each other", next_step="remove one of them", position=later.position
        )
    return named[0] if named else "recipes"


def merged(layers: Iterable[Node]) -> Node:
    """The layers of a cell as one. What ``defaults``, the first of them, say for recipes does not reach other images.

    Raises:
        ConfigErrors: keys that exclude each other.
    """
    defaults, *own = layers
    node = merge([defaults, *own])
    origin = origin_of(node)
    if origin == "recipes":
        if "contents" in node.children:
            raise ConfigError(
                "contents is for an image from `dockerfile` or `prebuilt`",
                why="what recipes install is known",
                next_step="name it under components",
                position=node.children["contents"].position,
            )
        return node
    if origin not in defaults.children:
        kept = {key: child for key, child in defaults.children.items() if key not in OF_RECIPES}
        node = merge([mapping(kept, defaults.position), *own])
    place = node.find((origin, "path")).plain() if origin == "dockerfile" else "the pipeline that builds it"
    errors = [
        ConfigError(
            f"{key} and {origin} exclude each other",
            why=f"{place} decides it",
            next_step="name what is in the image under contents"
            if key == "components"
            else f"remove {key}, or {origin}",
            position=node.children[key].position,
        )
        for key in (*OF_RECIPES, *(("labels",) if origin == "prebuilt" else ()))
        if key in node.children
    ]
    if errors:
        raise ConfigErrors(errors)
    base = mapping({"image": Node("scratch", node.position)}, node.position)  # until the Dockerfile is read
    return mapping({**node.children, "base": base}, node.position)


def contents(config: CellConfig, origin: Origin, node: Node, archs: tuple[str, ...]) -> tuple[ResolvedComponent, ...]:
    """What the image has inside, as components that nobody builds.

    Raises:
        ConfigError: a source is half said.
    """
    return tuple(_content(name, one, config, origin, node, archs) for name, one in config.contents.items())


def _content(
    name: str, content: Content, config: CellConfig, origin: Origin, node: Node, archs: tuple[str, ...]
) -> ResolvedComponent:
    here = node.find(("contents", name))
    source: SourceSpec = Nothing()
    if content.source.startswith("local:"):
        source = Local(folder=content.source.removeprefix("local:"))
    elif content.repo and content.ref:
        source = Git(repo=content.repo, ref=content.ref.replace("{version}", config.version))
    elif content.repo or content.ref:
        missing = "ref" if content.repo else "repo"
        raise ConfigError(f"contents.{name}: {missing} is missing", next_step=f"add {missing}", position=here.position)
    module = content.module or name.replace("-", "_")
    return ResolvedComponent(
        name=name,
        recipe=Recipe(
            name=origin,
            description=f"in the image from its {origin}" if origin == "dockerfile" else "in the prebuilt image",
            framework=content.framework,
            kernels=content.kernels,
            import_needs_gpu=content.import_needs_gpu,
        ),
        config=Component(repo=content.repo, ref=content.ref, capabilities=content.capabilities),
        install="wheel",
        module=module,
        directory=content.checkout,
        options={},
        archs=archs,
        build_pip={},
        paths=(),
        position=here.position,
        source=source,
    )


def flag_fields(config: CellConfig) -> dict[str, str]:
    """Flags as build arguments have them: true and false are 1 and 0, as upstream's are."""
    return {name: str(int(value) if isinstance(value, bool) else value) for name, value in config.flags.items()}


def used_flags(config: CellConfig) -> dict[str, bool | int | str]:
    """The flags that a build argument names."""
    patterns = config.dockerfile.args.values() if config.dockerfile else ()
    used = {name for pattern in patterns for name in fields_of(pattern)}
    return {name: value for name, value in config.flags.items() if name in used}
