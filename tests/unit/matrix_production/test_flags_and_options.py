"""Every flag and option is used by the text, and every combination of flags renders."""

import itertools
import os
from dataclasses import replace
from pathlib import Path

import pytest

from rocmimg.matrix import Selection, load, parse_set
from rocmimg.matrix.recipe import Catalogue, builtin_templates
from rocmimg.render import render

from .conftest import ROOT

CATALOGUE = Catalogue((builtin_templates(),))
FLAGS = CATALOGUE.flags()
OPTIONS = [(recipe, option) for recipe in CATALOGUE.names for option in CATALOGUE[recipe].options]
CANDIDATES = (
    "9.9.9",
    "<=9.9",
    "1.2.3+rocm1",
    "/else/where",
    "v9",
    "3.9",
    "A=B",
    "--with=x",
    "x==1",
    "ABCD",
    "https://else/where",
    "f" * 40,
    "e" * 64,
)


def fits(declaration, value):
    try:
        declaration.check(value)
    except ValueError:
        return False
    return True


def other_value(declaration, now):
    """An allowed value that is not ``now``."""
    candidates = {
        "bool": (True, False),
        "int": (7,),
        "choice": declaration.values,
        "list": tuple((text,) for text in CANDIDATES),
        "text": CANDIDATES,
    }[declaration.type]
    return next(value for value in candidates if value != now and fits(declaration, value))


@pytest.fixture(scope="module")
def everything(production):
    """Every cell but variants with every flag on, and cells with the recipes that those do not have."""
    lab = load(ROOT / "examples/lab/images.yaml")
    generic = load(Path(__file__).with_name("generic") / "images.yaml")
    cells = []
    for file, cell in (
        *((production.path, cell) for cell in production.cells if not cell.variant),
        *((lab.path, cell) for cell in lab.cells if any(c.recipe.name == "sdist" for c in cell.components)),
        *((generic.path, cell) for cell in generic.cells),
    ):
        sets = [f"flags.{flag}={'all' if FLAGS[flag].values else 'true'}" for flag in cell.flags]
        matrix = load(file, sets=map(parse_set, sets), selection=Selection(ids=(cell.id,)))
        cells.append((matrix, matrix.cell(cell.id), render(matrix, matrix.cell(cell.id)).text))
    return cells


@pytest.mark.parametrize(("recipe", "option"), OPTIONS, ids=[".".join(names) for names in OPTIONS])
def test_every_option_changes_the_text(recipe, option, everything):
    for matrix, cell, text in everything:
        component = next((c for c in cell.components if c.recipe.name == recipe), None)
        if component is None:
            continue
        value = other_value(component.recipe.options[option], component.options[option])
        other = replace(component, options={**component.options, option: value})
        changed = replace(cell, components=tuple(other if c is component else c for c in cell.components))
        if render(matrix, changed).text != text:
            return
    pytest.fail(f"{recipe} takes {option}, and nothing comes of it")


@pytest.mark.parametrize("flag", FLAGS)
def test_every_flag_changes_the_text(flag, production, dockerfiles):
    cell = next(cell for cell in production.cells if flag in cell.flags)
    value = next(str(v).lower() for v in (FLAGS[flag].values or (True, False)) if v != cell.flags[flag])
    changed = load(ROOT / "images.yaml", sets=[parse_set(f"flags.{flag}={value}")], selection=Selection(ids=(cell.id,)))
    assert render(changed, changed.cell(cell.id)).text != dockerfiles[cell.id].text


def all_pairs(names, values):
    """Rows in which each two names have each two of their values (greedy)."""
    missing = {
        ((one, a), (two, b))
        for one, two in itertools.combinations(names, 2)
        for a, b in itertools.product(values[one], values[two])
    }
    rows = []
    while missing:
        row = max(
            (dict(zip(names, chosen, strict=True)) for chosen in itertools.product(*(values[n] for n in names))),
            key=lambda row: sum(row[one] == a and row[two] == b for (one, a), (two, b) in missing),
        )
        rows.append(row)
        missing = {pair for pair in missing if not all(row[name] == value for name, value in pair)}
    return rows


@pytest.mark.parametrize("cell", ["rocm720-gfx942", "rocm1000-gfx1250-srt", "vllm-base-all", "vllm-all"])
def test_every_combination_of_flags_renders(cell, production):
    """Every two flags in every two values; the whole product with ROCMIMG_ALL_FLAGS=1."""
    names = tuple(production.cell(cell).flags)
    values = {name: FLAGS[name].values or ("true", "false") for name in names}
    if os.environ.get("ROCMIMG_ALL_FLAGS"):
        rows = [dict(zip(names, chosen, strict=True)) for chosen in itertools.product(*values.values())]
    else:
        rows = all_pairs(names, values)
    for flags in rows:
        sets = [parse_set(f"flags.{flag}={value}") for flag, value in flags.items()]
        matrix = load(ROOT / "images.yaml", sets=sets, selection=Selection(ids=(cell,)))
        text = render(matrix, matrix.cell(cell)).text
        for component, config in matrix.cell(cell).config.components.items():
            switch = CATALOGUE[config.uses or component].when
            if flags.get(switch) in ("false", "none"):
                assert f"# {component}" not in text, flags
                assert f"--from={component} " not in text, flags
