"""Which URLs name a run in an object store; every other one is refused, so that none becomes a local folder."""

import os
import re

from miajax.errors import UserError

PACKAGES = {
    "s3": "s3fs", "s3a": "s3fs", "gs": "gcsfs", "gcs": "gcsfs", "az": "adlfs", "abfs": "adlfs", "abfss": "adlfs",
    "memory": "fsspec",
}  # fmt: skip
"""By scheme, the package that speaks to such a store: of these a put is whole or absent."""
_AZURE = ("abfs", "abfss")  # container@account stands before the path
_SECRETS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AZURE_STORAGE_KEY")


def is_url(text: str) -> bool:
    """Whether a text is a URL, or a path that was made of one of a store.

    Example:
      >>> is_url("s3://bucket/run"), is_url("runs/a"), is_url("s3:/bucket/run")
      (True, False, True)
    """
    scheme, colon, rest = text.partition(":/")
    return bool(colon and re.fullmatch(r"[A-Za-z][A-Za-z0-9+.-]+", scheme)) and (
        rest.startswith("/") or scheme in PACKAGES
    )


def without_secrets(text: str) -> str:
    """A text without names and passwords in URLs, without their queries, and without keys of this environment.

    Example:
      >>> without_secrets("s3://key:secret@bucket/run?X-Amz-Signature=1 cannot be read")
      's3://***@bucket/run?*** cannot be read'
    """
    text = re.sub(r"(://)[^/@\s]*:[^/@\s]*@", r"\1***@", text)
    text = re.sub(r"(://[^\s?]*\?)\S+", r"\1***", text)
    for name in _SECRETS:
        if len(value := os.environ.get(name, "")) > 7:
            text = text.replace(value, "***")
    return text


def refuse(what: str, text: str) -> UserError:
    """A URL where none can stand."""
    return UserError(
        f"{what} {without_secrets(text)} is a URL",
        expected="a path on this machine",
        remedy="Copy files from there before, and results to there afterwards",
    )


def store_url(what: str, text: str) -> str:
    """A URL of a store without the slash at its end.

    Args:
      what: names the flag, for messages.
      text: what was given.

    Raises:
      UserError: its scheme is none of a store, it names no bucket, or it holds a name, a password or a query.
    """
    scheme, _, rest = text.partition("://")
    shown = without_secrets(text)
    if scheme in ("file", "local"):
        raise UserError(f"{what} {shown} is a folder of this machine", expected="its path, without the scheme")
    if scheme not in PACKAGES or not rest:
        raise UserError(
            f"{what} {shown} is no URL of an object store",
            expected="a path, or one of " + ", ".join(f"{each}://" for each in PACKAGES),
            remedy="Mount other file systems, and give their path",
        )
    bucket, _, path = rest.partition("/")
    if ("@" in bucket and (scheme not in _AZURE or ":" in bucket)) or "?" in rest or "#" in rest:
        raise UserError(
            f"{what} {shown} holds more than a place",
            expected=f"{scheme}://bucket/path, since a URL is printed and recorded",
            remedy="Credentials belong into the environment, or into the store's own configuration",
        )
    parts = [part for part in path.split("/") if part]
    if not bucket or any(part.startswith(".") for part in parts):
        raise UserError(f"{what} {shown}", expected=f"{scheme}://bucket/path without a name that begins with a dot")
    return f"{scheme}://{'/'.join([bucket, *parts])}"
