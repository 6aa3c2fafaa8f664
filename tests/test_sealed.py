"""What a stored secret shows, where it opens, and how its keys are changed."""

import copy
import io
import json
import pickle
import uuid
from typing import Any

import pytest
from cryptography.fernet import Fernet
from django.contrib.admin.utils import display_for_field
from django.core import serializers
from django.core.exceptions import FieldError
from django.core.management import CommandError, call_command
from django.db import connection, models, transaction
from django.forms import modelform_factory

from connectors.models import Connector
from pbportal.sealed import Sealed, SealedTextField, Unreadable
from tenants.models import Company, Partner

SECRET = "hunter2-Ünïcode-" + "x" * 40


class Vault(models.Model):
    """A row with two secrets, of this file only."""

    public_id = models.UUIDField(default=uuid.uuid4, unique=True)
    name = models.TextField()
    secret = SealedTextField(bind_to="public_id", null=True)
    other = SealedTextField(bind_to="public_id", null=True)

    class Meta:
        app_label = "vaults"  # not installed, so that no other test meets this model

    def __str__(self) -> str:
        return self.name


@pytest.fixture
def vaults(db: None) -> Any:
    with connection.cursor() as cursor:
        # By hand: SQLite's schema editor refuses to work inside a test's transaction.
        number, guid = ("serial", "uuid") if connection.vendor == "postgresql" else ("integer", "char(32)")
        cursor.execute(
            f"CREATE TABLE vaults_vault (id {number} PRIMARY KEY, public_id {guid} UNIQUE NOT NULL,"
            " name text NOT NULL, secret text NULL, other text NULL)"
        )
    return Vault.objects


def raw(column: str, vault: Vault) -> str:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {column} FROM vaults_vault WHERE id = %s", [vault.pk])  # noqa: S608 (fixed names)
        return str(cursor.fetchone()[0])


def test_a_secret_comes_back_from_its_row(vaults: Any) -> None:
    vault = vaults.create(name="a", secret=SECRET)
    assert vault.secret.reveal() == SECRET
    assert vaults.get(pk=vault.pk).secret.reveal() == SECRET
    assert vaults.defer("secret").get(pk=vault.pk).secret.reveal() == SECRET
    vault.refresh_from_db()
    vault.save()
    assert vaults.get().secret.reveal() == SECRET
    assert vaults.get().other is None


def test_the_database_holds_a_marked_token_and_not_the_secret(vaults: Any) -> None:
    stored = raw("secret", vaults.create(name="a", secret=SECRET))
    assert stored.startswith("v1:gAAAA")
    assert "hunter2" not in stored


def test_bulk_statements_seal_too(vaults: Any) -> None:
    vaults.bulk_create([Vault(name="a", secret="one"), Vault(name="b", secret="two")])
    rows = list(vaults.order_by("name"))
    for row in rows:
        row.secret = row.name * 3
    vaults.bulk_update(rows, ["secret"])
    assert [row.secret.reveal() for row in vaults.order_by("name")] == ["aaa", "bbb"]


def test_nothing_but_reveal_shows_it(vaults: Any) -> None:
    vault = vaults.create(name="a", secret=SECRET)
    for sealed in (Vault(secret=SECRET).secret, vault.secret, vaults.get().secret, vaults.values("secret")[0]):
        for shown in (repr(sealed), str(sealed), f"{sealed}", repr([sealed])):
            assert "hunter2" not in shown
            assert "gAAAA" not in shown
    assert str(vault.secret) == repr(vault.secret) == "[sealed]"
    assert "hunter2" not in repr(vars(vault))
    assert display_for_field(vault.secret, Vault._meta.get_field("secret"), "–") == "[sealed]"


def test_it_is_in_no_form(vaults: Any) -> None:
    assert list(modelform_factory(Vault, fields="__all__")().fields) == ["public_id", "name"]


def test_it_is_not_serialised_and_not_pickled(vaults: Any) -> None:
    vault = vaults.create(name="a", secret=SECRET)
    with pytest.raises(TypeError, match=r"^vaults\.Vault\.secret is a secret and is not serialised\.$"):
        serializers.serialize("json", [vault])
    with pytest.raises(TypeError, match="not pickled"):
        pickle.dumps(vault.secret)
    assert copy.deepcopy(vault.secret).reveal() == copy.copy(vault.secret).reveal() == SECRET


def test_only_null_can_be_looked_up(vaults: Any) -> None:
    vaults.create(name="a", secret=SECRET)
    vaults.create(name="b")
    assert [row.name for row in vaults.filter(secret__isnull=True)] == ["b"]
    for lookup in ("secret", "secret__contains", "secret__startswith", "secret__in"):
        with pytest.raises((FieldError, TypeError)):
            list(vaults.filter(**{lookup: "v1:"}))


def test_a_queryset_cannot_store_one(vaults: Any) -> None:
    vaults.create(name="a")
    with pytest.raises(TypeError, match="assigning it to a row"), transaction.atomic():
        vaults.update(secret=SECRET)
    assert vaults.get().secret is None


@pytest.mark.parametrize(("value", "error"), [("", ValueError), (b"bytes", TypeError), (7, TypeError)])
def test_what_is_no_secret_is_refused_at_once(value: object, error: type[Exception]) -> None:
    with pytest.raises(error):
        Vault(secret=value)


def test_a_token_opens_in_its_own_row_and_column_only(vaults: Any) -> None:
    a, b = vaults.create(name="a", secret="of a"), vaults.create(name="b", secret="of b")
    with connection.cursor() as cursor:
        cursor.execute("UPDATE vaults_vault SET secret = %s, other = %s WHERE id = %s", [raw("secret", a)] * 2 + [b.pk])
    b = vaults.get(pk=b.pk)
    for moved in (b.secret, b.other):
        with pytest.raises(Unreadable):
            moved.reveal()
    assert vaults.get(pk=a.pk).secret.reveal() == "of a"


def test_out_of_its_row_it_does_not_open(vaults: Any) -> None:
    vaults.create(name="a", secret=SECRET)
    with pytest.raises(Unreadable):
        vaults.values_list("secret", flat=True).get().reveal()


@pytest.mark.parametrize("stored", ["", "v1:", "v1:nonsense", "v2:gAAAA", SECRET, "v1:Ünïcode"])
def test_what_is_no_token_loads_and_does_not_open(vaults: Any, stored: str) -> None:
    vault = vaults.create(name="a")
    with connection.cursor() as cursor:
        cursor.execute("UPDATE vaults_vault SET secret = %s", [stored])
    loaded = vaults.get(pk=vault.pk)
    with pytest.raises(Unreadable) as refused:
        loaded.secret.reveal()
    assert str(refused.value) == (
        "This secret cannot be opened with the portal's keys. Put the former key back into PBPORTAL_FIELD_KEYS,"
        " or enter the secret again."
    )


@pytest.fixture
def new_connector(db: None) -> Any:
    partner = Partner.objects.create(name="Northwind IT", slug="northwind-it")
    company = Company.objects.create(partner=partner, name="Contoso", slug="contoso")
    return lambda secret: Connector.objects.create(company=company, secret=secret)


def test_keys_are_changed_without_losing_a_secret(new_connector: Any, settings: Any) -> None:
    old, new = Fernet.generate_key().decode(), Fernet.generate_key().decode()
    settings.PBPORTAL_FIELD_KEYS = [old]
    connector = new_connector(SECRET)
    new_connector(None)

    settings.PBPORTAL_FIELD_KEYS = [new]
    connector.refresh_from_db()
    with pytest.raises(Unreadable):
        connector.secret.reveal()

    settings.PBPORTAL_FIELD_KEYS = [new, old]
    assert connector.secret.reveal() == SECRET
    said = io.StringIO()
    call_command("rotate_secrets", stdout=said)
    assert said.getvalue() == "Encrypted with the first key: 1.\n"

    settings.PBPORTAL_FIELD_KEYS = [new]
    connector.refresh_from_db()
    assert connector.secret.reveal() == SECRET
    token = connector.secret.stored().removeprefix("v1:")
    assert json.loads(Fernet(new).decrypt(token)) == {
        "c": f"connectors.connector.secret:{connector.uid}",
        "s": SECRET,
    }


def test_rotation_names_what_it_cannot_open_and_does_the_rest(new_connector: Any, settings: Any) -> None:
    kept, lost = Fernet.generate_key().decode(), Fernet.generate_key().decode()
    settings.PBPORTAL_FIELD_KEYS = [lost]
    broken = new_connector(SECRET)
    settings.PBPORTAL_FIELD_KEYS = [kept]
    new_connector("fine")
    said = io.StringIO()
    with pytest.raises(CommandError) as refused:
        call_command("rotate_secrets", stdout=said)
    assert str(refused.value) == f"No key opens 1; enter them again: connectors.Connector {broken.pk}."
    assert said.getvalue() == "Encrypted with the first key: 1.\n"


def test_it_is_bound_to_a_field_that_is_there_before_the_first_save() -> None:
    class Loose(models.Model):
        """Bound to what it must not be bound to."""

        name = models.TextField()
        to_nothing = SealedTextField(bind_to="nothing")
        to_name = SealedTextField(bind_to="name")

        class Meta:
            app_label = "loose"

        def __str__(self) -> str:
            return self.name

    found = [(error.obj.name, error.hint) for error in Loose.check() if error.id == "pbportal.E003"]
    assert found == [
        ("to_nothing", "The model has no field 'nothing'."),
        ("to_name", "'name' must be unique, not null, and have a default."),
    ]


def test_a_migration_says_what_it_is_bound_to() -> None:
    _, path, args, kwargs = Vault._meta.get_field("secret").deconstruct()
    assert (path, args, kwargs) == ("pbportal.sealed.SealedTextField", [], {"bind_to": "public_id", "null": True})
    assert Sealed("x").reveal() == "x"
