"""What people type on the pages of a company."""

from __future__ import annotations

from typing import Any

from django import forms

from tenants.states import AccountRole

_CLASSES: dict[type[forms.Widget], str] = {
    forms.Select: "select",
    forms.CheckboxInput: "",
    forms.RadioSelect: "",
    forms.HiddenInput: "",
}


class PortalForm(forms.Form):
    """Give every field the stylesheet's class, and tell assistive technology where its error stands."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for field in self.fields.values():
            field.widget.attrs.setdefault("class", _CLASSES.get(type(field.widget), "input"))


class NewAccountForm(PortalForm):
    """Take what an account made by hand begins with; the operation judges it."""

    first_name = forms.CharField(max_length=200, required=False, label="First name")
    last_name = forms.CharField(max_length=200, required=False, label="Last name")
    email = forms.CharField(
        max_length=320,
        label="Email",
        widget=forms.EmailInput,
        help_text="It never changes. Its owner signs in with it.",
    )
    role = forms.ChoiceField(choices=AccountRole.choices(), initial=AccountRole.USER.value)
