"""Images that builds made, without a cache folder."""

import pytest

from rocmimg import built
from rocmimg.builds import ImageIndex


@pytest.fixture(autouse=True)
def _every_image_is_a_build(request, monkeypatch):
    """Unless a test is about that."""
    if "no_builds" not in request.fixturenames:
        monkeypatch.setattr(ImageIndex, "is_build", lambda *_: True)


@pytest.fixture
def no_builds(tmp_path, monkeypatch):
    """A cache folder that has recorded nothing yet; what records an image."""
    monkeypatch.setenv("ROCMIMG_CACHE", str(tmp_path / "cache"))

    def remember(image_id, cell, plan):
        built.remember(built.Built(id=image_id, cell=cell, plan=plan, layers=()))

    return remember
