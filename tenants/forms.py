"""What people type on the pages of a company."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from django import forms
from django.core.validators import EmailValidator

from tenants.models import Company, Partner
from tenants.roles import STAFF_ROLES, Role
from tenants.states import AccountRole, EventKind
from tenants.subscriptions import Wish

MOST_LICENCES = 1_000_000
MOST_ADDRESSES = 20

_CLASSES: dict[type[forms.Widget], str] = {
    forms.Select: "select",
    forms.CheckboxInput: "",
    forms.CheckboxSelectMultiple: "",
    forms.RadioSelect: "",
    forms.HiddenInput: "",
}


class PortalForm(forms.Form):
    """Give every field the stylesheet's class, and a sentence of its own where it must be filled in and is not."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for field in self.fields.values():
            field.widget.attrs.setdefault("class", _CLASSES.get(type(field.widget), "input"))
            if field.error_messages["required"] == forms.Field.default_error_messages["required"]:
                verb = "Choose" if isinstance(field, forms.ChoiceField) else "Enter"
                label = str(field.label or "value")
                # A word that is written with capitals inside, as Client ID is, keeps them.
                named = label if any(letter.isupper() for letter in label[1:]) else label.lower()
                field.error_messages["required"] = f"{verb} the {named}."


class OneOfField(forms.CharField):
    """Take one of several texts of which at least one is needed: neither required nor optional by itself."""

    one_of = True


class NewAccountForm(PortalForm):
    """Take what an account made by hand begins with; the operation judges it."""

    first_name = OneOfField(
        max_length=200,
        required=False,
        label="First name",
        help_text="A first or a last name: one of the two is enough.",
        widget=forms.TextInput(attrs={"autofocus": True}),
    )
    last_name = OneOfField(max_length=200, required=False, label="Last name")
    email = forms.CharField(
        max_length=320,
        label="Email",
        widget=forms.EmailInput,
        help_text="It never changes. Its owner signs in with it.",
    )
    role = forms.ChoiceField(choices=AccountRole.choices(), initial=AccountRole.USER.value)

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        unnamed = not cleaned.get("first_name") and not cleaned.get("last_name")
        if unnamed and not {"first_name", "last_name"} & self.errors.keys():
            self.add_error("first_name", "Enter a first or a last name.")
        return cleaned


class SubscriptionForm(PortalForm):
    """Take what a member of staff is told of, and of which companies."""

    kinds = forms.MultipleChoiceField(
        choices=EventKind.choices(), required=False, label="Events", widget=forms.CheckboxSelectMultiple
    )
    scope = forms.ChoiceField(
        choices=[("all", "All companies, also those that come later"), ("chosen", "Only the companies ticked here")],
        label="Companies",
        widget=forms.RadioSelect,
    )

    def __init__(self, *args: Any, companies: Collection[Company], wish: Wish, **kwargs: Any) -> None:
        initial = {
            "kinds": sorted(wish.kinds),
            "scope": "all" if wish.companies is None else "chosen",
            "chosen": [str(pk) for pk in wish.companies or ()],
        }
        super().__init__(*args, initial=initial, **kwargs)
        self._companies = {str(company.pk): company for company in companies}
        self.fields["chosen"] = forms.MultipleChoiceField(
            choices=[(pk, company.name) for pk, company in self._companies.items()],
            required=False,
            widget=forms.CheckboxSelectMultiple,
        )

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if cleaned.get("kinds") and cleaned.get("scope") == "chosen" and not cleaned.get("chosen"):
            self.add_error("chosen", "No company is ticked. Tick one or more, or choose all companies.")
        return cleaned

    @property
    def kinds_wanted(self) -> list[EventKind]:
        """Return the kinds of events that were ticked."""
        return [EventKind(kind) for kind in self.cleaned_data["kinds"]]

    @property
    def companies_wanted(self) -> list[Company] | None:
        """Return the companies that were ticked, None for all of the partner's."""
        if self.cleaned_data["scope"] == "all":
            return None
        return [self._companies[pk] for pk in self.cleaned_data["chosen"]]


_LICENCES: dict[str, Any] = {
    "required": False,
    "min_value": 0,
    "max_value": MOST_LICENCES,
    "label": "Licences",
    "help_text": "Each Active account uses one. Leave it empty where they are unlimited.",
    "error_messages": {
        "invalid": "Enter a whole number, or leave it empty for unlimited licences.",
        "min_value": "Enter 0 or more, or leave it empty for unlimited licences.",
        "max_value": f"Enter {MOST_LICENCES:,} or fewer, or leave it empty for unlimited licences.",
    },
}
"""The field of a company's licences, wherever it is typed."""


def _in_order(name: str) -> str:
    return " ".join(name.split())


class PartnerForm(PortalForm):
    """Take a partner's name."""

    name = forms.CharField(max_length=200, label="Name", widget=forms.TextInput(attrs={"autofocus": True}))

    def clean_name(self) -> str:
        return _in_order(self.cleaned_data["name"])


class NewCompanyForm(PortalForm):
    """Take what a company begins with; its partner is asked for only where there are several to choose from."""

    name = forms.CharField(max_length=200, label="Name", widget=forms.TextInput(attrs={"autofocus": True}))
    licences = forms.IntegerField(**_LICENCES)
    partner = forms.ChoiceField(
        label="Partner",
        help_text="It looks after the company, and stays its partner for good.",
        error_messages={
            "required": "Choose the partner that looks after the company.",
            "invalid_choice": "Choose a partner whose companies you manage.",
        },
    )

    def __init__(self, *args: Any, partners: Sequence[Partner], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._partners = {str(partner.pk): partner for partner in partners}
        choice = self.fields["partner"]
        names = [(key, one.name) for key, one in self._partners.items()]
        if isinstance(choice, forms.ChoiceField):
            choice.choices = names if len(names) == 1 else [("", "Choose a partner"), *names]
        if len(names) == 1:
            choice.widget = forms.HiddenInput()
            choice.initial = names[0][0]

    def clean_name(self) -> str:
        return _in_order(self.cleaned_data["name"])

    @property
    def chosen(self) -> Partner:
        """Return the partner that was chosen, or the only one there is."""
        return self._partners[self.cleaned_data["partner"]]


class CompanySettingsForm(PortalForm):
    """Take a company's settings; only what differs from what the page showed is changed."""

    name = forms.CharField(max_length=200, label="Name", show_hidden_initial=True)
    licences = forms.IntegerField(show_hidden_initial=True, **_LICENCES)
    notification_emails = forms.CharField(
        required=False,
        max_length=MOST_ADDRESSES * 256,
        label="Notification addresses",
        widget=forms.Textarea(attrs={"rows": 4, "spellcheck": "false", "autocapitalize": "none"}),
        show_hidden_initial=True,
        help_text=f"One on each line, at most {MOST_ADDRESSES}. They are told of everything that needs a person here.",
    )

    def clean_name(self) -> str:
        return _in_order(self.cleaned_data["name"])

    def clean_notification_emails(self) -> list[str]:
        """Return the addresses, each once; the first line that is none is named."""
        found: dict[str, str] = {}
        for number, line in enumerate(str(self.cleaned_data["notification_emails"]).splitlines(), start=1):
            address = line.strip().rstrip(",;")
            if not address:
                continue
            try:
                EmailValidator()(address)
            except forms.ValidationError:
                text = f"Line {number}: “{address[:100]}” is not an email address. Write one address on each line."
                raise forms.ValidationError(text) from None
            if len(address) > 254:
                raise forms.ValidationError(f"Line {number}: an address has at most 254 characters.")
            found.setdefault(address.lower(), address)
        if len(found) > MOST_ADDRESSES:
            raise forms.ValidationError(f"These are {len(found)} addresses. Leave at most {MOST_ADDRESSES}.")
        return list(found.values())

    @property
    def changes(self) -> dict[str, Any]:
        """Return the settings that were changed, with their new values."""
        return {name: self.cleaned_data[name] for name in self.changed_data}


class InviteStaffForm(PortalForm):
    """Take whom to invite to the staff of which partner, as what; the operation judges it."""

    partner_id = forms.ChoiceField(label="Partner")
    name = forms.CharField(max_length=400, label="Name", help_text="As colleagues call them.")
    email = forms.CharField(
        max_length=320,
        label="Email",
        widget=forms.EmailInput,
        help_text="The invitation goes there, and they sign in with it.",
    )
    role = forms.ChoiceField(
        label="Role",
        choices=[(role.value, role.label) for role in STAFF_ROLES],
        initial=Role.PARTNER_TECHNICIAN.value,
    )

    def __init__(self, *args: Any, partners: Sequence[Partner], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._partners = {str(partner.pk): partner for partner in partners}
        choice = self.fields["partner_id"]
        if len(partners) == 1 or not isinstance(choice, forms.ChoiceField):
            del self.fields["partner_id"]
        else:
            choice.choices = [(key, one.name) for key, one in self._partners.items()]

    @property
    def partner(self) -> Partner:
        """Return the partner that was chosen, or the only one there is."""
        chosen: str = self.cleaned_data.get("partner_id", "")
        return self._partners[chosen] if chosen else next(iter(self._partners.values()))
