"""The page's files as they are shipped, and the policy under which a browser may run them."""

from __future__ import annotations

import functools
import hashlib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final, NamedTuple

INDEX: Final = "index.html"
MAIN: Final = "main.js"
_FOLDER: Final = Path(__file__).parent / "static"
_TYPES: Final = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".txt": "text/plain; charset=utf-8",
}

_IMPORT: Final = re.compile(r'^import ([^;]+?) from "\./([\w.]+)";$', re.MULTILINE)
_EXPORT: Final = re.compile(r"^export (?=(?:async )?(?:function|const|class) (\w+))", re.MULTILINE)


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
    """Every file by its name; `MAIN` with all the modules that it imports in it."""
    texts = {
        path.name: path.read_text() for path in sorted(_FOLDER.iterdir()) if path.suffix in _TYPES
    }
    texts[MAIN] = _bundled(texts, MAIN)
    return {name: _asset(text.encode(), _TYPES[Path(name).suffix]) for name, text in texts.items()}


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


def _bundled(texts: Mapping[str, str], main: str) -> str:
    """A module and all that it imports as one script: each is a function that gives its exports.

    It is there sooner than twenty files, and an inline script has no address to import from.
    """
    done: dict[str, str] = {}

    def bundle(name: str) -> None:
        text = texts[name]
        for _, imported in _IMPORT.findall(text):
            if imported not in done:
                bundle(imported)
        exports = ", ".join(_EXPORT.findall(text))
        body = _EXPORT.sub("", _IMPORT.sub(_bound, text))
        done[name] = f"const {_module(name)} = (() => {{\n{body}return {{ {exports} }};\n}})();\n"

    bundle(main)
    return "".join(done.values())


def _bound(found: re.Match[str]) -> str:
    """An import as a constant: names in braces, or the whole module by a name."""
    return f"const {found[1].removeprefix('* as ')} = {_module(found[2])};"


def _module(name: str) -> str:
    return f"${name.removesuffix('.js')}"


def _asset(body: bytes, media_type: str) -> Asset:
    return Asset(body, media_type, f'"{hashlib.sha256(body).hexdigest()[:16]}"')
