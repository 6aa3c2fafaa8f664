"""What a report of an error may show: where it happened and to which page, and nothing that anybody sent or held."""

from __future__ import annotations

from collections.abc import ItemsView
from types import FrameType, TracebackType
from typing import Any

from django.http import HttpRequest, QueryDict
from django.views.debug import SafeExceptionReporterFilter


class Filter(SafeExceptionReporterFilter):
    """Hide every value of a form and every local variable, whatever its name: any of them may hold a secret."""

    def get_post_parameters(self, request: HttpRequest | None) -> dict[str, Any]:
        if not self.is_active(request) or request is None:
            return super().get_post_parameters(request)
        shown = QueryDict(mutable=True)
        for name in request.POST:
            shown[name] = self.cleansed_substitute
        return shown

    def get_traceback_frame_variables(
        self, request: HttpRequest | None, tb_frame: FrameType | TracebackType
    ) -> ItemsView[str, Any]:
        found = dict(super().get_traceback_frame_variables(request, tb_frame))
        return (dict.fromkeys(found, self.cleansed_substitute) if self.is_active(request) else found).items()
