"""Which caches go first."""

import pytest

from rocmimg.engine.caches import CacheMount, beyond


def mount(name: str, size: int, *, in_use: bool = False) -> CacheMount:
    return CacheMount(id=name, kind="git", size=size, used="", in_use=in_use)


@pytest.mark.parametrize(
    ("limit", "gone"), [(100, []), (60, []), (59, ["old"]), (20, ["old", "new"]), (0, ["old", "new"])]
)
def test_the_longest_unused_go_until_the_rest_fits(limit: int, gone: list[str]) -> None:
    mounts = [mount("old", 10), mount("busy", 20, in_use=True), mount("empty", 0), mount("new", 30)]
    assert [one.id for one in beyond(mounts, limit)] == gone
