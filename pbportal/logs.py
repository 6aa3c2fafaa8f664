"""The shape of a log line: JSON for machines or text for people, what looks like a secret blotted out."""

import json
import logging
import re
from datetime import UTC, datetime

# The code passes no secret to a logger; this is the second net, for what a library or an exception may quote.
_SECRETS = re.compile(
    r"""(?ix)
    (?P<before> \b bearer \s+
      | \b (?: client_secret | client_assertion | password | access_token | refresh_token | id_token | code )
        ["']? \s* [=:] \s* ["']?
      | :// [^\s:/@]+ : (?= [^\s/@]+ @ )
      # The one-time links: Django logs the path of a page that fails.
      | /welcome/ | /password/reset/key/ )
    [^\s"'&,@]+
    | \b v1: gAAAA [\w-]+ =*
    | \b eyJ [\w-]{8,} \. [\w.-]+
    """
)
_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


def _blotted(text: str) -> str:
    return _SECRETS.sub(lambda found: f"{found['before'] or ''}[hidden]", text)


class TextFormatter(logging.Formatter):
    """Format a record as one line of text, its traceback below."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)-7s %(name)s: %(message)s")

    def format(self, record: logging.LogRecord) -> str:
        return _blotted(super().format(record))


class JsonFormatter(logging.Formatter):
    """Format a record as one line holding a JSON object; each ``extra`` stands under its own name."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": _blotted(record.getMessage()),
        }
        for name, value in vars(record).items():
            if name not in _STANDARD:
                line.setdefault(name, _blotted(str(value)))
        if record.exc_info:
            line["exception"] = _blotted(self.formatException(record.exc_info))
        return json.dumps(line, ensure_ascii=False)
