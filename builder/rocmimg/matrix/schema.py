"""The JSON schema of images.yaml, flags and recipes of the built-in catalogue included."""

from __future__ import annotations

from typing import Any

from rocmimg.matrix.model import Arch, CellConfig
from rocmimg.matrix.recipe import Catalogue, Declaration, builtin_templates

_TYPES = {"bool": "boolean", "int": "integer", "text": "string", "list": "array"}


def schema() -> dict[str, Any]:
    """Draft 2020-12, as editors read it."""
    catalogue = Catalogue((builtin_templates(),))
    layer = CellConfig.model_json_schema(ref_template="#/$defs/{model}")
    definitions: dict[str, Any] = layer.pop("$defs")
    definitions["Arch"] = Arch.model_json_schema()
    for name, definition in (("Layer", layer), *definitions.items()):
        if name != "Arch":
            definition.pop("required", None)  # each layer says only what it changes
    properties = layer["properties"]
    properties["base"] = {
        "description": "An image, or what the base is made from.",
        "anyOf": [{"type": "string"}, {"$ref": "#/$defs/Base"}],
    }
    properties["dockerfile"] = {
        "description": properties["dockerfile"]["description"],
        "anyOf": [{"type": "string"}, {"$ref": "#/$defs/DockerfileConfig"}, {"type": "null"}],
    }
    properties["flags"]["properties"] = {
        name: _declared(declaration) for name, declaration in sorted(catalogue.flags().items())
    }
    _nullable_entries(properties)
    component = definitions["Component"]["properties"]
    component["uses"]["examples"] = list(catalogue.names)
    options = {
        name: _declared(declaration)
        for recipe in catalogue.names
        for name, declaration in catalogue[recipe].options.items()
    }
    component["options"]["properties"] = dict(sorted(options.items()))
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "images.yaml of rocmimg",
        "type": "object",
        "additionalProperties": False,
        "required": ["targets"],
        "properties": {
            "architectures": _table("GPU architectures besides the built-in ones.", {"$ref": "#/$defs/Arch"}),
            "defaults": {"$ref": "#/$defs/Layer", "description": "What every target starts from."},
            "targets": _table("Target name -> what it is.", {"$ref": "#/$defs/Target"}),
            "templates": {"type": "string", "description": "Folder of the project's own templates."},
        },
        "$defs": {**definitions, "Layer": layer, **_target(properties)},
    }


def _target(properties: dict[str, Any]) -> dict[str, Any]:
    group = {"type": "object", "minProperties": 1, "maxProperties": 1}
    own = {
        "extends": {"type": "string", "description": "The target to inherit from."},
        "gpu_archs": {
            "type": "array",
            "minItems": 1,
            "description": "One cell each: a gfx name, or {name: [gfx names]} for one image of several.",
            "items": {"anyOf": [{"type": "string"}, group]},
        },
        "per_arch": _table("Overrides for one entry of gpu_archs.", {"$ref": "#/$defs/Layer"}),
        "variants": _table("Further cells: name -> what differs.", {"$ref": "#/$defs/Variant"}),
    }
    opt_in = {"type": "boolean", "description": "Only built when asked for by id or --variant."}
    closed = {"type": "object", "additionalProperties": False}
    return {
        "Target": closed | {"properties": properties | own},
        "Variant": closed | {"properties": properties | {"opt_in": opt_in}},
    }


def _table(description: str, values: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "description": description, "additionalProperties": values}


def _nullable_entries(properties: dict[str, Any]) -> None:
    for key in ("components", "contents", "env", "labels"):
        entry = properties[key].get("additionalProperties")
        if isinstance(entry, dict):
            properties[key]["additionalProperties"] = {"anyOf": [entry, {"type": "null"}]}
        for pattern, value in properties[key].get("patternProperties", {}).items():
            properties[key]["patternProperties"][pattern] = {"anyOf": [value, {"type": "null"}]}


def _declared(declaration: Declaration) -> dict[str, Any]:
    shape: dict[str, Any] = {"description": declaration.help, "default": declaration.default}
    if declaration.type == "choice":
        shape["enum"] = list(declaration.values)
    elif declaration.type == "bool":
        shape["enum"] = [True, False, 0, 1]
    else:
        shape["type"] = _TYPES[declaration.type]
    return shape
