"""The settings of the tests: production's, free of this machine's environment, with Microsoft emulated."""

import os
import tempfile
from pathlib import Path

# Only the choice of the database comes from outside; a developer's .env must not change what a test proves.
_database_url = os.environ.get("DATABASE_URL")
for _name in [name for name in os.environ if name.startswith(("PBPORTAL_", "ENTRA_", "EMAIL_", "MICROSOFT_"))]:
    del os.environ[_name]
for _name in (
    "SECRET_KEY_FALLBACKS",
    "PORTAL_ORIGIN",
    "PARTNER_ORIGIN",
    "ALLOWED_HOSTS",
    "CSRF_TRUSTED_ORIGINS",
):
    os.environ.pop(_name, None)
os.environ |= {
    "PBPORTAL_ENV_FILE": os.devnull,
    "DEBUG": "true",
    "SECRET_KEY": "a-key-of-the-tests-and-of-nothing-else-that-is-long-enough",
    "PBPORTAL_FIELD_KEYS": "dGhlLXRlc3RzLXVzZS10aGlzLWtleS1vbmx5LTMyYmI=",
    "PBPORTAL_WORKERS": "2",
    "PBPORTAL_LOG_LEVEL": "WARNING",
}

from pbportal.settings import *  # noqa: E402, F403 (the environment must be set before it is read)
from pbportal.settings import DATABASES  # noqa: E402

ENTRA_SESSION = "tests.entra_emulator.session.in_process"
# The tests of the second factor turn it on; everywhere else staff are signed in without one.
PBPORTAL_STAFF_SECOND_FACTOR = False
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
# pytest turns DEBUG off, and whitenoise would warn of the folder that only collectstatic makes.
WHITENOISE_AUTOREFRESH = True

# Named by the process: two test runs of one checkout never share a database, nor do the workers of one run.
# On SQLite a file, never memory: tests with real processes open the same database.
if DATABASES["default"]["ENGINE"] == "django.db.backends.sqlite3":
    DATABASES["default"]["TEST"] = {"NAME": str(Path(tempfile.gettempdir()) / f"pbportal-test-{os.getpid()}.sqlite3")}
else:
    DATABASES["default"]["TEST"] = {"NAME": f"test_pbportal_{os.getpid()}"}
