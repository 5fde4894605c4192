"""Each wrong images.yaml: position, what, why or next step, and the exit code of configurations."""

import pytest

from rocmimg.errors import ConfigError
from rocmimg.matrix.nodes import parse_yaml, read_yaml

GOOD = """
    targets:
      t:
        gpu_archs: [gfx942]
        base: debian:testing
"""

CASES = {
    "an empty file": ("", "images.yaml:1: the file is empty"),
    "only a comment": ("# nothing\n", "the file is empty"),
    "YAML syntax": ("targets:\n  t: [gfx942\n", "images.yaml:3: this is not YAML"),
    "a nesting that nobody writes": ("targets: " + "{a: " * 2000 + "1" + "}" * 2000, "this is nested too deeply"),
    "no targets": ("defaults: {image: x}\n", "there are no targets"),
    "unknown top key": ("target: {}\n", "images.yaml:1: unknown key target; did you mean 'targets'?"),
    "unknown key": (GOOD + "        flagz: {}\n", "images.yaml:5: unknown key targets.t.flagz; did you mean 'flags'?"),
    "unknown nested key": (
        GOOD + "        network: {ca_bundel: x}\n",
        "images.yaml:5: unknown key network.ca_bundel; did you mean 'ca_bundle'?",
    ),
    "wrong type": (GOOD + "        env: [A, B]\n", "images.yaml:5: env must be a mapping; it is a list"),
    "true for text": (
        GOOD + "        env: {A: true}\n",
        'images.yaml:5: env.A must be text; it is true or false; put it in quotes, "true"',
    ),
    "unknown arch": (
        "targets:\n  t: {base: x, gpu_archs: [gfx943]}\n",
        "images.yaml:2: unknown arch 'gfx943'; did you mean 'gfx942'?",
    ),
    "an arch twice": ("targets:\n  t: {base: x, gpu_archs: [gfx942, gfx942]}\n", "gpu_archs names 'gfx942' twice"),
    "override of an arch that is not built": (
        GOOD + "        per_arch: {gfx95: {}}\n",
        "images.yaml:5: targets.t.per_arch: unknown arch 'gfx95'",
    ),
    "unknown flag": (
        GOOD + "        flags: {BUILD_ATER_ALL: true}\n",
        "images.yaml:5: unknown flag BUILD_ATER_ALL; did you mean 'BUILD_AITER_ALL'?",
    ),
    "a flag without effect": (
        GOOD + "        flags: {BUILD_AITER_ALL: true}\n",
        "images.yaml:5: flag BUILD_AITER_ALL has no effect on t-gfx942; only aiter takes it",
    ),
    "duplicate key": (
        "targets:\n  t: {base: x}\n  t: {base: y}\n",
        "images.yaml:3: duplicate key 't'; line 2 has it too; keep one",
    ),
    "one tag for two cells": (
        "targets:\n  t:\n    base: x\n    gpu_archs: [gfx942, gfx950]\n    tags: ['{version}']\n",
        "images.yaml:5: t-gfx942 and t-gfx950 have one tag, rocmimg:dev",
    ),
    "a tag with an unknown field": (
        GOOD + "        tags: ['{versoin}']\n",
        "tag pattern '{versoin}' has an unknown field 'versoin'; did you mean 'version'?",
    ),
    "a tag that is none": (GOOD + "        version: a b\n", "'a b-t-mi30x' is not an image tag"),
    "extends in a circle": (
        "targets:\n  a: {extends: b, gpu_archs: [gfx942]}\n  b: {extends: a}\n",
        "images.yaml:3: circular extends: a -> b -> a",
    ),
    "extends nothing": (
        "targets:\n  a: {extends: bb, gpu_archs: [gfx942]}\n",
        "images.yaml:2: extends: unknown target 'bb'",
    ),
    "no base": ("targets:\n  t:\n    gpu_archs: [gfx942]\n", "base is missing; add it"),
    "two bases": (
        "targets:\n  t:\n    gpu_archs: [gfx942]\n    base: {image: a, cell: b}\n",
        "images.yaml:4: base is wrong",
    ),
    "base in a circle": (
        "targets:\n  a: {gpu_archs: [gfx942], base: {cell: b}}\n  b: {gpu_archs: [gfx942], base: {cell: a}}\n",
        "circular bases: ",
    ),
    "base is no cell": (
        "targets:\n  a: {gpu_archs: [gfx942], base: {cell: c}}\n",
        "images.yaml:2: base: there is no cell or target 'c'",
    ),
    "base without this arch": (
        "targets:\n  a: {gpu_archs: [gfx942], base: {cell: b}}\n  b: {gpu_archs: [gfx950], base: x}\n",
        "images.yaml:2: base: b has no cell for gfx942; name one: b-gfx950",
    ),
    "newline in a value": (GOOD + '        env: {A: "x\\ny"}\n', "images.yaml:5: a value holds the control character"),
    "command in a ref": (
        GOOD + "        components: {aiter: {repo: https://x/y, ref: $(reboot)}}\n",
        "components.aiter.ref is wrong; '$(reboot)' is not a git ref",
    ),
    "quote in a repository": (
        GOOD + '        components: {aiter: {repo: "https://x/y\'", ref: v1}}\n',
        "components.aiter.repo is wrong",
    ),
    "an option as a ref": (
        GOOD + "        components: {aiter: {repo: https://x/y, ref: --upload-pack=x}}\n",
        "components.aiter.ref is wrong",
    ),
    "an abbreviated commit": (
        GOOD + "        components: {aiter: {repo: https://x/y, ref: a6bb4993}}\n",
        "abbreviated commit",
    ),
    "backslash in an image": (GOOD.replace("debian:testing", "a\\b"), "images.yaml:4: base.image is wrong"),
    "unknown component": (
        GOOD + "        components: {aitr: {repo: https://x/y, ref: v1}}\n",
        "images.yaml:5: component aitr: there is no recipe 'aitr'",
    ),
    "unknown option": (
        GOOD + "        components: {aiter: {repo: https://x/y, ref: v1, options: {max_job: 1}}}\n",
        "images.yaml:5: component aiter: aiter takes no option 'max_job'; did you mean 'max_jobs'?",
    ),
    "wrong option": (
        GOOD + "        components: {aiter: {repo: https://x/y, ref: v1, options: {max_jobs: many}}}\n",
        "components.aiter.options.max_jobs is wrong; 'many' is not a number",
    ),
    "no ref": (
        GOOD + "        components: {aiter: {repo: https://x/y}}\n",
        "images.yaml:5: component aiter: ref is missing",
    ),
    "install mode that it does not have": (
        GOOD + "        flags: {BUILD_LLVM: 1}\n"
        "        components: {llvm: {repo: https://x/y, ref: v1, install: wheel}}\n",
        "images.yaml:6: component llvm: llvm cannot be installed as wheel",
    ),
    "a hundred thousand brackets": (
        "targets: " + "[" * 100_000,
        "images.yaml:1: this is nested too deeply; the limit is 100 levels; write it flatter",
    ),
    "a thousand lists in block style": ("targets:\n  " + "- " * 1000 + "x", "this is nested too deeply"),
    "a thousand steps to the right": (
        "\n".join(" " * step + "a:" for step in range(1000)),
        "images.yaml:101: this is nested too deeply",
    ),
    "aliases of aliases": (
        "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
        + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 10)),
        "images.yaml:6: this grows to more than 1,000,000 values; aliases stand for aliases",
    ),
    "a chain of aliases": (
        "a0: &a0 [x]\n" + "".join(f"a{n}: &a{n} [*a{n - 1}]\n" for n in range(1, 5000)),
        "this is nested too deeply",
    ),
    "an alias of itself": ("targets: &t\n  t: *t\n", "images.yaml:1: an alias contains itself"),
    "a target's name": (
        "targets: {../../x: {base: x, gpu_archs: [gfx942]}}\n",
        "images.yaml:1: targets: '../../x' is not a name (lower case letters, digits and . _ - between them)",
    ),
    "a command as a target's name": ("targets: {$(id): {base: x, gpu_archs: [gfx942]}}\n", "targets: '$(id)' is not a"),
    "a long name": (f"targets: {{{'a' * 65}: {{base: x, gpu_archs: [gfx942]}}}}\n", "it has more than 64 characters"),
    "a variant's name": (GOOD + "        variants: {../v: {}}\n", "images.yaml:5: targets.t.variants: '../v' is not a"),
    "a group's name": (GOOD.replace("[gfx942]", "[{a b: [gfx942]}]"), "images.yaml:3: gpu_archs: 'a b' is not a name"),
    "an architecture's name": ("architectures: {gfx 9;x: {alias: x}}\n" + GOOD.lstrip(), "'gfx 9;x' is not a name"),
    "a list in gpu_archs": (
        GOOD.replace("[gfx942]", "[[x]]"),
        "images.yaml:3: an entry of gpu_archs is neither a name nor a group of names; for instance",
    ),
    "a mapping in a group": (GOOD.replace("[gfx942]", "[{x: {y: z}}]"), "neither a name nor a group of names"),
    "a list in a group": (GOOD.replace("[gfx942]", "[{x: [[gfx942]]}]"), "neither a name nor a group of names"),
    "an empty group": (GOOD.replace("[gfx942]", "[{x: []}]"), "neither a name nor a group of names"),
    "nothing in gpu_archs": (GOOD.replace("[gfx942]", "[~]"), "neither a name nor a group of names"),
    "a password in the environment": (
        GOOD + "        env: {A: x, B: 'see https://me:hunter2@h/'}\n",
        "images.yaml:5: env.B has a URL with a password or a token; it would stay in the image",
    ),
    "a token in a label": (GOOD + "        labels: {a: 'https://hunter2@h'}\n", "labels.a has a URL with a password"),
    "a label by which images are recognized": (
        GOOD + "        labels:\n          io.rocmimg.cell: other-gfx942\n",
        "images.yaml:6: labels.io.rocmimg.cell is wrong; io.rocmimg.cell is written by rocmimg itself",
    ),
    "such a label in other letters": (GOOD + "        labels: {IO.Rocmimg.Plan: x}\n", "is written by rocmimg itself"),
    "a password in a list": (
        GOOD + "        command: [x, 'postgres://u:hunter2@h/db']\n",
        "images.yaml:5: command.1 has a URL with a password",
    ),
    "a password in a repository": (
        GOOD + "        components: {aiter: {repo: 'https://u:hunter2@h/x', ref: v1}}\n",
        "images.yaml:5: components.aiter.repo is wrong; a password in a URL would stay",
    ),
    "a password in a URL that is none": (
        GOOD + "        network: {http_proxy: 'http://u:hunter2 x@h'}\n",
        "images.yaml:5: network.http_proxy is wrong; 'http://***@h' is not a repository's URL",
    ),
    "merge key": ("targets:\n  t:\n    <<: {base: x}\n", "images.yaml:3: merge keys are not supported; use `extends`"),
}


@pytest.mark.parametrize(("text", "message"), CASES.values(), ids=CASES.keys())
def test_message_names_the_place_and_the_way_out(load_matrix, text, message):
    with pytest.raises(ConfigError) as caught:
        load_matrix(text)
    assert message in str(caught.value)
    assert caught.value.exit_code == 3


def test_a_file_over_the_limit_is_not_read(tmp_path):
    path = tmp_path / "images.yaml"
    path.write_bytes(b"#" * (8 << 20) + b"\n")
    with pytest.raises(ConfigError, match="has 8,388,609 bytes; the limit is 8,388,608"):
        read_yaml(path)


def test_many_brackets_on_one_line_are_fine():
    line = "[" + ", ".join(["[a, {b: c}]"] * 1000) + "]"
    assert len(parse_yaml(line, "x").plain()) == 1000


def test_the_good_one_loads(load_matrix):
    assert [cell.id for cell in load_matrix(GOOD).cells] == ["t-gfx942"]


def test_all_errors_are_told_at_once(load_matrix):
    with pytest.raises(ConfigError) as caught:
        load_matrix(GOOD + "        env: {A: true}\n        workdir: relative\n")
    assert "images.yaml:5: env.A" in str(caught.value)
    assert "images.yaml:6: workdir" in str(caught.value)


def test_a_missing_file_says_how_to_name_one(tmp_path):
    from rocmimg.matrix import load

    with pytest.raises(ConfigError, match="--file"):
        load(tmp_path / "images.yaml")
