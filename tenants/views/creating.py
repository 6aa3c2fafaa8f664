"""Many accounts by hand: lines are pasted, read and shown, and only then created, all of them or none."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.views.decorators.http import require_http_methods

from tenants.portals import Place, licences_of, place_page
from tenants.roles import Can
from tenants.roster import MOST, Pasted, Problem, Refused, create_accounts, read_people, taken_addresses

LONGEST = 200_000


@require_http_methods(["GET", "POST"])
@place_page(Can.MANAGE_ACCOUNTS)
def new_users(request: HttpRequest, place: Place) -> HttpResponse:
    """Take lines of "first name, last name, email", show what they say, and create the accounts once confirmed."""
    if request.method == "GET":
        return _ask(request, place, "", [])
    text = request.POST.get("people", "").replace("\x00", "")
    if len(text) > LONGEST:
        return _ask(request, place, "", [Problem(0, f"That is too long a text. Create at most {MOST} at once.")])
    if "change" in request.POST:
        return _ask(request, place, text, [])
    people, problems = read_people(text)
    problems = problems or taken_addresses(place.access.company, people)
    if problems:
        return _ask(request, place, text, problems)
    if "create" not in request.POST:
        return _show(request, place, text, people)
    try:
        accounts = create_accounts(place.access.company, people, actor=place.access.user)
    except Refused as refused:
        return _ask(request, place, text, [Problem(0, refused.sentence)])
    number = len(accounts)
    done = "1 account was created" if number == 1 else f"{number} accounts were created"
    messages.success(request, f"{done}, and each is invited by email.")
    return HttpResponseRedirect(place.url("users"))


def _ask(request: HttpRequest, place: Place, text: str, problems: list[Problem]) -> HttpResponse:
    context = {
        "text": text,
        "problems": problems,
        "most": MOST,
        "one_url": place.url("new-user"),
        "users_url": place.url("users"),
    }
    return place.render(request, "tenants/new_users.html", context, at="users", status=422 if problems else 200)


def _show(request: HttpRequest, place: Place, text: str, people: list[Pasted]) -> HttpResponse:
    licences = licences_of(place.access)
    free = None if licences is None or licences.total is None else max(licences.total - licences.used, 0)
    context = {
        "text": text,
        "people": people,
        "free": free,
        "missing": 0 if free is None else max(len(people) - free, 0),
        "users_url": place.url("users"),
    }
    return place.render(request, "tenants/new_users_shown.html", context, at="users")
