"""The addresses of a company's people and groups, below the company's own in either portal."""

from __future__ import annotations

from django.urls import path

from tenants import views

urlpatterns = [
    path("users/", views.users, name="users"),
    path("users/new/", views.new_user, name="new-user"),
    path("groups/", views.groups, name="groups"),
    path("groups/<int:group_id>/", views.group, name="group"),
]
