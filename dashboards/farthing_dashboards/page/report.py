"""The page as one file that needs nothing else: the same bytes for the same view."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Sequence
from typing import Any, Final

from farthing_dashboards.page.assets import INDEX, assets, policy

_STYLE: Final = re.compile(r'<link rel="stylesheet" href="/static/([^"]+)">\n')
_SCRIPT: Final = re.compile(
    r'<script (?:type="(module)" )?src="/static/([^"]+)"(?: defer)?></script>\n'
)


def report_html(
    view: dict[str, Any], people: dict[str, Any], traces: Sequence[dict[str, Any]]
) -> str:
    """One HTML document of what ``view.page.page`` and ``people`` found, in which the ``traces`` of
    its dearest calls open too. It runs its own scripts and reaches nothing, by its own policy.
    """
    index = assets()[INDEX].text
    style = "\n".join(assets()[name].text for name in _STYLE.findall(index))
    scripts = [(kind, assets()[name].text) for kind, name in _SCRIPT.findall(index)]
    allowed = policy(" ".join(_hash(text) for _, text in scripts), _hash(style), "'none'")
    head = f'<meta http-equiv="Content-Security-Policy" content="{allowed}">\n'
    data = {"view": view, "people": people, "traces": list(traces)}
    tail = f'<script type="application/json" id="report">{_escaped(data)}</script>\n'
    tail += "\n".join(
        f'<script type="{kind or "text/javascript"}">{text}</script>' for kind, text in scripts
    )
    return (
        _SCRIPT.sub("", _STYLE.sub("", index))
        .replace("<title>", f"{head}<title>", 1)
        .replace("</head>", f"<style>{style}</style>\n</head>", 1)
        .replace("</body>", f"{tail}\n</body>", 1)
    )


def _hash(text: str) -> str:
    digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
    return f"'sha256-{digest}'"


def _escaped(data: Any) -> str:
    """JSON that cannot end the element that it is in."""
    written = json.dumps(data, separators=(",", ":"))  # ASCII: line separators are escaped too
    return written.replace("<", r"\u003c").replace(">", r"\u003e").replace("&", r"\u0026")
