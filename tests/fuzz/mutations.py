"""Damage and malice, drawn from a seed: bytes, numbers of headers, words of text, leaves of JSON, parts of archives."""

import copy
import gzip
import io
import json
import random
import struct
import tarfile
import zipfile
from collections.abc import Callable, Sequence
from typing import Any

Mutator = Callable[[random.Random, bytes], bytes]
_EDGES = (0, 1, 2, 7, 127, 128, 255, 256, 32767, 65535, 2**31 - 1, 2**31, 2**32 - 1, 2**40, 2**63 - 1, 2**64 - 1)
WORDS = (
    b"nan", b"inf", b"-inf", b"1e400", b"-1", b"0", b"", b'"', b'""', b"\\", b"\n", b"\r", b",", b";", b"\t", b"\0",
    b"\xff\xfe", b"\xef\xbb\xbf", b"\xed\xa0\x80", b"None", b"true", b"2020-01-01", b"12:30", b"1,5", b"9" * 400,
    b"(0,)", b"(2**40,)", b"(-1, 3)", b"'<f8'", b"'|O'", b"'<U1000000000'", b"[('a', '<f8')]", b"True", b"{", b"}",
    b"[" * 3000, b"1099511627776", b"4611686018427387904",
)  # fmt: skip
_LEAVES: tuple[Any, ...] = (
    None, True, False, 0, 1, -1, 0.5, 1e308, 2**31, 2**63, 2**70, "", "x", "x" * 2000, "../../x", "a\nb", "\ud800",
    "inf", "nan", "1", "os:system", "evil.py:net", [], {}, [[]], [1], ["x"], {"x": 1}, [None] * 50,
)  # fmt: skip


def raw(rng: random.Random, content: bytes) -> bytes:
    """A few bytes flipped, set, cut, put in, doubled, or replaced by a number at the edge of its type or a word."""
    data = bytearray(content)
    for _ in range(1 + min(rng.getrandbits(3), rng.getrandbits(3))):
        at = rng.randrange(len(data) + 1)
        kind = rng.randrange(8)
        if kind == 0 and at < len(data):
            data[at] ^= 1 << rng.randrange(8)
        elif kind == 1 and at < len(data):
            data[at] = rng.randrange(256)
        elif kind == 2:
            del data[at : len(data) if rng.random() < 0.3 else at + rng.randrange(1, 40)]
        elif kind == 3:
            data[at:at] = rng.randbytes(rng.randrange(1, 20))
        elif kind == 4:
            length = rng.randrange(1, 60)
            data[at:at] = data[at : at + length] * rng.randrange(1, 4)
        elif kind == 5:
            form = rng.choice("<>") + rng.choice("BHIQ")
            number = rng.choice(_EDGES) % 256 ** struct.calcsize(form)
            data[at : at + struct.calcsize(form)] = struct.pack(form, number)
        else:
            data[at : at + rng.choice((0, 0, 1, 5))] = rng.choice(WORDS)
    return bytes(data)


def head(rng: random.Random, content: bytes) -> bytes:
    """As ``raw``, within the first 200 bytes, where most formats say what follows."""
    return raw(rng, content[:200]) + content[200:]


def cells(rng: random.Random, content: bytes) -> bytes:
    """Some cells of separated text replaced by words, lines doubled or dropped."""
    lines = content.split(b"\n")
    for _ in range(rng.randrange(1, 5)):
        place = rng.randrange(len(lines))
        kind = rng.randrange(4)
        if kind == 0:
            lines.insert(place, lines[place])
        elif kind == 1 and len(lines) > 1:
            del lines[place]
        else:
            row = lines[place].split(b",")
            row[rng.randrange(len(row))] = rng.choice(WORDS)
            lines[place] = b",".join(row)
    if rng.random() < 0.15:  # a whole column
        place, word = rng.randrange(6), rng.choice(WORDS)
        lines = [b",".join([*row[:place], word, *row[place + 1 :]]) for row in (line.split(b",") for line in lines)]
    return b"\n".join(lines)


def zipped(inner: Sequence[Mutator] = (raw, head)) -> Mutator:
    """Parts of a zip archive changed by ``inner``, dropped, renamed or swapped, and packed with sound checksums."""

    def mutate(rng: random.Random, content: bytes) -> bytes:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            parts = {name: archive.read(name) for name in archive.namelist()}
        names = list(parts)
        for _ in range(rng.randrange(1, 3)):
            name, kind = rng.choice(names), rng.randrange(8)
            if kind == 0:
                parts.pop(name, None)
            elif kind == 1:
                parts[rng.choice(("features.npy", "x.npy", "../x.npy", "labels", "\ud7ff.npy"))] = parts.get(name, b"")
            elif kind == 2:
                parts[name] = parts.get(rng.choice(names), b"")
            elif name in parts:
                parts[name] = rng.choice(inner)(rng, parts[name])
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w", rng.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED))) as archive:
            for name, part in parts.items():
                archive.writestr(name, part)
        return out.getvalue()

    return mutate


def gzipped(inner: Sequence[Mutator] = (raw, head)) -> Mutator:
    """What a gzip stream holds changed by ``inner``, and packed again."""

    def mutate(rng: random.Random, content: bytes) -> bytes:
        return gzip.compress(rng.choice(inner)(rng, gzip.decompress(content)), 1)

    return mutate


def tarred(inner: Sequence[Mutator] = (raw, head)) -> Mutator:
    """Members of a gzipped tar changed by ``inner``, dropped, renamed, made links or sparse, and packed again."""

    def mutate(rng: random.Random, content: bytes) -> bytes:
        out = io.BytesIO()
        with (
            tarfile.open(fileobj=io.BytesIO(content)) as old,
            tarfile.open(fileobj=out, mode="w:gz", compresslevel=1) as new,
        ):
            opened = [(member, old.extractfile(member)) for member in old]
            members = [(member, part.read()) for member, part in opened if part is not None]
            chosen = rng.randrange(len(members))
            for place, (member, part) in enumerate(members):
                kind = rng.randrange(8) if place == chosen else 7
                if kind == 0:
                    continue
                if kind == 1:
                    member.type = rng.choice((tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.DIRTYPE, tarfile.CHRTYPE))
                    member.linkname = "/etc/passwd"
                elif kind == 2:
                    size = rng.choice(("-1", str(2**40), "x"))
                    member.pax_headers = {"GNU.sparse.realsize": str(2**40), "size": size}
                elif kind < 7:
                    part = rng.choice(inner)(rng, part)
                member.size = len(part)
                new.addfile(member, io.BytesIO(part))
        return out.getvalue()

    return mutate


def json_tree(seal: Callable[[Any], Any] = lambda value: value) -> Mutator:
    """Leaves and branches of JSON replaced, dropped, doubled or swapped; ``seal`` makes the result look whole again."""

    def mutate(rng: random.Random, content: bytes) -> bytes:
        value = json.loads(content)
        for _ in range(rng.randrange(1, 4)):
            paths = list(_paths(value))
            if not paths:
                break
            *parents, last = rng.choice(paths)
            holder = value
            for key in parents:
                holder = holder[key]
            kind = rng.randrange(8)
            if kind == 0:
                del holder[last]
            elif kind == 1 and isinstance(holder, dict):
                holder[rng.choice(("x", "seal", "", str(last) + " "))] = holder[last]
            elif kind == 2:
                *others, end = rng.choice(paths)
                other = value
                for key in others:
                    other = other[key]
                holder[last] = copy.deepcopy(other[end])
            else:
                holder[last] = copy.deepcopy(rng.choice(_LEAVES))
        if rng.random() < 0.02:
            value = copy.deepcopy(rng.choice(_LEAVES))
        return json.dumps(seal(value)).encode()

    return mutate


def _paths(value: Any, where: tuple = ()) -> Any:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, each in items:
        yield (*where, key)
        yield from _paths(each, (*where, key))
