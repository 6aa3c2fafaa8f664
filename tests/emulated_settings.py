"""The settings of the tests: production's, with Microsoft emulated in this process."""

import os

os.environ["DEBUG"] = "true"

from pbportal.settings import *  # noqa: E402, F403

ENTRA_SESSION = "tests.entra_emulator.session.in_process"
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
