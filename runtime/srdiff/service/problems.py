"""What is refused, as HTTP says it: one sentence in a problem document (RFC 9457)."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from starlette.responses import JSONResponse

from ..errors import SRDiffError


class Problem(SRDiffError):
    """A request that is refused.

    Attributes:
        status: of HTTP.
        reason: a word for the metrics.
        retry_after: seconds after which trying again makes sense; None where it never does.
        shrunk: of an image that is too large, to what it would be shrunk first: width, height, the scale by which that
            is enlarged, and seconds, predicted.
    """

    def __init__(
        self,
        status: int,
        reason: str,
        detail: str,
        retry_after: float | None = None,
        shrunk: dict[str, float] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.reason = reason
        self.retry_after = retry_after
        self.shrunk = shrunk

    def document(self) -> dict[str, Any]:
        document = {
            "type": "about:blank",
            "title": HTTPStatus(self.status).phrase,
            "status": self.status,
            "detail": str(self),
            "reason": self.reason,
        }
        return document if self.shrunk is None else {**document, "shrunk": self.shrunk}

    def response(self) -> JSONResponse:
        headers = {} if self.retry_after is None else {"Retry-After": str(max(1, round(self.retry_after)))}
        if self.status == 401:
            headers["WWW-Authenticate"] = "Bearer"
        return JSONResponse(self.document(), self.status, headers, media_type="application/problem+json")


def problem_of(error: Exception) -> Problem:
    """What to answer for an error of the library, or for a fault of this program."""
    if isinstance(error, Problem):
        return error
    if isinstance(error, SRDiffError):
        return Problem(422, _REASONS.get(type(error).__name__, "settings"), str(error))
    if isinstance(error, MemoryError):
        return Problem(503, "memory", "there is not enough memory for this image now; try a smaller one", 30)
    return Problem(500, "fault", f"unexpected {type(error).__name__}; the server's log has the request's id")


_REASONS = {"ImageError": "image", "OutputError": "format"}
