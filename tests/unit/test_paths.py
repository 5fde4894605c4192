"""A file that others read meanwhile is there as a whole."""

import pytest

from rocmimg.paths import write_atomic


def test_a_folder_is_made_and_the_mode_of_an_old_file_stays(tmp_path):
    path = tmp_path / "new" / "report.json"
    write_atomic(path, "a")
    assert path.stat().st_mode & 0o777 == 0o644
    path.chmod(0o600)
    write_atomic(path, "b")
    assert (path.read_text(), path.stat().st_mode & 0o777) == ("b", 0o600)
    assert list(path.parent.iterdir()) == [path]


def test_what_was_there_stays_where_writing_fails(tmp_path):
    path = tmp_path / "report.json"
    path.write_text("a")
    with pytest.raises(UnicodeEncodeError):
        write_atomic(path, "\ud800")
    assert [(one.name, one.read_text()) for one in tmp_path.iterdir()] == [("report.json", "a")]
