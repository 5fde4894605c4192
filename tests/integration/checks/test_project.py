"""A project's own checks, testinfra in them, hangs, and waivers."""

import pytest


@pytest.fixture
def own(tmp_path):
    folder = tmp_path / "checks"
    folder.mkdir()

    def write(text):
        (folder / "check_own.py").write_text(text)
        return f"checks.folder={folder}"

    return write


def _status(result, check_id):
    (check,) = [check for check in result.checks if check.id == check_id]
    return check.status, check.reason


def test_a_check_of_the_project_sees_the_container_through_testinfra(judge, own):
    folder = own(
        "def check_python(host, image):\n"
        "    assert host.file(image.expect.workdir).is_directory\n"
        "    assert host.package('python3').is_installed\n"
        "    assert host.run('id -u').stdout.strip() == '0'\n"
        "    assert host.run('echo %s', \"it's\").stdout == \"it's\\n\"\n"
        "def check_wrong(host):\n"
        "    assert host.file('/nowhere').exists, 'nowhere is missing'\n"
    )
    result = judge(sets=(folder,), tiers=("import",))
    assert _status(result, "check_python") == ("passed", "")
    status, reason = _status(result, "check_wrong")
    assert status == "failed"
    assert "nowhere is missing" in reason


def test_a_command_that_hangs_is_ended_inside_the_container(judge, own):
    folder = own(
        "def check_hang(image):\n"
        "    done = image.container.exec(['sh', '-c', 'trap \"\" TERM; sleep 100'], timeout=1)\n"
        "    assert done.timed_out\n"
        "    found = image.container.exec(['sh', '-c', 'grep -ls sleep /proc/[0-9]*/comm | wc -l'], timeout=30)\n"
        "    assert found.stdout.strip() in (b'0', b'1'), found.stdout  # the idle process sleeps too\n"
    )
    assert _status(judge(sets=(folder,), tiers=("import",)), "check_hang") == ("passed", "")


def test_a_file_that_cannot_be_read_costs_itself_only(judge, own):
    result = judge(sets=(own("def check_broken(:\n"),), tiers=("import",))
    status, reason = _status(result, "check_own")
    assert status == "failed"
    assert "SyntaxError" in reason
    assert _status(result, "origin") == ("passed", "")


def test_a_check_that_breaks_is_no_verdict_on_the_image(judge, own):
    result = judge(sets=(own("def check_breaks(image):\n    raise KeyError('x')\n"),), tiers=("import",))
    assert _status(result, "check_breaks") == ("failed", "the check itself broke: KeyError: 'x'")


@pytest.mark.parametrize(("until", "status"), [("2999-12-31", "waived"), ("2020-01-31", "failed")])
def test_a_waiver_holds_until_its_day(judge, until, status):
    waiver = f"checks.waivers=[{{check: size, reason: known, until: {until}}}]"
    result = judge(sets=("checks.max_image_mib=1", waiver), tiers=("image",))
    found, reason = _status(result, "size")
    assert found == status
    assert until in reason
