import pytest

from miajax.cli.stores import TRAINS, with_working_copies
from miajax.errors import UserError
from miajax.runs.mounts import local
from miajax.runs.objects import Store
from miajax.runs.urls import is_url, store_url, without_secrets


@pytest.mark.parametrize(
    ("given", "url"),
    [
        ("s3://bucket/run", "s3://bucket/run"), ("s3://bucket//a/b/", "s3://bucket/a/b"), ("gs://bucket", "gs://bucket"),
        ("memory://x/y", "memory://x/y"), ("abfs://box@account.dfs.core.windows.net/x", None),
    ],
)  # fmt: skip
def test_a_url_of_a_store_is_taken(given, url):
    assert store_url("--out", given) == (url or given)


@pytest.mark.parametrize(
    ("given", "what"),
    [
        ("ftp://host/run", "no URL of an object store"), ("http://host/run", "no URL of an object store"),
        ("s4://bucket/run", "no URL of an object store"), ("s3://", "no URL of an object store"),
        ("S3://bucket/x", "no URL of an object store"), ("file:///tmp/x", "without the scheme"),
        ("s3://name:hidden@bucket/x", "Credentials belong into the environment"),
        ("s3://name@bucket/x", "more than a place"), ("s3://bucket/x?X-Amz-Signature=hidden", "more than a place"),
        ("s3://bucket/x/../y", "begins with a dot"), ("s3://bucket/.store", "begins with a dot"),
    ],
)  # fmt: skip
def test_what_is_no_url_of_a_store_is_refused_in_a_line_and_becomes_no_folder(given, what, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=what) as told:
        with_working_copies(["--out", given], TRAINS)
    assert "hidden" not in str(told.value)
    assert list(tmp_path.iterdir()) == []


def test_a_flag_that_takes_no_url_says_so_without_the_password_in_it():
    with pytest.raises(UserError, match="--data_path https://\\*\\*\\*@host/x is a URL") as told:
        with_working_copies(["--data_path=https://me:hidden@host/x"], TRAINS)
    assert "hidden" not in str(told.value)


def test_a_url_that_was_made_a_path_is_refused_by_the_library():
    from pathlib import Path

    with pytest.raises(UserError, match="the URL as text"):
        local("out", Path("s3://bucket/run"))
    assert local("out", Path("runs/a")) == Path("runs/a")


def test_a_missing_package_is_named_with_the_extra_that_brings_it(monkeypatch):
    import fsspec

    def missing(scheme):
        raise ImportError(scheme)

    monkeypatch.setattr(fsspec, "get_filesystem_class", missing)
    with pytest.raises(UserError, match=r"s3fs is missing.*pip install 'miajax\[cluster\]'"):
        Store("s3://bucket/run")
    with pytest.raises(UserError, match="pip install 'gcsfs'"):
        Store("gs://bucket/run")


def test_secrets_of_the_environment_do_not_pass_into_messages(monkeypatch):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hidden-as-it-is")
    assert "hidden" not in without_secrets("the server said hidden-as-it-is")


def test_paths_with_colons_are_no_urls():
    assert not any(map(is_url, ["model.py:net", "C:/x", "a:b", "lira_online:auc=0.6", "0:4"]))
