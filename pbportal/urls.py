"""The routes of the whole project."""

from django.urls import URLPattern, URLResolver, include, path

from connectors import admin as _pages_of_connectors  # noqa: F401 (importing it puts its pages on the site)
from connectors import api
from connectors import urls as connector_pages
from connectors.views import consent
from pbportal import health
from tenants import urls as people_pages
from tenants.admin import site as partner_portal
from tenants.views import notifications

# One set of pages, in either portal: its namespace tells a page where it stands.
company_pages = [*connector_pages.urlpatterns, *people_pages.urlpatterns]

handler403 = "tenants.signin.errors.forbidden"
handler404 = "tenants.signin.errors.not_found"

urlpatterns: list[URLPattern | URLResolver] = [
    path("healthz", health.healthz, name="healthz"),
    path("readyz", health.readyz, name="readyz"),
    path("", include("tenants.signin.urls")),
    path("api/connectors/", include(api)),
    # Both are registered with Microsoft exactly so, without a slash at the end.
    path("azure/callback", consent.partner_callback, name="consent-callback-partner"),
    path("business/connectors/azure/callback", consent.business_callback, name="consent-callback-business"),
    path("business/", include((company_pages, "company"), namespace="business")),
    path("partner/companies/<slug:company>/", include((company_pages, "company"), namespace="partner")),
    path("partner/notifications/", notifications.overview, name="notifications"),
    path("partner/notifications/<int:membership_id>/", notifications.subscription, name="notifications-of"),
    path("partner/", partner_portal.urls),
]
