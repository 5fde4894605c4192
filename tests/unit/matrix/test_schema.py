"""The schema that editors complete images.yaml from."""

import json
from pathlib import Path

import jsonschema
import pytest
import yaml

from rocmimg.matrix.nodes import read_yaml
from rocmimg.matrix.recipe import Catalogue, Recipe, builtin_templates
from rocmimg.matrix.reference import reference
from rocmimg.matrix.schema import schema

ROOT = Path(__file__).parents[3]


def test_the_committed_copy_is_current():
    committed = json.loads((ROOT / "docs/images.schema.json").read_text())
    assert committed == json.loads(json.dumps(schema())), "run: rocmimg export schema > docs/images.schema.json"


def test_the_committed_reference_is_current():
    committed = (ROOT / "docs/reference.md").read_text()
    assert committed == reference(), "run: rocmimg export reference > docs/reference.md"


def test_every_key_says_what_it_is():
    whole = schema()
    shapes = {"the file": whole, **whole["$defs"], "Recipe": Recipe.model_json_schema()}
    shapes |= shapes["Recipe"]["$defs"]
    silent = [
        f"{name}.{key}"
        for name, shape in shapes.items()
        for key, value in shape.get("properties", {}).items()
        if not value.get("description") and (name, key) != ("Recipe", "name")
    ]
    assert silent == []


def test_every_recipe_and_option_is_in_the_reference():
    page, catalogue = reference(), Catalogue((builtin_templates(),))
    for name in catalogue.names:
        _, _, rest = page.partition(f"\n### {name}\n")
        assert catalogue[name].description in rest
        section = rest.partition("\n### ")[0]
        assert [key for key in catalogue[name].options if f"| `{key}` |" not in section] == []


def test_our_own_matrix_fits():
    plain = json.loads(json.dumps(read_yaml(ROOT / "images.yaml").plain()))
    jsonschema.validate(plain, schema(), cls=jsonschema.Draft202012Validator)


@pytest.mark.parametrize(
    "text",
    [
        "targets: {t: {flagz: {}}}",
        "targets: {t: {flags: {BUILD_LLVM: maybe}}}",
        "targets: {t: {components: {aiter: {reff: v1}}}}",
        "targets: {t: {gpu_archs: []}}",
    ],
)
def test_what_the_loader_refuses_an_editor_marks(text):
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(yaml.safe_load(text), schema(), cls=jsonschema.Draft202012Validator)
