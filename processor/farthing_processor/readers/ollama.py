"""Reader of Ollama's native API: chat, generate and embeddings."""

from __future__ import annotations

from farthing_processor.readers.values import count_in, fields
from farthing_processor.usage import Usage, fitted, joined

_COUNTS = ("prompt_eval_count", "eval_count", "prompt_eval_cached_count")


def ollama_usage(body: object) -> Usage | None:
    """An answer, or the last object of a stream, in which alone there are counts.

    Shape: `BaseGenerateResponse` of ollama 0.6. The prompt's count includes what was cached
    (https://github.com/stdapi-ai/stdapi.ai/issues/252 cites the server's code). Old servers leave
    it out where the prompt was cached (https://github.com/ollama/ollama/issues/2068): that is
    unknown, not 0. There is no price: what it costs is a matter of whose machine it is.
    """
    response = fields(body)
    usage = fields(response.get("usage")) or response
    faults: list[str] = []
    inp, out, cached = (count_in(usage, name, faults) for name in _COUNTS)
    if inp is None and out is None and not faults:
        return None
    return fitted(Usage(inp, out, cached if cached and inp else 0, problem=joined(*faults)))
