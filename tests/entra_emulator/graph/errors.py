"""The Graph error envelope, and the refusals the emulator makes."""

from __future__ import annotations

from tests.entra_emulator.clock import Clock, iso
from tests.entra_emulator.wire import Answer

# Used where a fault names a status only. Source: microsoft-graph-docs concepts/errors.md.
CODE_OF_STATUS = {
    400: "Request_BadRequest",
    401: "InvalidAuthenticationToken",
    403: "Authorization_RequestDenied",
    404: "Request_ResourceNotFound",
    405: "Request_BadRequest",
    410: "resyncRequired",
    424: "FailedDependency",
    429: "TooManyRequests",
    500: "InternalServerError",
    501: "NotImplemented",
    502: "BadGateway",
    503: "ServiceUnavailable",
    504: "GatewayTimeout",
    509: "BandwidthLimitExceeded",
}


class GraphError(Exception):
    """Refuse a request to Graph: HTTP status, code, message, extra headers."""

    def __init__(self, status: int, code: str, message: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(f"{status} {code}")
        self.status, self.code, self.message, self.headers = status, code, message, headers or {}

    def answer(self, clock: Clock, request_id: str, client_request_id: str) -> Answer:
        return error_answer(self.status, self.code, self.message, clock, request_id, client_request_id, self.headers)


def error_answer(
    status: int,
    code: str,
    message: str,
    clock: Clock,
    request_id: str,
    client_request_id: str,
    headers: dict[str, str] | None = None,
) -> Answer:
    inner = {
        "date": iso(clock.now()).removesuffix("Z"),
        "request-id": request_id,
        "client-request-id": client_request_id,
    }
    if status == 429:
        inner = {"code": "429", "date": inner["date"], "request-id": request_id, "status": "429"}
    return Answer.json(status, {"error": {"code": code, "message": message, "innerError": inner}}, headers)


def denied() -> GraphError:
    return GraphError(403, "Authorization_RequestDenied", "Insufficient privileges to complete the operation.")


def not_found(id: str) -> GraphError:
    return GraphError(
        404,
        "Request_ResourceNotFound",
        f"Resource '{id}' does not exist or one of its queried reference-property objects are not present.",
    )


def bad_request(message: str, code: str = "Request_BadRequest") -> GraphError:
    return GraphError(400, code, message)


def unsupported_query(message: str) -> GraphError:
    return GraphError(400, "Request_UnsupportedQuery", message)


def unauthenticated(message: str, login: str) -> GraphError:
    challenge = (
        f'Bearer realm="", authorization_uri="{login}/common/oauth2/authorize", '
        'client_id="00000003-0000-0000-c000-000000000000"'
    )
    return GraphError(401, "InvalidAuthenticationToken", message, {"WWW-Authenticate": challenge})
