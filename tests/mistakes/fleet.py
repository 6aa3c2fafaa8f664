"""Mistakes in what is shown of many companies, and done to many at once."""

from __future__ import annotations

from tests.mistakes.row import Mistake, mistake

FLEET_PY = "connectors/fleet.py"
LINES_PY = "connectors/views/fleet/lines.py"
ACTING_PY = "connectors/views/fleet/acting.py"
RULING_PY = "connectors/views/fleet/ruling.py"
RESUMING_PY = "connectors/views/fleet/resuming.py"
RULESET_PY = "connectors/lifecycle/ruleset.py"
STRIP_PY = "connectors/views/strip.py"
SEVERAL_PY = "tenants/roster/several.py"

CELLS = ("tests/connectors/test_fleet.py",)
PAGE = "tests/connectors/test_fleet_page.py::"
RULES = "tests/connectors/test_fleet_rules.py::"
REFUSED = "tests/connectors/test_refused_pages.py::"
RULED = "tests/connectors/test_choosing_and_ruling.py::"

MISTAKES: tuple[Mistake, ...] = (
    mistake(
        0,
        "a token without the permission is taken for a refusal nobody knows",
        "connectors/entra/refusals.py",
        "(not code and _NOT_GRANTED in sentence)",
        "False",
        (f"{REFUSED}test_a_token_without_the_permission_leads_to_consent_though_microsoft_refused_nothing",),
    ),
    mistake(
        0,
        "who may not change a setting writes back the one that was shown",
        "connectors/views/ruling.py",
        "settings = form.settings if form.may_set else {}",
        'settings = form.settings if form.may_set else {"leave_out_guests": False}',
        (f"{RULED}test_a_technician_sees_the_settings_of_a_live_connector_and_saves_the_rules_without_them",),
    ),
    mistake(0, "a connector is listed for the least of what it needs", FLEET_PY, "min(found)", "max(found)", CELLS),
    mistake(
        0,
        "the licences of a company with two connectors count twice in the fleet",
        FLEET_PY,
        "accounts=sum(one.active for one in companies.values())",
        "accounts=sum(one.active for one in fleet)",
        CELLS,
    ),
    mistake(
        0,
        "folded runs that lie far apart fill the hours between them",
        FLEET_PY,
        "hours = range(first, last + 1) if dense or stretch.times == 1 else (first, last)",
        "hours = range(first, last + 1)",
        CELLS,
    ),
    mistake(
        0,
        "the strip forgets the record that began before the day",
        STRIP_PY,
        "Q(started_at__gte=begin) | Q(pk__in=straddling)",
        "Q(started_at__gte=begin)",
        (f"{PAGE}test_a_line_shows_its_runs_accounts_and_times",),
    ),
    mistake(
        0,
        "the fleet lists every partner's connectors",
        LINES_PY,
        "rows = Connector.objects.visible_to(user).select_related",
        "rows = Connector.objects.select_related",
        (f"{PAGE}test_another_partners_companies_are_neither_listed_nor_counted",),
    ),
    mistake(
        0,
        "a right at one partner is enough to act at another",
        ACTING_PY,
        "    if any(not grants.at(partner).issuperset(cans) for",
        "    if all(not grants.at(partner).issuperset(cans) for",
        (f"{PAGE}test_with_the_right_at_one_partner_alone_a_mixed_selection_is_refused_whole",),
    ),
    mistake(
        0,
        "what the filter leaves out is acted on too",
        ACTING_PY,
        "if asked.fits(line)]",
        "]",
        (f"{PAGE}test_everything_that_the_filter_finds_is_acted_on_and_nothing_else",),
    ),
    mistake(
        0,
        "a rule set is applied where nobody saw what it does",
        RULING_PY,
        "        if not row.live or cache.get(_seen_key(user, row, actions)):",
        "        if not row.live or row.pk:",
        (f"{RULES}test_what_was_not_looked_at_is_left_as_it_is_with_the_reason",),
    ),
    mistake(
        0,
        "a rule set overwrites settings that were changed in between",
        RULESET_PY,
        "now.settings_revision != revisions.get(row.pk)",
        "row.pk not in revisions",
        (f"{RULES}test_a_change_between_looking_and_saving_is_noticed_under_the_lock",),
    ),
    mistake(
        0,
        "rules that delete are applied to many without asking who one is",
        RULING_PY,
        "    if is_harsh(actions) and not recently_confirmed",
        "    if not actions and not recently_confirmed",
        (f"{RULES}test_rules_that_delete_or_convert_are_the_administrators_and_ask_again_who_one_is",),
    ),
    mistake(
        0,
        "many are resumed without a look at what that does",
        RESUMING_PY,
        "if not cache.get(_seen_key(user, row))]",
        "if row.paused_at is None]",
        (f"{RULES}TestResuming",),
    ),
    mistake(
        0,
        "an address that stands on two lines is created twice",
        SEVERAL_PY,
        "met.setdefault(person.email.lower(), number)",
        "met.setdefault(person.email, number)",
        ("tests/tenants/test_several.py",),
    ),
)
