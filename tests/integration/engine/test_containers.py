from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import pytest

from rocmimg.engine import BuildRequest, ContainerSpec
from rocmimg.engine.client import Engine
from rocmimg.engine.container import RUN_LABEL, Container
from rocmimg.engine.context import ContextFile
from rocmimg.errors import EngineError

from .conftest import Started, open_engine


@pytest.fixture(scope="module")
def container(engine: Engine, base: str):
    with engine.run(ContainerSpec(image=base)) as one:
        yield one


def ours(engine: Engine) -> list[str]:
    return [one["Id"] for one in engine._api.client.containers(all=True, filters={"label": RUN_LABEL})]


def test_output_and_exit_code_come_back_apart(container: Container) -> None:
    result = container.exec(["sh", "-c", "echo out; echo err >&2; exit 7"], timeout=20)
    assert (result.exit_code, result.stdout, result.stderr, result.timed_out) == (7, b"out\n", b"err\n", False)


def test_no_shell_reads_the_arguments(container: Container) -> None:
    words = ["$HOME", "a b", "*", "$(id)", "", "\\n", "ä\n"]
    assert container.exec(["printf", "[%s]", *words], timeout=20).stdout.decode() == "".join(f"[{w}]" for w in words)


def test_much_output_arrives_whole(container: Container) -> None:
    result = container.exec(["sh", "-c", "head -c 20000000 /dev/zero; head -c 3000000 /dev/zero >&2"], timeout=60)
    assert (len(result.stdout), len(result.stderr)) == (20_000_000, 3_000_000)


def test_the_first_bytes_of_short_commands_are_never_lost(container: Container) -> None:
    assert {container.exec(["printf", "x"], timeout=20).stdout for _ in range(30)} == {b"x"}


def test_environment_folder_and_user_are_set(container: Container) -> None:
    result = container.exec(
        ["sh", "-c", 'echo "$GIVEN|$PWD|$(id -u)"'],
        timeout=20,
        workdir="/tmp",
        env={"GIVEN": "a 'b' $c"},
        user="4321",
    )
    assert result.stdout == b"a 'b' $c|/tmp|4321\n"


@pytest.mark.parametrize("user", [None, "4321"])
def test_standard_input_reaches_the_command(container: Container, user: str | None) -> None:
    data = bytes(range(256)) * 4096
    result = container.exec(["cat"], timeout=20, stdin=data, user=user)
    assert result.stdout == data
    assert container.exec(["wc", "-c"], timeout=20, stdin=b"").stdout.split() == [b"0"]


@pytest.mark.parametrize("timeout", [None, 20.0])
def test_a_command_that_cannot_start_is_a_result(container: Container, timeout: float | None) -> None:
    result = container.exec(["no-such-command"], timeout=timeout)
    assert result.exit_code in {126, 127}
    assert b"no-such-command" in result.stderr
    assert result.stdout == b""


def test_a_hang_is_ended_with_its_whole_group(container: Container) -> None:
    script = "echo begun; sleep 601.5 & sleep 602.5"
    result = container.exec(["sh", "-c", script], timeout=1)
    assert result.timed_out
    assert result.exit_code == 137
    assert result.stdout == b"begun\n"
    assert 1 <= result.seconds < 60
    assert "601.5" not in processes(container)
    assert "602.5" not in processes(container)


def test_what_ignores_signals_and_leaves_its_group_is_ended_too(container: Container) -> None:
    script = "trap '' TERM INT HUP; (trap '' TERM; setsid sleep 603.5 &); while :; do sleep 604.5; done"
    result = container.exec(["sh", "-c", script], timeout=1)
    assert result.timed_out
    assert result.seconds < 60
    assert "603.5" not in processes(container)
    assert "604.5" not in processes(container)


def test_a_command_that_ends_in_time_with_the_limits_exit_code_is_not_timed_out(container: Container) -> None:
    result = container.exec(["sh", "-c", "exit 124"], timeout=20)
    assert (result.exit_code, result.timed_out) == (124, False)


def processes(container: Container) -> str:
    script = "for p in /proc/[0-9]*/cmdline; do tr '\\0' ' ' <$p; echo; done 2>/dev/null"
    return container.exec(["sh", "-c", script], timeout=20).stdout.decode()


def test_an_image_without_timeout_is_held_to_the_limit_from_outside(engine: Engine, base: str) -> None:
    with engine.run(ContainerSpec(image=base)) as one:
        assert one.exec(["sh", "-c", "rm $(command -v timeout)"], timeout=None).exit_code == 0
        result = one.exec(["sleep", "605.5"], timeout=1)
        assert result.timed_out
        assert result.seconds < 60
        assert "605.5" not in processes(one)


def test_files_go_in_and_come_out(container: Container) -> None:
    big = os.urandom(5_000_000)
    container.exec(["mkdir", "-p", "/tmp/tree"], timeout=20)
    container.put(
        "/tmp/tree",
        [
            ContextFile(path="big", data=big),
            ContextFile(path="sub/run", data=b"#!/bin/sh\necho ran\n", mode=0o755),
            ContextFile(path="link", link="sub/run"),
        ],
    )
    assert container.exec(["/tmp/tree/link"], timeout=20).stdout == b"ran\n"
    out = {member.name: (member, content.read()) for member, content in container.archive("/tmp/tree")}
    assert out["tree/big"][1] == big
    assert out["tree/link"][0].linkname == "sub/run"
    assert out["tree/sub/run"][0].mode & 0o777 == 0o755


def test_a_missing_path_is_an_engine_error(container: Container) -> None:
    with pytest.raises(EngineError, match="/nope"):
        list(container.archive("/nope"))


def test_a_folder_to_write_to_must_be_there(engine: Engine, container: Container) -> None:
    files = [ContextFile(path="x", data=b"")]
    if engine.info.kind == "podman":
        container.put("/made-by-podman", files)
        return
    with pytest.raises(EngineError, match="/nope"):
        container.put("/nope", files)


def test_there_is_no_network_unless_asked_for(container: Container) -> None:
    devices = container.exec(["cat", "/proc/net/dev"], timeout=20).stdout.decode().splitlines()[2:]
    assert [line.split(":")[0].strip() for line in devices if line.strip()] == ["lo"]


def test_the_limits_and_the_rest_of_the_spec_hold(engine: Engine, base: str) -> None:
    spec = ContainerSpec(
        image=base,
        env={"A": "b c"},
        workdir="/tmp",
        user="1234",
        memory_bytes=300 << 20,
        pids_limit=77,
        shm_bytes=123 << 20,
        ipc="private",
        devices=("/dev/fuse",) if Path("/dev/fuse").exists() else (),
        group_add=(4711,),
        cap_add=("SYS_PTRACE",),
        security_opt=("seccomp=unconfined",),
        binds={"/etc": "/outside"},  # the engine's own: its files may be others than this process sees
        labels={"extra": "label"},
    )
    with engine.run(spec) as one:
        script = (
            "echo $A $PWD $(id -u); cat /sys/fs/cgroup/memory.max /sys/fs/cgroup/memory/memory.limit_in_bytes; "
            "cat /sys/fs/cgroup/pids.max /sys/fs/cgroup/pids/pids.max; id -G; df -k /dev/shm | tail -1; "
            "grep Seccomp: /proc/self/status"
        )
        said = one.exec(["sh", "-c", script], timeout=20).stdout.decode()
        assert said.startswith("b c /tmp 1234\n")
        assert str(300 << 20) in said
        assert "\n77\n" in said
        assert str(123 << 10) in said
        assert "Seccomp:\t0" in said
        assert "4711" in said
        if spec.devices:
            assert one.exec(["ls", "/dev/fuse"], timeout=20).exit_code == 0
        assert one.exec(["head", "-c", "4", "/outside/passwd"], timeout=20, user="0").stdout == b"root"
        assert one.exec(["touch", "/outside/new"], timeout=20, user="0").exit_code != 0


def test_the_entrypoint_does_not_run_and_the_image_need_not_start(engine: Engine, base: str) -> None:
    tag = "rocmimg-engine-test:entrypoint"
    engine.build(
        BuildRequest(dockerfile=f'FROM {base}\nENTRYPOINT ["no-such"]\nCMD ["--x"]\n', tags=(tag,)), lambda _: None
    )
    with engine.run(ContainerSpec(image=tag)) as one:
        assert one.exec(["printf", "hi"], timeout=20).stdout == b"hi"
    engine.remove(tag)


def test_an_unknown_image_is_an_engine_error_and_leaves_nothing(engine: Engine) -> None:
    with pytest.raises(EngineError, match="never-was"), engine.run(ContainerSpec(image="rocmimg-never-was:x")):
        pass


def test_the_container_is_gone_after_an_exception(engine: Engine, base: str) -> None:
    with pytest.raises(ZeroDivisionError), engine.run(ContainerSpec(image=base)) as one:
        raise ZeroDivisionError
    assert one.id not in ours(engine)
    with pytest.raises(EngineError):
        one.exec(["true"], timeout=5)


def test_closing_the_engine_ends_what_other_threads_run(started: Started, base: str) -> None:
    other = open_engine(started)
    entered = threading.Event()
    ended = threading.Event()

    def work() -> None:
        with other.run(ContainerSpec(image=base)) as one:
            entered.set()
            with contextlib.suppress(EngineError):
                one.exec(["sleep", "606"], timeout=None)
        ended.set()

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    assert entered.wait(20)
    time.sleep(0.3)
    other.close()
    assert ended.wait(20)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_leaves_no_container_behind(
    engine: Engine, started: Started, base: str, number: signal.Signals, code: int
) -> None:
    script = textwrap.dedent(f"""
        import signal, sys
        signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job has it ignored
        from rocmimg.engine import ContainerSpec
        from rocmimg.engine.client import Engine
        from rocmimg.engine.endpoint import Endpoint
        try:
            with Engine(Endpoint(url={started.url!r}, source="test")) as engine:
                with engine.run(ContainerSpec(image={base!r})) as one:
                    print(one.id, flush=True)
                    one.exec(["sleep", "607"], timeout=None)
        except KeyboardInterrupt:
            sys.exit(130)
    """)
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        container_id = process.stdout.readline().strip()
        assert container_id in ours(engine)
        process.send_signal(number)
        try:
            assert process.wait(60) == code
        finally:
            process.kill()
    assert container_id not in ours(engine)
