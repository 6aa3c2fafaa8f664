"""SealedTextField: a text that is encrypted at rest, opened only by asking, and shown by nothing.

What is stored is ``v1:`` and a Fernet token over ``{"c": context, "s": secret}``. Fernet knows no associated
data, so the context inside the token ties it to its place: the column, and the row's value of ``bind_to``, a
field that is set before the first save and never changes, such as a random UUID (a new row has no primary key
yet). A token that somebody with the database in hand copies to another row or column does not open there.
"""

import json
from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NoReturn, Self

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings
from django.core import checks
from django.core.exceptions import FieldDoesNotExist
from django.db import models
from django.db.models.query_utils import DeferredAttribute

PREFIX = "v1:"


class Unreadable(Exception):
    """Raised where a stored secret does not open: no key fits, or it was made for another place."""

    def __init__(self) -> None:
        super().__init__(
            "This secret cannot be opened with the portal's keys. Put the former key back into"
            " PBPORTAL_FIELD_KEYS, or enter the secret again."
        )


@lru_cache(maxsize=8)
def _keyring(keys: tuple[str, ...]) -> MultiFernet:
    return MultiFernet([Fernet(key) for key in keys])


def _keys() -> MultiFernet:
    return _keyring(tuple(settings.PBPORTAL_FIELD_KEYS))


class Sealed:
    """A secret that only ``reveal`` opens; immutable, never equal to another, and refused by pickle."""

    __slots__ = ("_context", "_plain", "_token")

    def __init__(self, plain: str | None, *, token: str | None = None, context: str | None = None) -> None:
        self._plain = plain
        self._token = token
        self._context = context

    def reveal(self) -> str:
        """Return the secret itself, or raise Unreadable."""
        if self._plain is not None:
            return self._plain
        content = json.loads(self._opened(MultiFernet.decrypt))
        if self._context is None or content["c"] != self._context:
            raise Unreadable
        return str(content["s"])

    def rotated(self) -> "Sealed":
        """Return the same secret, encrypted by the first of PBPORTAL_FIELD_KEYS, or raise Unreadable."""
        return Sealed(None, token=PREFIX + self._opened(MultiFernet.rotate), context=self._context)

    def placed(self, context: str | None) -> "Sealed":
        return Sealed(self._plain, token=self._token, context=context)

    def stored(self) -> str:
        """Return the text for the database; a secret without a place has none."""
        if self._token is not None:
            return self._token
        if self._context is None:
            raise TypeError("A secret is stored by assigning it to a row and saving the row, after its bind_to.")
        content = json.dumps({"c": self._context, "s": self._plain})
        return PREFIX + _keys().encrypt(content.encode()).decode()

    def _opened(self, by: Callable[[MultiFernet, bytes], bytes]) -> str:
        token = self._token or ""
        if not token.startswith(PREFIX):
            raise Unreadable
        try:
            return by(_keys(), token.removeprefix(PREFIX).encode()).decode()
        except InvalidToken:
            raise Unreadable from None

    def __repr__(self) -> str:
        return "[sealed]"

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self

    def __reduce__(self) -> NoReturn:
        raise TypeError("A sealed secret is not pickled: pass the primary key of its row.")


class SealedAttribute(DeferredAttribute):
    """Wraps what is assigned, and tells what is read where it belongs."""

    field: "SealedTextField"

    def __get__(self, instance: models.Model | None, cls: type[models.Model] | None = None) -> Any:
        value = super().__get__(instance, cls)
        if instance is None or value is None:
            return value
        return value.placed(self.field.context_of(instance))

    def __set__(self, instance: models.Model, value: object) -> None:
        instance.__dict__[self.field.attname] = self.field.to_python(value)


if TYPE_CHECKING:
    _TextField = models.TextField[str | Sealed | None, Sealed | None]
else:
    _TextField = models.TextField


class SealedTextField(_TextField):
    """Hold a secret; rows take a str and give a Sealed, and querysets can ask for nothing but null."""

    descriptor_class = SealedAttribute

    def __init__(self, *args: Any, bind_to: str, **kwargs: Any) -> None:
        self.bind_to = bind_to
        super().__init__(*args, **kwargs | {"editable": False})

    def deconstruct(self) -> Any:
        name, path, args, kwargs = super().deconstruct()
        del kwargs["editable"]
        return name, path, args, kwargs | {"bind_to": self.bind_to}

    def check(self, **kwargs: Any) -> list[checks.CheckMessage]:
        return [*super().check(**kwargs), *self._check_bind_to()]

    def _check_bind_to(self) -> list[checks.CheckMessage]:
        try:
            bound = self.model._meta.get_field(self.bind_to)
        except FieldDoesNotExist:
            hint = f"The model has no field {self.bind_to!r}."
        else:
            if isinstance(bound, models.Field) and bound.unique and not bound.null and bound.has_default():
                return []
            hint = f"{self.bind_to!r} must be unique, not null, and have a default."
        return [checks.Error("bind_to names no field to bind to.", hint=hint, obj=self, id="pbportal.E003")]

    def context_of(self, instance: models.Model) -> str | None:
        """Return what a token of this column and row carries, or None before the row has its ``bind_to``."""
        bound = getattr(instance, self.bind_to)
        return None if bound is None else f"{instance._meta.label_lower}.{self.name}:{bound}"

    def to_python(self, value: object) -> Sealed | None:
        if value is None or isinstance(value, Sealed):
            return value
        if not isinstance(value, str):
            raise TypeError("A secret is a str.")
        if not value:
            raise ValueError("An empty text is no secret: use None for a row without one.")
        return Sealed(value)

    def from_db_value(self, value: str | None, *args: object) -> Sealed | None:
        return None if value is None else Sealed(None, token=value)

    def get_prep_value(self, value: object) -> str | None:
        sealed = self.to_python(value)
        return None if sealed is None else sealed.stored()

    def get_lookup(self, lookup: str) -> Any:
        return super().get_lookup(lookup) if lookup == "isnull" else None

    def value_to_string(self, obj: models.Model) -> NoReturn:
        raise TypeError(f"{self.model._meta.label}.{self.name} is a secret and is not serialised.")

    def formfield(self, *args: Any, **kwargs: Any) -> None:
        return None
