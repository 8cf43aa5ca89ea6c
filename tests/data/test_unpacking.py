"""Archives are unpacked up to a stated bound, whatever they say they hold."""

import gzip
import io
import tarfile

import pytest

from miajax.data import _files
from miajax.data._files import read_archive, read_file
from miajax.errors import UserError


def archive(path, members: dict[str, tuple[bytes, dict]]):
    with tarfile.open(path, "w:gz", format=tarfile.PAX_FORMAT) as tar:
        for name, (content, headers) in members.items():
            member = tarfile.TarInfo(name)
            member.size, member.pax_headers = len(content), headers
            tar.addfile(member, io.BytesIO(content))
    return path


def test_a_gzip_stream_is_read_up_to_the_bound(tmp_path, monkeypatch):
    path = tmp_path / "a.gz"
    path.write_bytes(gzip.compress(bytes(3 << 20)))
    assert len(read_file(path, "")) == 3 << 20
    monkeypatch.setattr(_files, "MOST_UNPACKED", 2 << 20)
    with pytest.raises(UserError, match="unpacks to more than 2097152 bytes"):
        read_file(path, "")


def test_all_members_of_an_archive_together_are_read_up_to_the_bound(tmp_path, monkeypatch):
    path = archive(tmp_path / "a.tgz", {name: (bytes(1 << 20), {}) for name in ("a", "b", "c")})
    assert len(read_archive(path, lambda _: True, "")) == 3
    monkeypatch.setattr(_files, "MOST_UNPACKED", (2 << 20) + 10)
    with pytest.raises(UserError, match="c says that it holds 1048576 bytes"):
        read_archive(path, lambda _: True, "")


def test_a_sparse_member_is_as_good_as_missing(tmp_path):
    sparse = {"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.realsize": str(2**43),
              "GNU.sparse.name": "a"}  # fmt: skip
    path = archive(tmp_path / "a.tgz", {"a": (b"0\n".ljust(512, b"\0"), sparse), "b": (b"1", {})})
    with tarfile.open(path) as tar:
        assert tar.getmembers()[0].size == 2**43
    assert list(map(str, read_archive(path, lambda _: True, ""))) == ["b"]


def test_a_link_in_an_archive_leads_nowhere(tmp_path):
    with tarfile.open(tmp_path / "a.tgz", "w:gz") as tar:
        member = tarfile.TarInfo("a")
        member.type, member.linkname = tarfile.SYMTYPE, "/etc/hostname"
        tar.addfile(member)
    assert read_archive(tmp_path / "a.tgz", lambda _: True, "") == {}
