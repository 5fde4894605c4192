"""The schema that editors complete images.yaml from."""

import json
from pathlib import Path

import jsonschema
import pytest
import yaml

from rocmimg.matrix.nodes import read_yaml
from rocmimg.matrix.schema import schema

ROOT = Path(__file__).parents[3]


def test_the_committed_copy_is_current():
    committed = json.loads((ROOT / "docs/images.schema.json").read_text())
    assert committed == json.loads(json.dumps(schema())), "run: rocmimg export schema > docs/images.schema.json"


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
