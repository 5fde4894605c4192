"""What is offered in place of a word that is not known."""

import pytest

from rocmimg.errors import did_you_mean

CELLS = [f"{target}-{arch}" for target in ("rocm700", "rocm720", "rocm724") for arch in ("gfx942", "gfx950")]
NAMES = ["rocm700", "rocm720", "rocm724", *CELLS, "rocm720-gfx942-srt"]


@pytest.mark.parametrize(
    ("word", "known", "offered"),
    [
        ("rocm720-gfx94", NAMES, "did you mean 'rocm720-gfx942'?"),
        ("rocm720-gfx", NAMES, "did you mean 'rocm720-gfx942' or 'rocm720-gfx950'?"),
        ("rocm72", NAMES, "did you mean 'rocm720' or 'rocm724'?"),
        ("rocm720", CELLS, "did you mean 'rocm720-gfx942' or 'rocm720-gfx950'?"),
        ("rocm72O", ["rocm700", "rocm720", "rocm724"], "did you mean 'rocm720' or 'rocm724'?"),
        ("sgl", ["lab", "sglang", "vllm"], "did you mean 'sglang'?"),
        ("flagz", ["env", "flags", "pip"], "did you mean 'flags'?"),
        ("nothing", ["env"], "known: env"),
        ("nothing", [], "none is known here"),
    ],
)
def test_an_unknown_word(word, known, offered):
    assert did_you_mean(word, known) == offered
