"""What an image must be is said once: whoever tells it, tells the same."""

import json

from rocmimg.cli import run
from rocmimg.plan import make_plan
from rocmimg.plan.expected import ExpectedImage

COMMIT = "a" * 40
MATRIX = f"""
    targets:
      t:
        gpu_archs: [gfx942]
        base: debian:testing
        version: v7
        components:
          aiter: {{repo: "https://example.org/aiter", ref: {COMMIT}, picks: ["{"b" * 40}"], gpu_archs: [gfx942]}}
          own: {{uses: aiter, module: own, source: "local:own@dev", options: {{requirements: ""}}}}
          amdgpu-ids: {{options: {{release: "7.0", codename: jammy}}}}
"""


def test_list_and_manifest_say_the_same_of_components(load_matrix, tmp_path, capsys):
    (tmp_path / "own@dev").mkdir()
    (image,) = make_plan(load_matrix(MATRIX), ["t-gfx942"]).images
    (manifest,) = [json.loads(file.data) for file in image.context if file.path == ".rocmimg/manifest.json"]
    assert run(["list", "--json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert row["components"] == manifest["components"]
    found = {one["name"]: one for one in row["components"]}
    assert (found["aiter"]["source"], found["aiter"]["commit"], found["aiter"]["picks"]) == ("git", COMMIT, ["b" * 40])
    assert (found["own"]["source"], found["own"]["repo"], found["own"]["ref"]) == ("local:own@dev", "", "")
    assert found["amdgpu-ids"]["source"] == "none"
    assert (manifest["version"], row["tags"]) == ("v7", list(image.expected.tags))


def test_it_travels_as_json(load_matrix, tmp_path):
    (tmp_path / "own@dev").mkdir()
    (image,) = make_plan(load_matrix(MATRIX), ["t-gfx942"]).images
    assert ExpectedImage.model_validate_json(image.expected.model_dump_json()) == image.expected
