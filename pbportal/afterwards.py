"""What is done when an answer has been sent, so that the time it takes tells whoever asked nothing."""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest, HttpResponseBase

_KEY = "pbportal.afterwards"


def afterwards(request: HttpRequest, act: Callable[[], object]) -> None:
    """Do something when the answer to a request has been sent; it must handle its own failures."""
    request.META.setdefault(_KEY, []).append(act)


class AfterwardsMiddleware:
    """Do what was put off until the server closes the answer, which it does when the last byte has left."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        acts: list[Callable[[], object]] = request.META.pop(_KEY, [])
        if acts:
            close = response.close

            def act_and_close() -> None:
                try:
                    for act in acts:
                        act()
                finally:
                    close()

            vars(response)["close"] = act_and_close
        return response
