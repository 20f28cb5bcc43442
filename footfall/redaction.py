"""Keeps camera passwords out of every text: log lines, errors, pages, metrics."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import quote, unquote, urlsplit

MASK: Final = "***"
_ADDRESS: Final = re.compile(r"(?:\d{1,3}(?:\.\d{1,3}){3}|\[[0-9A-Fa-f:.]+\])(?::\d+)?(?:[/?#]|$)")
_USERINFO: Final = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*://)[^/\s'\"]*@")
_SECRET_QUERY: Final = re.compile(
    r"(?P<key>[?&;](?:user|usr|username|password|passwd|pass|pwd|token|auth|key|secret|signature|sig)=)[^&;\s'\"]*",
    re.IGNORECASE,
)


def split_userinfo(url: str) -> tuple[str, str | None]:
    """Take `user:password` out of a URL whose password may hold raw `@ : / ? #`.

    The last `@` before the host ends the user part: a host cannot hold one. A raw `/` or `?` in a password is
    accepted as long as an `@` follows it and what follows the `@` looks like a host.

    Returns:
        The URL without the user part, and the user part as it stood (None when there is none).

    >>> split_userinfo("rtsp://u:p@:/%?#é@10.0.0.7/main")
    ('rtsp://10.0.0.7/main', 'u:p@:/%?#é')
    >>> split_userinfo("rtsp://10.0.0.7/a@b"), split_userinfo("rtsp://10.0.0.7:554/a@b")
    (('rtsp://10.0.0.7/a@b', None), ('rtsp://10.0.0.7:554/a@b', None))
    >>> split_userinfo("rtsp://user:12/3@10.0.0.7/main"), split_userinfo("rtsp://user:000?@gate")
    (('rtsp://10.0.0.7/main', 'user:12/3'), ('rtsp://gate', 'user:000?'))
    """
    scheme, found, rest = url.partition("://")
    if not found or "@" not in rest:
        return url, None
    userinfo, _, tail = rest.rpartition("@")
    if not re.match(r"(?:[A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(?::\d+)?(?:[/?#]|$)", tail):
        return url, None
    authority = re.split(r"[/?#]", rest, maxsplit=1)[0]
    if "@" not in authority and ":" not in userinfo.split("/", 1)[0]:
        return url, None  # the @ belongs to the path
    port = re.fullmatch(r"([A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\]):\d+", authority)
    # host:port/path@more, or a user whose password begins with digits and a slash: what names a host decides.
    if port is not None and rest[len(authority)] == "/" and _names_host(port[1]) and not _ADDRESS.match(tail):
        return url, None
    return f"{scheme}://{tail}", userinfo


def _names_host(text: str) -> bool:
    """Whether it looks more like a host than like somebody's name."""
    return text == "localhost" or "." in text or text.startswith("[")


def secrets_of(url: str) -> tuple[str, ...]:
    """List every text in `url` that must not be seen: the password and the user part, raw, decoded and encoded."""
    _, userinfo = split_userinfo(url)
    found: set[str] = set()
    if userinfo is not None:
        password = userinfo.partition(":")[2]
        for secret in (userinfo, password):
            found.update({secret, unquote(secret), quote(secret, safe=""), quote(unquote(secret), safe="")})
    for match in _SECRET_QUERY.finditer(url):
        value = match.group(0)[len(match.group("key")) :]
        found.update({value, unquote(value), quote(unquote(value), safe="")})
    return tuple(sorted((secret for secret in found if len(secret) > 1), key=len, reverse=True))


def redact(text: str, *urls: str) -> str:
    """Return `text` without the secrets of `urls` and without anything that looks like a password in a URL.

    >>> redact("cannot open 'rtsp://u:p4ss@10.0.4.7/main'", "rtsp://u:p4ss@10.0.4.7/main")
    "cannot open 'rtsp://***@10.0.4.7/main'"
    """
    for url in urls:
        text = text.replace(url, redact_url(url))
        for secret in secrets_of(url):
            text = text.replace(secret, MASK)
    text = _USERINFO.sub(rf"\g<scheme>{MASK}@", text)
    return _SECRET_QUERY.sub(rf"\g<key>{MASK}", text)


def redact_url(url: str) -> str:
    """Return `url` fit to be shown: the user part and secret query values are masked.

    >>> redact_url("rtsp://admin:geheim@10.0.4.7:554/main?channel=1&token=abc")
    'rtsp://***@10.0.4.7:554/main?channel=1&token=***'
    >>> redact_url("film.mp4")
    'film.mp4'
    """
    bare, userinfo = split_userinfo(url)
    if userinfo is not None:
        scheme, _, rest = bare.partition("://")
        bare = f"{scheme}://{MASK}@{rest}"
    return _SECRET_QUERY.sub(rf"\g<key>{MASK}", bare)


def place_of(url: str) -> str:
    """Return `url` without user, password and secret query values: what two addresses of one source share.

    >>> place_of("rtsp://admin:new@10.0.4.7/main?token=b") == place_of("rtsp://10.0.4.7/main?token=a")
    True
    """
    return _SECRET_QUERY.sub(rf"\g<key>{MASK}", split_userinfo(url)[0])


def encode_userinfo(url: str) -> str:
    """Return `url` with a user part that libraries parse as meant: each raw special character percent-encoded.

    >>> encode_userinfo("rtsp://u:p@:/%?#é@10.0.0.7/main")
    'rtsp://u:p%40%3A%2F%25%3F%23%C3%A9@10.0.0.7/main'
    >>> encode_userinfo("rtsp://u:p%40ss@10.0.0.7/main")
    'rtsp://u:p%40ss@10.0.0.7/main'
    """
    bare, userinfo = split_userinfo(url)
    if userinfo is None:
        return url
    user, colon, password = userinfo.partition(":")
    scheme, _, rest = bare.partition("://")
    return f"{scheme}://{_encode(user)}{colon}{_encode(password)}@{rest}"


def _encode(part: str) -> str:
    # A part in which every % starts an escape was encoded by its writer already.
    if re.fullmatch(r"(?:[^%]|%[0-9A-Fa-f]{2})*", part):
        part = unquote(part)
    return quote(part, safe="")


def host_of(url: str) -> str | None:
    """Return the host a URL leads to, or None for files and devices."""
    bare, _ = split_userinfo(url)
    return urlsplit(bare).hostname if "://" in bare else None
