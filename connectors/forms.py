"""What people type into the wizard's steps, and later into the same steps as tabs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from django import forms

from connectors.entra import check_client_id, check_secret, check_tenant
from connectors.states import RULE_CHOICES, Action, Cloud, Situation
from tenants.forms import PortalForm


class RefusableForm(PortalForm):
    """Take what an operation judges: its refusals stand at their fields, as the form's own errors do."""

    def refuse(self, field: str, sentence: str) -> None:
        """Show a refusal at the field it concerns, or above the form."""
        self.add_error(field if field in self.fields else None, sentence)

    def mark_errors(self) -> None:
        """Tell assistive technology which fields are wrong, once every error is known."""
        for name in self.errors:
            if name in self.fields:
                attrs = self.fields[name].widget.attrs
                attrs |= {"aria-invalid": "true", "aria-describedby": f"id_{name}_error id_{name}_helptext"}


def _judged(check: Callable[[str], str], text: str) -> str:
    """Return the sentence that a check says of a text; '' where it finds nothing wrong."""
    try:
        check(text)
    except ValueError as wrong:
        return str(wrong)
    return ""


def _checked(check: Callable[[str], str], text: str) -> str:
    if sentence := _judged(check, text):
        raise forms.ValidationError(sentence)
    return text


class ApplicationForm(RefusableForm):
    """Take which application in which tenant a connector signs in as; each field says at once what it cannot be."""

    client_id = forms.CharField(
        label="Client ID",
        max_length=100,
        help_text="On the app’s Overview: Application (client) ID. It has 36 characters, in five parts.",
        widget=forms.TextInput(
            {
                "class": "input input--mono",
                "autocomplete": "off",
                "spellcheck": "false",
                "pattern": r"\s*[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\s*",
                "title": "A Client ID is a GUID, such as 1a2b3c4d-0f6b-4c39-9c55-6a3f3f0c9a11: the app’s Overview calls"
                " it Application (client) ID.",
            }
        ),
        error_messages={"required": _judged(check_client_id, "")},
    )
    tenant = forms.CharField(
        label="Tenant ID",
        max_length=255,
        help_text="On the app’s Overview: Directory (tenant) ID.",
        widget=forms.TextInput({"class": "input input--mono", "autocomplete": "off", "spellcheck": "false"}),
        error_messages={"required": _judged(check_tenant, "")},
    )

    def clean_client_id(self) -> str:
        """Refuse what is no GUID."""
        return _checked(check_client_id, self.cleaned_data["client_id"])

    def clean_tenant(self) -> str:
        """Refuse what is neither a GUID nor a domain."""
        return _checked(check_tenant, self.cleaned_data["tenant"])


def _expiry() -> forms.DateField:
    return forms.DateField(
        label="The secret expires on",
        required=False,
        help_text="We remind you 30, 14, 7 and 1 days before. On that day the connector stops.",
        widget=forms.DateInput({"class": "input input--short", "type": "date"}, format="%Y-%m-%d"),
        error_messages={"invalid": "Enter a day as year-month-day, for example 2027-11-30, or nothing."},
    )


class ExpiryForm(RefusableForm):
    """Take the day on which the secret in use expires, where it was not told with the secret, or told wrongly."""

    secret_expires_on = _expiry()


class SecretForm(ApplicationForm):
    """Take another client secret for a live connector; the operation proves it before it replaces the old one."""

    secret = forms.CharField(
        label="Client Secret",
        max_length=1000,
        help_text="The secret’s Value, not its ID. We keep it encrypted and never show it again.",
        widget=forms.PasswordInput({"autocomplete": "off"}),
        error_messages={"required": _judged(check_secret, "")},
    )
    secret_expires_on = _expiry()
    field_order = ("client_id", "secret", "tenant", "secret_expires_on", "cloud")
    saved = False
    """Whether the secret that was typed is stored, though something else is wrong."""

    def clean_secret(self) -> str:
        """Refuse what cannot be a secret."""
        secret: str = self.cleaned_data["secret"]
        return _checked(check_secret, secret) if secret else secret

    def mark_errors(self) -> None:
        """Ask for the secret again where the page that says what else is wrong has lost it."""
        typed = self.is_bound and self.data.get(self.add_prefix("secret"))
        if typed and self.errors and "secret" not in self.errors and not self.saved:
            self.add_error("secret", "Enter the secret again: a page never shows it.")
        super().mark_errors()


def _cloud() -> forms.ChoiceField:
    return forms.ChoiceField(
        label="Microsoft cloud", choices=Cloud.choices(), help_text="Almost always Global.", initial=Cloud.GLOBAL.value
    )


class CredentialsForm(SecretForm):
    """Take what an application signs in with; `stored` says that an empty secret keeps the one there is."""

    cloud = _cloud()

    def __init__(self, *args: Any, stored: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if stored:
            self.keep_stored()

    def keep_stored(self) -> None:
        """Let an empty secret keep the one that is stored."""
        self.fields["secret"].required = False
        self["secret"].help_text = "One is stored. Leave this empty to keep it, or enter another Value."


class CertificateForm(ApplicationForm):
    """Take the application that a certificate was uploaded to, while the setup is unfinished."""

    cloud = _cloud()


class PauseForm(RefusableForm):
    """Take why a connector is paused, and until when; the operation judges both."""

    reason = forms.CharField(
        label="Reason",
        help_text="Shown beside the connector, so that nobody wonders or resumes it by mistake.",
        widget=forms.TextInput({"class": "input", "autocomplete": "off"}),
        error_messages={"required": "Say why in a few words, for whoever finds it paused."},
    )
    until = forms.DateTimeField(
        label="Until",
        required=False,
        help_text="In UTC. It then goes on by itself. Leave it empty to pause until a person resumes it.",
        widget=forms.DateTimeInput({"class": "input input--short", "type": "datetime-local"}, format="%Y-%m-%dT%H:%M"),
        error_messages={"invalid": "Enter a moment as year-month-day and hour, for example 2027-11-30 09:00."},
    )


_CHOICES = {
    Situation.NEW: ("Somebody new is in the sync group", "Joined the company, or was added to the group."),
    Situation.REMOVED: ("Somebody is removed from the sync group", "Still there in Entra, and no longer in the group."),
    Situation.DISABLED: ("Somebody is disabled in Entra", "Cannot sign in to Microsoft, for example on long leave."),
    Situation.DELETED: ("Somebody is deleted in Entra", "Left the company."),
    Situation.RETURNED: ("Somebody comes back", "The connector had disabled or deleted the account."),
}
_SETTINGS = {
    "direct_members_only": ("Direct members only", "Off: people in a group inside the group count too."),
    "leave_out_guests": ("Leave out guests", "Guests are people invited from other organisations."),
    "allow_onmicrosoft": (
        "Take onmicrosoft.com addresses",
        "Off: who has no other address is skipped. Such addresses seldom have a mailbox.",
    ),
    "send_invitations": ("Send invitations", "Off: accounts are created, and nobody is told by us."),
}
_HARSH = {Action.DELETE, Action.CONVERT}


class RulesForm(PortalForm):
    """Take the sync rules and settings; `may_harm` offers the actions that delete or convert.

    Without `may_set` the settings are only shown, and one that is not sent stays as it is.
    """

    def __init__(
        self,
        *args: Any,
        actions: Mapping[Situation, Action],
        settings: Mapping[str, bool],
        may_harm: bool,
        may_set: bool,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self.may_set = may_set
        for situation, (when, what) in _CHOICES.items():
            allowed = [
                action
                for action in RULE_CHOICES[situation]
                if may_harm or action not in _HARSH or action == actions[situation]
            ]
            recommended = RULE_CHOICES[situation][0]
            self.fields[situation.value] = forms.ChoiceField(
                label=when,
                help_text=what,
                initial=actions[situation].value,
                choices=[
                    (action.value, f"{action.label} (recommended)" if action == recommended else action.label)
                    for action in allowed
                ],
                widget=forms.Select({"class": "select"}),
            )
        for name, (label, hint) in _SETTINGS.items():
            self.fields[name] = forms.BooleanField(
                label=label, help_text=hint, required=False, initial=settings[name], widget=forms.CheckboxInput()
            )

    @property
    def actions(self) -> dict[Situation, Action]:
        """Return the rules that were chosen."""
        return {situation: Action(self.cleaned_data[situation.value]) for situation in _CHOICES}

    @property
    def settings(self) -> dict[str, bool]:
        """Return the settings that were chosen, or stay."""
        stay = {} if self.may_set else {name: self.fields[name].initial for name in _SETTINGS}
        return {name: self.cleaned_data[name] or stay.get(name, False) for name in _SETTINGS}

    @property
    def rule_fields(self) -> list[forms.BoundField]:
        """Return the fields of the rules."""
        return [self[situation.value] for situation in _CHOICES]

    @property
    def setting_fields(self) -> list[forms.BoundField]:
        """Return the fields of the settings."""
        return [self[name] for name in _SETTINGS]


class RuleSetForm(PortalForm):
    """Take a rule set for several connectors; a situation that is left out stays as each of them has it."""

    def __init__(self, *args: Any, may_harm: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for situation, (when, what) in _CHOICES.items():
            allowed = [action for action in RULE_CHOICES[situation] if may_harm or action not in _HARSH]
            recommended = RULE_CHOICES[situation][0]
            self.fields[situation.value] = forms.ChoiceField(
                label=when,
                help_text=what,
                required=False,
                choices=[
                    ("", "Leave it as it is"),
                    *(
                        (action.value, f"{action.label} (recommended)" if action == recommended else action.label)
                        for action in allowed
                    ),
                ],
                widget=forms.Select({"class": "select"}),
            )

    @property
    def actions(self) -> dict[Situation, Action]:
        """Return the rules that were chosen, without those to leave as they are."""
        found = {situation: self.cleaned_data.get(situation.value) for situation in _CHOICES}
        return {situation: Action(value) for situation, value in found.items() if value}

    @property
    def rule_fields(self) -> list[forms.BoundField]:
        """Return the fields in their order."""
        return [self[situation.value] for situation in _CHOICES]


def is_harsh(actions: Mapping[Situation, Action]) -> bool:
    """Say whether a rule among these deletes or converts."""
    return not _HARSH.isdisjoint(actions.values())
