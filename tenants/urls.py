"""The addresses of a company's people and groups, below the company's own in either portal."""

from __future__ import annotations

from django.urls import path

from tenants.views import activity, creating, people, settings

urlpatterns = [
    path("users/", people.users, name="users"),
    path("users/new/", people.new_user, name="new-user"),
    path("users/new/several/", creating.new_users, name="new-users"),
    path("groups/", people.groups, name="groups"),
    path("activity/", activity.company_activity, name="activity"),
    path("activity.csv", activity.company_csv, name="activity-csv"),
    path("groups/<int:group_id>/", people.group, name="group"),
    path("settings/", settings.settings, name="settings"),
]
