"""No value from YAML changes the meaning of a rendered instruction: an independent parser gives it back."""

import contextlib
import io
import json
import re
import shlex
import subprocess
import tempfile
from pathlib import Path

import jinja2
import pytest
from dockerfile_parse import DockerfileParser
from hypothesis import given, settings
from hypothesis import strategies as st
from markupsafe import Markup

from rocmimg.errors import ConfigError, RocmimgError, TemplateError
from rocmimg.matrix import load
from rocmimg.matrix.model import Network
from rocmimg.render import network_files, render
from rocmimg.render.environment import environment as dockerfile_environment
from rocmimg.render.environment import render_template
from rocmimg.render.quoting import UnquotedValue, env, exec_form, fill, require_quoted, sh, word, words

one_line = st.text(st.characters(blacklist_categories=("Cc", "Cs", "Zl", "Zp")), max_size=60)
nasty = st.text(st.sampled_from("ab \"'$\\`(){}|;&<>#!*?~=%\u00e9"), max_size=30)
values = one_line | nasty


FOLDER = tempfile.TemporaryDirectory(prefix="rocmimg-values-")


def load_with(folder=FOLDER.name, **config):
    path = Path(folder) / "images.yaml"
    target = {"base": "debian:testing", "gpu_archs": ["gfx942"], **config}
    path.write_text(json.dumps({"targets": {"t": target}}, ensure_ascii=False), encoding="utf-8")
    matrix = load(path)
    return render(matrix, matrix.cells[0]).text


def parsed(text: str) -> DockerfileParser:
    parser = DockerfileParser(fileobj=io.BytesIO())
    parser.content = text
    return parser


PLAIN = [entry["instruction"] for entry in parsed(load_with(env={"A": "x", "B": "y"})).structure]


@given(a=values, b=values)
@settings(max_examples=150, deadline=None)
def test_env_comes_back_as_it_was_written(a, b):
    parser = parsed(load_with(env={"A": a, "B": b}))
    assert [entry["instruction"] for entry in parser.structure] == PLAIN
    assert {key: parser.envs[key] for key in ("A", "B")} == {"A": a, "B": b}


@given(command=st.lists(values, min_size=1, max_size=4))
@settings(max_examples=100, deadline=None)
def test_a_command_comes_back_as_it_was_written(command):
    parser = parsed(load_with(command=command, entrypoint=command, env={"A": "x", "B": "y"}))
    last = {entry["instruction"]: entry["value"] for entry in parser.structure}
    assert json.loads(last["CMD"]) == command
    assert json.loads(last["ENTRYPOINT"]) == command


@given(description=values)
@settings(max_examples=100, deadline=None)
def test_a_description_stays_a_comment(description):
    parser = parsed(load_with(description=description, env={"A": "x", "B": "y"}))
    assert [e["instruction"] for e in parser.structure if e["instruction"] != "COMMENT"] == [
        name for name in PLAIN if name != "COMMENT"
    ]


@given(value=values)
def test_shell_words_come_back(value):
    assert shlex.split(str(sh(value))) == [value]


@given(many=st.lists(values, max_size=5))
def test_lists_of_shell_words_come_back(many):
    assert shlex.split(str(words(many))) == many


@given(key=st.sampled_from(["image", "workdir", "user", "version", "registry", "source", "python"]), value=values)
@settings(max_examples=300, deadline=None)
def test_any_other_value_is_refused_or_harmless(key, value):
    try:
        parser = parsed(load_with(**{key: value}, env={"A": "x", "B": "y"}))
    except ConfigError:
        return
    extra = {"USER"} if key == "user" else set()
    assert [e["instruction"] for e in parser.structure if e["instruction"] not in extra] == [
        name for name in PLAIN if name not in extra
    ]


@pytest.mark.parametrize("text", ["a\nRUN reboot", "a\rb", "a\x00b", "a\u2028b"])
@pytest.mark.parametrize("quote", [sh, env, word, lambda text: exec_form([text])])
def test_a_line_break_never_passes(quote, text):
    with pytest.raises(UnquotedValue):
        quote(text)


@pytest.mark.parametrize("text", ["a b", "a;b", "$(x)", "`x`", "a\\", "'", '"', ""])
def test_a_plain_word_is_plain(text):
    with pytest.raises(UnquotedValue):
        word(text)


def test_only_quoted_text_and_numbers_reach_the_output():
    assert require_quoted(sh("x")) == "x"
    assert require_quoted(3) == 3
    for value in ("x", True, None, ["x"], Markup("x")):
        with pytest.raises(UnquotedValue):
            require_quoted(value)


EVIL = "$(id)"
EXPRESSIONS = [
    *(f"x|{name}" for name in sorted(jinja2.filters.FILTERS)),
    *(f"(x|sh)|{name}" for name in sorted(jinja2.filters.FILTERS)),
    *(f"(x|sh).{name}()" for name in dir(str) if not name.startswith("_")),
    "(x|sh)[1:-1]", "(x|sh) ~ x", "x ~ (x|sh)", "(x|sh) + x", "[x, x|sh]|join", "(x|sh)|replace(\"'\", '')",
    "(x|sh) % x",
    "('%s'|sh) % x", "('%s'|sh)|format(x)", "('{}'|sh).format(x)", "x|map('sh')", "[x]|map('sh')|first|string",
    "(x|sh) * 2",
    "'b'|sh|replace('b', x)", "x|indent", "(x|sh).strip(\"'\")", "{'a': x}|xmlattr", "[x]|words|safe", "x|e|sh|e",
]  # fmt: skip


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_no_filter_or_operation_of_jinja_passes_the_guard(expression):
    environment = dockerfile_environment((Path("/nowhere"),))
    try:
        text = environment.from_string("RUN echo {{ " + expression + " }}").render(x=EVIL)
    except Exception:  # whatever a filter says of a text that it cannot take
        return
    assert EVIL not in "".join(re.split(r"'[^']*'", text)), text


SAFE = re.compile(r"[\w@%+=:,./~^-]*", re.ASCII)
steps = st.builds(
    lambda name, arguments: name + (f"({', '.join(arguments)})" if arguments else ""),
    st.sampled_from(sorted(dockerfile_environment((Path("/nowhere"),)).filters)),
    st.lists(st.sampled_from(["x", "y", "2", "'sh'", '"%s"', "'\\''", "attribute='x'", "x|sh"]), max_size=2),
)
for_shell = steps.filter(lambda step: step.partition("(")[0] not in {"comment", "env", "exec_form"})


@given(
    start=st.sampled_from(["x", "(x|sh)", "[x]", "[x, x|sh]", "{x: x}"]), chain=st.lists(for_shell, max_size=3), x=nasty
)
@settings(max_examples=100, deadline=None)
def test_no_chain_of_filters_makes_a_value_more_than_a_word(start, chain, x):
    expression = "|".join([start, *chain])
    environment = dockerfile_environment((Path("/nowhere"),))
    for source in (
        "{{ " + expression + " }}",
        "{% filter " + "|".join(chain or ["trim"]) + " %}{{ x|sh }}{% endfilter %}",
        "{% set z %}{{ x|sh }}{% endset %}{{ " + "|".join(["z", *chain]) + " }}",
    ):
        text = ""
        with contextlib.suppress(Exception):  # whatever a filter says of what it cannot take
            text = environment.from_string(source).render(x=x, y="`id`;")
        outside = re.sub(r"'[^']*'|\"'\"", "", text.replace(" \\\n", ""))
        assert all(SAFE.fullmatch(word) for word in outside.split()), (source, text)


@pytest.mark.parametrize(
    "block", ["replace(\"'\", '')", 'trim("\'")', "replace('A', x)", "format(x)", "one_line|striptags", "safe"]
)
def test_a_filter_block_that_may_take_quotes_away_does_not_parse(tmp_path, block):
    (tmp_path / "x.j2").write_text("FROM x\n{% filter " + block + " %}RUN echo A %s {{ x|sh }}{% endfilter %}\n")
    with pytest.raises(TemplateError, match=r"x\.j2:2: .*filter block"):
        render_template((tmp_path,), "x.j2", {"x": EVIL})


def test_a_filter_block_that_takes_no_quote_away_renders(tmp_path):
    (tmp_path / "x.j2").write_text("{% filter trim|one_line %}\nRUN echo {{ x|sh }}\n{% endfilter %}")
    assert render_template((tmp_path,), "x.j2", {"x": EVIL}) == f"RUN echo '{EVIL}'"


def test_what_a_macro_makes_of_quoted_values_passes():
    environment = dockerfile_environment((Path("/nowhere"),))
    source = "{% macro m(v) %}<{{ v|sh }} {{ caller() }}>{% endmacro %}{% call m(x) %}{{ x|sh }}{% endcall %}"
    assert environment.from_string(source).render(x="a b") == "<'a b' 'a b'>"


def test_a_filter_takes_single_values_and_lists_of_them():
    class Cell:
        secret = "hunter2"

        def __str__(self) -> str:
            return self.secret

    for refused in (Cell(), ["a"], {"a": "b"}, None):
        with pytest.raises(UnquotedValue):
            sh(refused)
    with pytest.raises(UnquotedValue):
        exec_form([["a"]])


def test_a_text_or_a_mapping_is_not_a_list_of_values():
    for refused in ("abc", b"abc", {"a": "b"}, Markup("abc")):
        for quote in (words, exec_form, lambda many: fill(many, 0)):
            with pytest.raises(UnquotedValue, match="is not a list of values"):
                quote(refused)


@pytest.mark.parametrize("reach", ["cell", "config", "config.network", "cell.node", "[c, components]", "shared"])
@pytest.mark.parametrize("way", ["{{ (x ~ '')|sh }}", "{{ x|string|sh }}", "{{ '%s'|format(x)|sh }}", "{{ x|sh }}"])
def test_no_template_reaches_a_secret(tmp_path, reach, way):
    """However a template turns what it is given into text, nothing of the network's settings is in it."""
    folder = tmp_path / "templates"
    (folder / "components").mkdir(parents=True)
    (folder / "components/leak.yaml").write_text("description: x\nsources: [none]\n")
    text = "{% set x = " + reach + " %}RUN echo " + way + "\n"
    (folder / "components/leak.j2").write_text('{% if part == "install" %}' + text + "{% endif %}\n")
    network = {
        "http_proxy": "http://me:hunter2@p:1", "pip_index_url": "https://me:hunter2@i/simple",
        "pip_extra_index_urls": ["https://hunter2@e/simple"], "apt_mirror": "http://me:hunter2@a",
        "git_mirrors": {"https://github.com/": "https://me:hunter2@g/"},
    }  # fmt: skip
    try:
        text = load_with(tmp_path, network=network, components={"leak": {}})
    except RocmimgError as error:
        text = str(error)
    assert "echo" in text or "leak.j2" in text
    assert "hunter2" not in text


def test_templates_of_another_work_directory_are_others(tmp_path, monkeypatch):
    folders = (Path("templates"),)
    said = []
    for name in ("a", "b"):
        (tmp_path / name / "templates").mkdir(parents=True)
        (tmp_path / name / "templates/x.j2").write_text(f"{{{{ '{name}'|sh }}}}")
        monkeypatch.chdir(tmp_path / name)
        said.append(render_template(folders, "x.j2", {}))
    assert said == ["a", "b"]


@pytest.mark.parametrize("broken", ["read-only", "gone", "a file"])
def test_a_cache_of_templates_that_cannot_be_used_costs_time_only(tmp_path, monkeypatch, broken):
    monkeypatch.setenv("ROCMIMG_CACHE", str(tmp_path / "cache"))
    (tmp_path / "templates").mkdir()
    (tmp_path / "templates/x.j2").write_text("{{ 'said'|sh }}")
    folders = (tmp_path / "templates",)
    templates = dockerfile_environment(folders)
    match broken:
        case "read-only":
            cache = templates.bytecode_cache
            monkeypatch.setattr("tempfile.NamedTemporaryFile", lambda *_, **__: (_ for _ in ()).throw(OSError(28, "")))
            assert cache
        case "gone":
            (tmp_path / "cache/templates").rmdir()
        case _:
            (tmp_path / "cache/templates").rmdir()
            (tmp_path / "cache/templates").write_text("")
    assert render_template(folders, "x.j2", {}) == "said"


def test_the_trace_of_a_step_shows_no_secret(tmp_path):
    """What the network's script sets is set while the shell does not trace; the commands behind it are traced."""
    network = Network(
        http_proxy="http://me:hunter2@p:1", pip_index_url="https://me:hunter2@i/simple", apt_mirror="http://me:hunter2@a",
        pip_extra_index_urls=("https://hunter2@e/simple",), git_mirrors={"https://github.com/": "https://hunter2@g/"},
    )  # fmt: skip
    script = tmp_path / "env"
    files = network_files(network, tmp_path)
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/debian.sources").write_text("URIs: http://deb.debian.org/debian\n")
    (tmp_path / "apt.conf").write_bytes(files[".rocmimg/network/apt.conf"])
    text = files[".rocmimg/network/env"].decode()
    script.write_text(text.replace("/etc/apt/.", f"{tmp_path}/etc/.").replace("/run/rocmimg/network", str(tmp_path)))
    command = f"set -eux; . {script}; cat $rocmimg_apt/debian.sources; echo traced"
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=True)
    assert "me:hunter2@a/debian" in done.stdout  # it does what it is for
    assert "+ echo traced" in done.stderr
    assert "hunter2" not in done.stderr
