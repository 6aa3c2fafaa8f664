from typing import Any

from django.db import migrations, models


def measure(apps: Any, schema_editor: Any) -> None:
    """Give each connector the size it has: a run's time limit must not fall back before its next success."""
    for connector in apps.get_model("connectors", "Connector").objects.all():
        connector.people = max(connector.in_scope, connector.links.count())
        connector.save(update_fields=["people"])


class Migration(migrations.Migration):
    dependencies = [("connectors", "0006_put_right")]

    operations = [
        migrations.AddField(
            model_name="connector",
            name="people",
            field=models.PositiveIntegerField(default=0, editable=False),
        ),
        migrations.RunPython(measure, migrations.RunPython.noop),
    ]
