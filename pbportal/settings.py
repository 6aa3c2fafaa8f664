"""Every setting of the project: read from the environment and .env, refused with a sentence where wrong.

What an operator may set stands in .env.example, with a sentence each. Constants that look odd were measured,
and say what happens without them.
"""

import hashlib
import os
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pbportal import environment as kind
from pbportal.environment import Environment, development_key, read_env_file

BASE_DIR = Path(__file__).resolve().parent.parent

read_env_file(Path(os.environ.get("PBPORTAL_ENV_FILE") or BASE_DIR / ".env"))
env = Environment(os.environ)
# The second one is read by ``manage.py connector``, and is no setting.
env.names += ["PBPORTAL_ENV_FILE", "PBPORTAL_CLIENT_SECRET"]

# ── Keys ────────────────────────────────────────────────────────────────────────────
DEBUG = env.ask("DEBUG", kind.FLAG, False)
_own_key = ""
if DEBUG and not (os.environ.get("SECRET_KEY") and os.environ.get("PBPORTAL_FIELD_KEYS")):
    try:
        _own_key = development_key(BASE_DIR / "var" / "development.key")
        kind.FIELD_KEYS.parse(_own_key)
    except (OSError, ValueError):
        env.refuse(
            "var/development.key can be neither read nor made: delete it, let this process write into var,"
            " or set SECRET_KEY and PBPORTAL_FIELD_KEYS."
        )
SECRET_KEY = env.need(
    "SECRET_KEY",
    kind.SECRET_KEY,
    hashlib.sha256(b"SECRET_KEY of " + _own_key.encode()).hexdigest() if DEBUG else "",
    unless=DEBUG,
)
SECRET_KEY_FALLBACKS = env.ask("SECRET_KEY_FALLBACKS", kind.SECRET_KEYS, [])
PBPORTAL_FIELD_KEYS = env.need("PBPORTAL_FIELD_KEYS", kind.FIELD_KEYS, [_own_key], unless=DEBUG)

# ── Where the portals are ───────────────────────────────────────────────────────────
_ORIGIN = kind.ORIGIN if DEBUG else kind.PRODUCTION_ORIGIN
PORTAL_ORIGIN = env.need("PORTAL_ORIGIN", _ORIGIN, "http://localhost:8000", unless=DEBUG)
PARTNER_ORIGIN = env.ask("PARTNER_ORIGIN", _ORIGIN, PORTAL_ORIGIN)
_origins = sorted({PORTAL_ORIGIN, PARTNER_ORIGIN})
ALLOWED_HOSTS = sorted(
    {str(urlsplit(origin).hostname) for origin in _origins}
    | {*env.ask("ALLOWED_HOSTS", kind.NAMES, ["localhost", "127.0.0.1", "[::1]"] if DEBUG else [])}
)
if "*" in ALLOWED_HOSTS and not DEBUG:
    env.refuse("ALLOWED_HOSTS is not usable: * lets a forged host name into links; name the hosts.")
CSRF_TRUSTED_ORIGINS = sorted({*_origins, *env.ask("CSRF_TRUSTED_ORIGINS", kind.ORIGINS, [])})
_https = all(origin.startswith("https://") for origin in _origins)

# How many reverse proxies, each appending to X-Forwarded-For and setting X-Forwarded-Proto, stand in front.
ALLAUTH_TRUSTED_PROXY_COUNT = env.ask("PBPORTAL_TRUSTED_PROXIES", kind.whole(0, 10), 0)
if ALLAUTH_TRUSTED_PROXY_COUNT:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")

# ── Applications ────────────────────────────────────────────────────────────────────
INSTALLED_APPS = [
    "pbportal",
    "tenants",
    "connectors",
    # Simple: nothing may fill django.contrib.admin.site; django-q2's Schedule there runs any code it is told.
    "django.contrib.admin.apps.SimpleAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "allauth.socialaccount",
    "allauth.socialaccount.providers.microsoft",
    "allauth.usersessions",
    "csp",
    "django_htmx",
    "django_q",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "pbportal.headers.HeadersMiddleware",
    "pbportal.afterwards.AfterwardsMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "allauth.usersessions.middleware.UserSessionsMiddleware",
    "tenants.signin.ending.SessionEndMiddleware",
    "tenants.signin.second_factor.SecondFactorMiddleware",
]
ROOT_URLCONF = "pbportal.urls"
WSGI_APPLICATION = "pbportal.wsgi.application"
TEMPLATES: list[dict[str, Any]] = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "tenants.signin.frame.frame",
            ]
        },
    }
]

# ── Database and cache ──────────────────────────────────────────────────────────────
_database = env.ask("DATABASE_URL", kind.DATABASE, {})
if not _database:
    try:
        (BASE_DIR / "var").mkdir(exist_ok=True)
    except OSError:
        env.refuse("The folder var cannot be made beside manage.py: make it, or set DATABASE_URL.")
    _database = {"ENGINE": "django.db.backends.sqlite3", "NAME": str(BASE_DIR / "var" / "pbportal.sqlite3")}
if _database["ENGINE"] == "django.db.backends.sqlite3":
    _database["NAME"] = str(BASE_DIR / _database["NAME"])
    _database["OPTIONS"] = {
        **_database.get("OPTIONS", {}),
        # A deferred transaction that reads and then writes fails at once with "database is locked", whatever
        # the timeout. ATOMIC_REQUESTS must stay off with it: every page would take the one write lock.
        "transaction_mode": "IMMEDIATE",
        "timeout": 20,
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
    }
else:
    # The queue closes stale connections after every task; without an age to keep them, it runs at a ninth.
    _database = {"CONN_MAX_AGE": 60, "CONN_HEALTH_CHECKS": True, **_database}
    _database["OPTIONS"] = {"connect_timeout": 10, **_database.get("OPTIONS", {})}
DATABASES = {"default": _database}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
# Rate limits need one cache for all processes; its table comes with the project's own migration.
CACHES = {
    "default": {"BACKEND": "django.core.cache.backends.db.DatabaseCache", "LOCATION": "pbportal_cache"},
    # The queue writes its pulse twice a second; nobody else reads it, so it stays out of the database.
    "queue": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache", "LOCATION": "queue"},
}

# ── Signing in ──────────────────────────────────────────────────────────────────────
AUTH_USER_MODEL = "tenants.User"
AUTHENTICATION_BACKENDS = ["tenants.signin.backend.LoginBackend"]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "home"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]
ACCOUNT_ADAPTER = "tenants.signin.adapters.AccountAdapter"
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*", "password2*"]
# An invitation has proven the address before there is a login.
ACCOUNT_EMAIL_VERIFICATION = "none"
# Nobody learns by a mail, or by its absence on the page, which addresses have a login.
ACCOUNT_EMAIL_UNKNOWN_ACCOUNTS = False
ACCOUNT_SESSION_REMEMBER = True
ACCOUNT_EMAIL_SUBJECT_PREFIX = ""
ACCOUNT_LOGOUT_REDIRECT_URL = "account_login"
ACCOUNT_REAUTHENTICATION_REQUIRED = True
ACCOUNT_RATE_LIMITS = {"login": "30/m/ip", "login_failed": "10/m/ip,5/300s/key", "reset_password": "20/m/ip,5/m/key"}
SOCIALACCOUNT_ADAPTER = "tenants.signin.adapters.MicrosoftAdapter"
# An address in Entra proves nothing about who owns it: a login is never found by it.
SOCIALACCOUNT_EMAIL_AUTHENTICATION = False
SOCIALACCOUNT_EMAIL_VERIFICATION = "none"
SOCIALACCOUNT_STORE_TOKENS = False
MFA_ADAPTER = "tenants.signin.adapters.SecondFactorAdapter"
MFA_SUPPORTED_TYPES = ["totp", "webauthn", "recovery_codes"]
MFA_TOTP_ISSUER = "Password Boss"
MFA_PASSKEY_LOGIN_ENABLED = True
MFA_WEBAUTHN_ALLOW_INSECURE_ORIGIN = DEBUG
# Without a second factor, staff get no further than to the page where they set one up.
PBPORTAL_STAFF_SECOND_FACTOR = env.ask("PBPORTAL_STAFF_SECOND_FACTOR", kind.FLAG, True)
PBPORTAL_INVITATION_DAYS = env.ask("PBPORTAL_INVITATION_DAYS", kind.whole(1, 90), 7)
PBPORTAL_INVITATIONS_PER_MINUTE = env.ask("PBPORTAL_INVITATIONS_PER_MINUTE", kind.whole(1, 10_000), 100)

# ── Microsoft ───────────────────────────────────────────────────────────────────────
# Both are seams for an emulated Microsoft; the deployment check refuses them where DEBUG is off.
ENTRA_SESSION = env.ask("ENTRA_SESSION", kind.DOTTED_PATH, "connectors.entra.plain_session")
# From Microsoft's login origin to the one that browsers are sent to instead.
ENTRA_LOGIN_ORIGINS = env.ask("ENTRA_LOGIN_ORIGINS", kind.ORIGIN_PAIRS, {})
# The portal's own application, by which people sign in with Microsoft; without both there is no button for it.
MICROSOFT_SIGNIN_CLIENT_ID = env.ask("MICROSOFT_SIGNIN_CLIENT_ID", kind.GUID, "")
MICROSOFT_SIGNIN_CLIENT_SECRET = env.ask("MICROSOFT_SIGNIN_CLIENT_SECRET", kind.TEXT, "")
if bool(MICROSOFT_SIGNIN_CLIENT_ID) != bool(MICROSOFT_SIGNIN_CLIENT_SECRET):
    env.refuse("MICROSOFT_SIGNIN_CLIENT_ID and MICROSOFT_SIGNIN_CLIENT_SECRET go together: set both, or neither.")
SOCIALACCOUNT_PROVIDERS = {"microsoft": {"provider_class": "tenants.signin.microsoft.MicrosoftProvider"}}
# For the connector's calls, in the shape of requests.Session.proxies; the usual *_PROXY names are not read.
PBPORTAL_PROXIES = env.ask("PBPORTAL_PROXIES", kind.PROXIES, {})

# ── Headers ─────────────────────────────────────────────────────────────────────────
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = SECURE_SSL_REDIRECT = _https
# No other host of the domain, and nobody on plain http, can set a cookie with this prefix.
SESSION_COOKIE_NAME = "__Host-sessionid" if _https else "sessionid"
CSRF_COOKIE_NAME = "__Host-csrftoken" if _https else "csrftoken"
# A signed cookie would carry names to wherever the browser keeps its cookies.
MESSAGE_STORAGE = "django.contrib.messages.storage.session.SessionStorage"
SESSION_COOKIE_AGE = 3600 * env.ask("PBPORTAL_SESSION_HOURS", kind.whole(1, 24 * 30), 12)
SECURE_REDIRECT_EXEMPT = [r"^healthz$", r"^readyz$"]
SECURE_HSTS_SECONDS = 365 * 24 * 3600 if _https else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = _https
# Preloading is decided for a whole domain, of which the portal is one host.
SILENCED_SYSTEM_CHECKS = ["security.W021"]
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": ["'self'"],
        # data: is the QR code of the authenticator page.
        "img-src": ["'self'", "data:"],
        "object-src": ["'none'"],
        "base-uri": ["'none'"],
        "frame-ancestors": ["'none'"],
        # Browsers also hold the redirect after a form to this list, and consent begins with a form.
        "form-action": [
            "'self'",
            "https://login.microsoftonline.com",
            "https://login.microsoftonline.us",
            "https://login.partner.microsoftonline.cn",
            "https://login.chinacloudapi.cn",
            *sorted(ENTRA_LOGIN_ORIGINS.values()),
        ],
    }
}

# ── The queue ───────────────────────────────────────────────────────────────────────
PBPORTAL_WORKERS = env.ask("PBPORTAL_WORKERS", kind.whole(1, 64), 4)
# Seconds a run may take: of a small company, and of the largest.
PBPORTAL_RUN_SECONDS = env.ask("PBPORTAL_RUN_SECONDS", kind.whole(30, 86_400), 240)
PBPORTAL_RUN_SECONDS_MOST = env.ask("PBPORTAL_RUN_SECONDS_MOST", kind.whole(30, 86_400), 1_800)
if PBPORTAL_RUN_SECONDS > PBPORTAL_RUN_SECONDS_MOST:
    env.refuse("PBPORTAL_RUN_SECONDS is not usable: it must be at most PBPORTAL_RUN_SECONDS_MOST.")
_queue_limit = PBPORTAL_WORKERS
# The clock of a retry starts when the task is fetched, not when it begins: it may wait through a whole run
# of each task fetched before it, and a task handed out again too early runs twice.
_least_retry = PBPORTAL_RUN_SECONDS_MOST * (_queue_limit // PBPORTAL_WORKERS + 1) + 60
PBPORTAL_RETRY_SECONDS = env.ask("PBPORTAL_RETRY_SECONDS", kind.whole(1, 604_800), _least_retry + 60)
if _least_retry >= PBPORTAL_RETRY_SECONDS:
    env.refuse(
        "PBPORTAL_RETRY_SECONDS is not usable: with PBPORTAL_RUN_SECONDS_MOST at"
        f" {PBPORTAL_RUN_SECONDS_MOST} it must be more than {_least_retry}."
    )
Q_CLUSTER = {
    "name": "pbportal",
    "orm": "default",
    "cache": "queue",
    "workers": PBPORTAL_WORKERS,
    "queue_limit": _queue_limit,
    "bulk": 1,
    "poll": 0.5,
    "timeout": PBPORTAL_RUN_SECONDS,
    "retry": PBPORTAL_RETRY_SECONDS,
    # A failed task is not repeated by the queue: the connector knows what failed, and when to come back.
    "max_attempts": 1,
    "ack_failures": True,
    "catch_up": False,
    # Kept successes are all loaded at each result, which costs four fifths of the speed.
    "save_limit": -1,
    # Recycling under load can hang the shutdown; the size in kilobytes replaces a worker that grew instead.
    "recycle": 10_000,
    "max_rss": 300_000,
    "log_level": "WARNING",
    # Without this key, naming a cluster in the environment is a KeyError.
    "ALT_CLUSTERS": {},
}

# ── How long things are kept, in days ───────────────────────────────────────────────
PBPORTAL_KEEP_RUNS_DAYS = env.ask("PBPORTAL_KEEP_RUNS_DAYS", kind.whole(1, 36_500), 180)
PBPORTAL_KEEP_ACTIVITY_DAYS = env.ask("PBPORTAL_KEEP_ACTIVITY_DAYS", kind.whole(0, 36_500), 0)
PBPORTAL_KEEP_DELETED_DAYS = env.ask("PBPORTAL_KEEP_DELETED_DAYS", kind.whole(1, 36_500), 30)

# ── Mail ────────────────────────────────────────────────────────────────────────────
_mail = env.ask(
    "EMAIL_URL",
    kind.EMAIL,
    {"EMAIL_BACKEND": "django.core.mail.backends.console.EmailBackend"}
    if DEBUG
    else {"EMAIL_BACKEND": "django.core.mail.backends.smtp.EmailBackend", "EMAIL_HOST": "localhost"},
)
# Told apart from a mail server on this machine that was meant: the deployment check warns.
MAIL_SERVER_IS_NAMED = bool(os.environ.get("EMAIL_URL", "").strip())
EMAIL_BACKEND: str = _mail["EMAIL_BACKEND"]
EMAIL_FILE_PATH: str = _mail.get("EMAIL_FILE_PATH") or ""
EMAIL_HOST: str = _mail.get("EMAIL_HOST") or "localhost"
EMAIL_PORT: int = _mail.get("EMAIL_PORT") or 25
EMAIL_HOST_USER: str = _mail.get("EMAIL_HOST_USER") or ""
EMAIL_HOST_PASSWORD: str = _mail.get("EMAIL_HOST_PASSWORD") or ""
EMAIL_USE_TLS: bool = _mail.get("EMAIL_USE_TLS", False)
EMAIL_USE_SSL: bool = _mail.get("EMAIL_USE_SSL", False)
EMAIL_TIMEOUT = 10
DEFAULT_FROM_EMAIL = SERVER_EMAIL = env.ask(
    "PBPORTAL_MAIL_FROM", kind.ADDRESS, f"pbportal@{urlsplit(PORTAL_ORIGIN).hostname}"
)
# Mails about connectors that leave in a minute, at most.
PBPORTAL_NOTIFICATIONS_PER_MINUTE = env.ask("PBPORTAL_NOTIFICATIONS_PER_MINUTE", kind.whole(1, 10_000), 100)

# ── Files, language, logs ───────────────────────────────────────────────────────────
STATIC_URL = "/static/"
STATIC_ROOT = BASE_DIR / "staticfiles"
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
        if DEBUG
        else "whitenoise.storage.CompressedManifestStaticFilesStorage"
    },
}
LANGUAGE_CODE = "en-gb"
TIME_ZONE = "UTC"
USE_TZ = True
USE_I18N = False
DEFAULT_EXCEPTION_REPORTER_FILTER = "pbportal.reports.Filter"
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "json": {"()": "pbportal.logs.JsonFormatter"},
        "text": {"()": "pbportal.logs.TextFormatter"},
    },
    "handlers": {
        "stderr": {
            "class": "logging.StreamHandler",
            "formatter": env.ask("PBPORTAL_LOG_FORMAT", kind.one_of("json", "text"), "text" if DEBUG else "json"),
        }
    },
    "root": {
        "handlers": ["stderr"],
        "level": env.ask("PBPORTAL_LOG_LEVEL", kind.one_of("DEBUG", "INFO", "WARNING", "ERROR"), "INFO"),
    },
    "loggers": {
        # Django's own handlers would print each line a second time, and mail the traceback.
        "django": {"handlers": [], "propagate": True},
        "django.server": {"handlers": [], "propagate": True},
        # Below this they log whole contexts and the arguments of statements, one-time tokens among them.
        "django.template": {"level": "INFO"},
        "django.db.backends": {"level": "INFO"},
        # Both log request lines, and so whatever a URL carries, below this.
        "urllib3": {"level": "INFO"},
        "msal": {"level": "INFO"},
        # Four lines for every task; its own log_level counts only where nothing else is set.
        "django-q": {"level": "WARNING"},
    },
}

env.finish()
