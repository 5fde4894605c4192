"""docs/reference.md: every key of images.yaml and of a recipe, and every option of the built-in recipes."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from rocmimg.matrix.recipe import Catalogue, Declaration, Recipe, builtin_templates
from rocmimg.matrix.schema import schema

_SECTIONS: Final = (
    ("Layer", "A cell", "Keys of `defaults`, of a target, of a variant and of an entry of `per_arch`."),
    ("Target", "A target", "Besides the keys of a cell."),
    ("Variant", "A variant", "Besides the keys of a cell."),
    ("Base", "base", "A plain string is an image. Exactly one of `image`, `rootfs` and `cell`."),
    ("Rootfs", "base.rootfs", ""),
    ("Component", "components.NAME", ""),
    ("DockerfileConfig", "dockerfile", "A plain string is its path."),
    ("Content", "contents.NAME", ""),
    ("Network", "network", ""),
    ("Cache", "cache", ""),
    ("Checks", "checks", ""),
    ("Waiver", "checks.waivers", "An entry of the list."),
    ("Release", "release", ""),
    ("Runners", "runners", ""),
    ("Arch", "architectures.NAME", ""),
)
_RECIPE_SECTIONS: Final = (
    ("Recipe", "Keys of a recipe", "`templates/components/NAME.yaml`."),
    ("EnvWith", "env_with of a recipe", ""),
    ("Apt", "apt of a recipe", ""),
    ("Declaration", "A flag or an option of a recipe", ""),
)


def reference() -> str:
    """The page, in Markdown."""
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    catalogue = Catalogue((builtin_templates(),))
    whole = schema()
    definitions: dict[str, Any] = whole["$defs"]
    layer = set(definitions["Layer"]["properties"])
    yield "# Reference of images.yaml and of the recipes"
    yield ""
    yield "Written by `rocmimg export reference`, from the models that read the files."
    yield ""
    yield "A mapping merges key by key down the cascade: `defaults`, the chain of `extends`, variant, architecture,"
    yield "`--set`. `null` removes an inherited key. A scalar or a list replaces what was inherited, unless it appends."
    yield from _table("The file", "", whole["properties"])
    for name, title, note in _SECTIONS:
        properties = definitions[name]["properties"]
        if name in ("Target", "Variant"):
            properties = {key: value for key, value in properties.items() if key not in layer}
        yield from _table(title, note, properties)
    recipe = Recipe.model_json_schema(ref_template="#/$defs/{model}")
    models = {"Recipe": recipe, **recipe["$defs"]}
    for name, title, note in _RECIPE_SECTIONS:
        properties = {
            key: value for key, value in models[name]["properties"].items() if key not in ("name", "template")
        }
        yield from _table(title, note, properties)
    yield ""
    yield "## Flags"
    yield ""
    yield "| flag | value | default | recipes | meaning |"
    yield "|---|---|---|---|---|"
    for flag, declaration in sorted(catalogue.flags().items()):
        takers = ", ".join(catalogue.declaring(flag))
        yield _row((f"`{flag}`", declared(declaration), shown_value(declaration.default), takers, declaration.help))
    yield ""
    yield "## Recipes"
    for name in catalogue.names:
        yield from recipe_lines(catalogue[name])


def recipe_lines(recipe: Recipe) -> Iterator[str]:
    """The section of one recipe."""
    yield ""
    yield f"### {recipe.name}"
    yield ""
    switch = f" Switched by the flag `{recipe.when}`." if recipe.when else ""
    ways = f" Installed as {' or '.join(recipe.install)}." if recipe.install else ""
    yield f"{recipe.description} Sources: {' or '.join(recipe.sources)}.{ways}{switch}"
    if not recipe.options:
        return
    yield ""
    yield "| option | value | default | meaning |"
    yield "|---|---|---|---|"
    for name, option in recipe.options.items():
        yield _row((f"`{name}`", declared(option), shown_value(option.default), option.help))


def _table(title: str, note: str, properties: Mapping[str, Any]) -> Iterator[str]:
    yield ""
    yield f"## {title}"
    yield ""
    if note:
        yield note
        yield ""
    yield "| key | value | default | meaning |"
    yield "|---|---|---|---|"
    for key, value in properties.items():
        meaning = " ".join(value.get("description", "").split()).replace("``", "`")
        rule = " Appends." if value.get("x-inherit") == "append" else ""
        default = "" if isinstance(value.get("default"), dict) else shown_value(value.get("default"))
        yield _row((f"`{key}`", _type(value), default, meaning + rule))


def _type(value: Mapping[str, Any]) -> str:
    """What a value may be, from its JSON schema."""
    if "enum" in value:
        return ", ".join(shown_value(one) for one in value["enum"] if one != "")
    if "const" in value:
        return shown_value(value["const"])
    if "anyOf" in value:
        return " or ".join(dict.fromkeys(_type(one) for one in value["anyOf"] if one.get("type") != "null"))
    if "$ref" in value:
        titles = {name: title for name, title, _ in (*_SECTIONS, *_RECIPE_SECTIONS)}
        title = titles[value["$ref"].rpartition("/")[2]]
        return f"[{title}](#{re.sub(r'[^a-z0-9-]', '', title.lower().replace(' ', '-'))})"
    match value.get("type"):
        case "array":
            return f"list of {_type(value.get('items', {}))}"
        case "object":
            inner = next(iter(value.get("patternProperties", {}).values()), value.get("additionalProperties"))
            return f"name: {_type(inner)}" if isinstance(inner, dict) and inner else "mapping"
        case list() as several:
            return " or ".join(map(str, several)).replace("string", "text").replace("integer", "number")
        case "boolean":
            return "true, false"
        case "integer":
            return "number"
    return "text"


def declared(declaration: Declaration) -> str:
    """What a value of a flag or an option may be."""
    if declaration.type == "choice":
        return ", ".join(map(shown_value, declaration.values))
    return {"bool": "true, false", "int": "number", "list": "list of text"}.get(declaration.type, "text")


def shown_value(value: Any) -> str:
    return "" if value in ("", None) or value in ([], {}, ()) else f"`{json.dumps(value)}`"


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cell.replace('|', '&#124;') for cell in cells)} |"
