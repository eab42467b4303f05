"""The page's files as they are shipped, and the policy under which a browser may run them."""

from __future__ import annotations

import functools
import hashlib
from pathlib import Path
from typing import Final, NamedTuple

INDEX: Final = "index.html"
_FOLDER: Final = Path(__file__).parent / "static"
_TYPES: Final = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".txt": "text/plain; charset=utf-8",
}


class Asset(NamedTuple):
    """One file: its bytes, its media type, and a tag that changes when they do."""

    body: bytes
    media_type: str
    etag: str

    @property
    def text(self) -> str:
        return self.body.decode()


@functools.cache
def assets() -> dict[str, Asset]:
    """Every file by its name."""
    return {
        path.name: _asset(path.read_bytes(), path.suffix)
        for path in sorted(_FOLDER.iterdir())
        if path.suffix in _TYPES
    }


def policy(script: str, style: str, connect: str) -> str:
    """A content security policy in which nothing is allowed but these sources."""
    return "; ".join(
        (
            "default-src 'none'",
            f"script-src {script}",
            f"style-src {style}",
            f"connect-src {connect}",
            "img-src 'self' data:",
            "base-uri 'none'",
            "form-action 'none'",
        )
    )


def _asset(body: bytes, suffix: str) -> Asset:
    return Asset(body, _TYPES[suffix], f'"{hashlib.sha256(body).hexdigest()[:16]}"')
