"""What README and docs say, held to the code."""

import ast
import re
from pathlib import Path

import pytest
import yaml

import rocmimg.errors
from rocmimg.cli import VERBS
from rocmimg.matrix import load
from rocmimg.matrix.recipe import Catalogue, Recipe, builtin_templates
from rocmimg.matrix.reference import recipe_lines
from rocmimg.plan import make_plan

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "SECURITY.md", *sorted((ROOT / "docs").glob("*.md"))]


def test_every_exit_code_has_its_row():
    kinds = [one for one in vars(rocmimg.errors).values() if isinstance(one, type) and "exit_code" in vars(one)]
    codes = {one.exit_code for one in kinds if one.exit_code > 1}
    rows = re.findall(r"^\| (\d+) \|", (ROOT / "docs/exit-codes.md").read_text(), re.MULTILINE)
    assert codes <= set(map(int, rows))
    assert set(map(int, rows)) - codes == {0, 1, 2, 130, 143}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_verbs_that_are_shown_exist(page):
    shown = set(re.findall(r"`rocmimg ([a-z]+)", page.read_text(encoding="utf-8")))
    shown |= set(re.findall(r"^    (?:\$ )?rocmimg ([a-z]+)", page.read_text(encoding="utf-8"), re.MULTILINE))
    assert shown <= set(VERBS), shown - set(VERBS)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", page.read_text(encoding="utf-8")):
        assert (page.parent / target).exists(), target


def test_the_matrix_of_the_readme_plans(tmp_path):
    (text,) = [block for block in re.findall(r"```yaml\n(.*?)```", README, re.DOTALL) if "targets:" in block]
    (tmp_path / "images.yaml").write_text(text)
    matrix = load(tmp_path / "images.yaml")
    plan = make_plan(matrix, [cell.id for cell in matrix.cells])
    assert [image.id for image in plan.images] == ["mine-gfx942"]
    assert yaml.safe_load(text)["targets"]["mine"]["base"] in plan["mine-gfx942"].dockerfile


def _rows_of_attacks():
    """Each row of the tables of docs/threat-model.md that end with a test: the attack, and (file, part of a name)."""
    lines = (ROOT / "docs/threat-model.md").read_text().splitlines()
    in_table = False
    for line in lines:
        cells = [cell.strip() for cell in line.strip("|").split(" | ")]
        in_table = line.startswith("|") and (in_table or cells[-1].strip(" |") == "test")
        if not in_table or cells[-1].strip(" |") == "test" or set(line) <= set("|- "):
            continue
        file, named = "", []
        for word in re.split(r",? +", cells[-1].strip(" |")):
            is_file = ".py" in word
            if is_file:
                file = word.rstrip(":") if "/" in word else f"tests/integration/release/{word.rstrip(':')}"
            named.append((file, "" if is_file else word))
        yield cells[0], named


def test_every_attack_of_the_threat_model_names_its_test():
    rows = list(_rows_of_attacks())
    assert len(rows) > 90
    for attack, named in rows:
        assert named, f"{attack}: no test is named"
        for file, part in named:
            assert (ROOT / file).is_file(), f"{attack}: {file}"
            names = re.findall(r"^ *def (test_\w+)", (ROOT / file).read_text(encoding="utf-8"), re.MULTILINE)
            assert [name for name in names if part in name], f"{attack}: no test of {file} has {part!r} in its name"


def test_the_readme_is_a_page():
    assert len(README.splitlines()) <= 110


def test_the_keys_of_a_recipe_are_those_of_its_page():
    """What a recipe declares, by key: as docs/recipes.md has it, and as the model reads it."""
    table = (ROOT / "docs/recipes.md").read_text().split("## What a recipe declares")[1].split("\n## ")[0]
    shown = {
        key.partition(".")[0]
        for cell in re.findall(r"^\| (`[^|]+) \|", table, re.MULTILINE)
        for key in re.findall(r"`([\w.]+)`", cell)
    }
    assert shown == set(Recipe.model_fields) - {"name", "template"}


def test_every_option_that_a_verb_lists_is_in_the_reference():
    page = (ROOT / "docs/reference.md").read_text()
    catalogue = Catalogue((builtin_templates(),))
    for name in catalogue.names:
        assert "\n".join(recipe_lines(catalogue[name])) in page, name


def test_no_message_points_to_a_file_that_the_wheel_does_not_have():
    named = re.compile(r"\b(docs/[a-z-]+\.md|README|CONTRIBUTING|examples/)")
    told = [
        (path.name, text)
        for path in Path(rocmimg.errors.__file__).parent.rglob("*.py")
        if named.search(path.read_text())
        for text in _messages(ast.parse(path.read_bytes()))
        if named.search(text)
    ]
    assert told == []


def _messages(tree):
    """Texts of a module but those that stand as statements: nobody is shown them."""
    shown_to_nobody = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    texts = (node for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str))
    return [node.value for node in texts if id(node) not in shown_to_nobody]
