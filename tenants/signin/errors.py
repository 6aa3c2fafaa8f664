"""The pages of a request that leads nowhere: they wear the visitor's own portal, and say nothing of what is there."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from tenants.models import User
from tenants.signin.frame import frame_of


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Say that there is no such page: the same words whether it never was, or belongs to somebody else."""
    return _page(request, "404.html", 404)


def forbidden(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Say that the visitor has no right to it, and who has."""
    return _page(request, "403.html", 403)


def _page(request: HttpRequest, template: str, status: int) -> HttpResponse:
    # A request that went wrong on its way in may not have met the middleware that knows the visitor.
    user = getattr(request, "user", None)
    return render(request, template, frame_of(user) if isinstance(user, User) else {}, status=status)
