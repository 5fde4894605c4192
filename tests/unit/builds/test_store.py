"""What of the environment reaches the steps that compile with sccache."""

import os
import subprocess

import pytest

from rocmimg.builds.store import hidden_words, store_secret
from rocmimg.errors import ConfigError
from rocmimg.plan import STORE

NASTY = "a 'b' \"$(id)\" `id` \\"


@pytest.mark.parametrize(
    "environ",
    [{}, {"AWS_SECRET_ACCESS_KEY": "x"}, {"SCCACHE_DIR": "/x", "SCCACHE_CACHE_SIZE": "1G"}, {"SCCACHE_BUCKET": ""}],
)
def test_an_environment_without_a_store_gives_no_secret(environ):
    assert store_secret(environ) == {}


@pytest.mark.parametrize(
    "name",
    ["SCCACHE_BUCKET", "SCCACHE_GCS_BUCKET", "SCCACHE_REDIS", "SCCACHE_REDIS_ENDPOINT", "SCCACHE_WEBDAV_ENDPOINT",
     "SCCACHE_REDIS_CLUSTER_ENDPOINTS", "SCCACHE_MEMCACHED_ENDPOINT", "SCCACHE_AZURE_CONNECTION_STRING"],
)  # fmt: skip
def test_each_kind_of_store_is_known(name):
    assert store_secret({name: "x"}) == {STORE: f"export {name}=x\n".encode()}


def test_what_a_shell_reads_is_what_was_set(tmp_path):
    key = tmp_path / "key.json"
    key.write_text(f'{{"k": "{NASTY}"}}\n')
    given = {
        "SCCACHE_GCS_BUCKET": "b", "SCCACHE_GCS_KEY_PATH": str(key), "AWS_SECRET_ACCESS_KEY": NASTY, "HOME": "/root",
    }  # fmt: skip
    text = store_secret(given)[STORE].decode()
    assert "HOME" not in text
    script = f'{text}printf "%s" "$AWS_SECRET_ACCESS_KEY"; cat "$SCCACHE_GCS_KEY_PATH"; env | grep -c SCCACHE_'
    (tmp_path / "folder").mkdir()
    done = subprocess.run(
        ["bash", "-c", script], env={"PATH": os.environ["PATH"], "rocmimg_folder": f"{tmp_path}/folder"},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout == f"{NASTY}{key.read_text()}2\n"


def test_a_key_that_cannot_be_read_is_told(tmp_path):
    with pytest.raises(ConfigError, match=r"SCCACHE_GCS_KEY_PATH: .*gone"):
        store_secret({"SCCACHE_GCS_BUCKET": "b", "SCCACHE_GCS_KEY_PATH": f"{tmp_path}/gone"})


def test_no_log_shows_what_opens_the_store():
    given = {
        "SCCACHE_REDIS_ENDPOINT": "rediss://:hunter2@h:1", "AWS_SECRET_ACCESS_KEY": "s", "AWS_SESSION_TOKEN": "",
        "SCCACHE_REGION": "eu", "GITHUB_TOKEN": "other", "SCCACHE_WEBDAV_ENDPOINT": "https://h/x",
    }  # fmt: skip
    assert set(hidden_words(given)) == {"rediss://:hunter2@h:1", "hunter2", "s"}
