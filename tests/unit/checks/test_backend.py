"""testinfra over the engine's API."""

import pytest

from rocmimg.checks.backend import CommandStopped, host_of, outcome
from rocmimg.engine.types import ExecResult


class Container:
    """Records what is asked of it."""

    id = "c" * 64

    def __init__(self, **result):
        self.asked = []
        defaults = {"exit_code": 0, "stdout": b"", "stderr": b"", "timed_out": False, "seconds": 0.1}
        self._result = ExecResult(**{**defaults, **result})

    def exec(self, argv, *, timeout, **options):
        self.asked.append((argv, timeout, {name: value for name, value in options.items() if value is not None}))
        return self._result


LONG = "x" * 200_000


@pytest.mark.parametrize(
    ("command", "args", "argv"),
    [("%s -c %s", ("python3", LONG), ["python3", "-c", LONG]), ("%s", ("/a b",), ["/a b"]),
     ("%s --version", ("tool",), ["tool", "--version"]),
     ("command -v %s", ("git",), ["/bin/sh", "-c", "command -v git"]),
     ("cat %s | wc", ("a b",), ["/bin/sh", "-c", "cat 'a b' | wc"]),
     ("%s < %s", ("a", "b"), ["/bin/sh", "-c", "a < b"])],
)  # fmt: skip
def test_a_program_is_started_itself_and_the_rest_by_a_shell(command, args, argv):
    container = Container()
    assert host_of(container).run(command, *args).rc == 0
    assert container.asked == [(argv, 60.0, {})]


def test_limits_are_told_apart():
    with pytest.raises(CommandStopped, match="hangs: ended after 5 s"):
        host_of(Container(timed_out=True), timeout=5).run("sleep 9")
    with pytest.raises(CommandStopped, match="writes without end: ended after 2 MiB"):
        host_of(Container(flooded=True), output_limit=2 << 20).run("yes")


def test_options_reach_the_container():
    container = Container(stdout=b"app")
    assert host_of(container, user="0", env={"A": "1"}, stdin=b"x").run("id -un").stdout == "app"
    assert container.asked[0][2] == {"user": "0", "env": {"A": "1"}, "stdin": b"x"}


@pytest.mark.parametrize("ended", ["timed_out", "flooded"])
def test_the_outcome_of_a_stopped_command_has_what_it_wrote(ended):
    host = host_of(Container(stdout=b"so far", exit_code=137, **{ended: True}), output_limit=1 << 20)
    done = outcome(host, ["kernel", "%s 100% {} \\n"])
    assert (getattr(done, ended), done.stdout, done.exit_code) == (True, b"so far", 137)


def test_the_outcome_of_a_command_that_ends():
    container = Container(stdout=b"out", stderr=b"err", exit_code=3)
    done = outcome(host_of(container), ["a b", "%s"])
    assert (done.exit_code, done.stdout, done.stderr, done.timed_out) == (3, b"out", b"err", False)
    assert container.asked[0][0] == ["a b", "%s"]
