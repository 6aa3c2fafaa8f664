"""``$batch``: at most twenty requests in one, each answered by itself, in any order."""

from __future__ import annotations

import base64
import json
import random
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote

from tests.entra_emulator.graph.errors import bad_request
from tests.entra_emulator.wire import Answer, Request

MAX_STEPS = 20
INHERITED = ("authorization", "client-request-id")
SHOWN = ("Content-Type", "Retry-After", "Location")


def _steps(body: bytes) -> list[dict[str, Any]]:
    """Read and check the envelope; raise 400 for anything not as microsoft-graph-docs json-batching.md says."""
    try:
        document = json.loads(body)
        steps = document["requests"]
    except (ValueError, KeyError, TypeError):
        raise bad_request("Invalid batch payload format.", "BadRequest") from None
    if not isinstance(steps, list) or not all(isinstance(step, dict) for step in steps):
        raise bad_request("Invalid batch payload format.", "BadRequest")
    if len(steps) > MAX_STEPS:
        raise bad_request(f"Number of batch request steps exceeds the max value of '{MAX_STEPS}'.", "BadRequest")
    seen: set[str] = set()
    for step in steps:
        if not all(isinstance(step.get(name), str) and step[name] for name in ("id", "method", "url")):
            raise bad_request("Every batch request needs an id, a method and a url.", "BadRequest")
        if not isinstance(step.get("headers") or {}, dict) or not isinstance(step.get("dependsOn") or [], list):
            raise bad_request("The headers or dependencies of a batch request are malformed.", "BadRequest")
        if step["id"].lower() in seen:
            raise bad_request(f"The batch request id '{step['id']}' is not unique.", "BadRequest")
        seen.add(step["id"].lower())
        if "://" in step["url"].partition("?")[0]:
            raise bad_request("The url of a batch request must be relative.", "BadRequest")
    for step in steps:
        if not all(str(id).lower() in seen for id in step.get("dependsOn") or ()):
            raise bad_request("A batch request depends on an id that is not there.", "BadRequest")
    return steps


def answer_batch(
    request: Request, batch_id: str, dispatch: Callable[[Request], Answer], order: random.Random
) -> Answer:
    """Answer every step through ``dispatch``; the outer status is 200 whatever became of them."""
    steps = _steps(request.body)
    statuses: dict[str, int] = {}
    responses = []
    for step in steps:
        failed = [id for id in step.get("dependsOn") or () if statuses.get(str(id).lower(), 200) >= 400]
        if failed:
            body: Any = {"error": {"code": "FailedDependency", "message": "A request it depends on failed."}}
            response: dict[str, Any] = {"id": step["id"], "status": 424, "headers": {}, "body": body}
        else:
            response = _one(request, batch_id, step, dispatch)
        statuses[step["id"].lower()] = response["status"]
        responses.append(response)
    order.shuffle(responses)
    return Answer.json(200, {"responses": responses})


def _one(
    request: Request, batch_id: str, step: dict[str, Any], dispatch: Callable[[Request], Answer]
) -> dict[str, Any]:
    path, _, query = step["url"].partition("?")
    headers = {name: request.headers[name] for name in INHERITED if name in request.headers}
    headers.update({str(name).lower(): str(value) for name, value in (step.get("headers") or {}).items()})
    answer = dispatch(
        Request(
            step["method"].upper(),
            request.host,
            unquote(f"/v1.0/{path.lstrip('/')}"),
            query,
            headers,
            json.dumps(step.get("body") or {}).encode(),
            batch_id,
        )
    )
    shown = {
        name: value for name, value in answer.headers.items() if name in ("Content-Type", "Retry-After", "Location")
    }
    body: Any = None
    if answer.body:
        is_json = "json" in answer.headers.get("Content-Type", "")
        body = json.loads(answer.body) if is_json else base64.b64encode(answer.body).decode()
    return {"id": step["id"], "status": answer.status, "headers": shown, "body": body}
