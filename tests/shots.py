"""`./dev shots`: a picture of every page, wide and narrow, light and dark, in var/shots."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from tests.demo import post

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "var" / "shots"


def main(wanted: list[str]) -> int:
    """Take the pictures of all tours, of those that are named, or of the mails of a story; return the exit code."""
    if wanted == ["mails"]:
        return post.picture()
    os.environ["DJANGO_SETTINGS_MODULE"] = "tests.emulated_settings"
    import django

    django.setup()
    from django.db import connection
    from django.test.utils import setup_test_environment
    from pytest_django.live_server_helper import LiveServer

    from tests.journeys import browsing, tours
    from tests.journeys.scene import playing

    if browsing.chromium() is None:
        print("There is no chromium on the PATH.", file=sys.stderr)
        return 1
    names = {tour.__name__ for tour in tours.TOURS}
    if unknown := sorted(set(wanted) - names):
        print(f"There is no tour {unknown[0]}; there are {', '.join(sorted(names))}.", file=sys.stderr)
        return 2
    setup_test_environment(debug=False)
    connection.creation.create_test_db(verbosity=0, autoclobber=True)
    FOLDER.mkdir(parents=True, exist_ok=True)
    for tour in tours.TOURS:
        if wanted and tour.__name__ not in wanted:
            continue
        from django.core.management import call_command

        call_command("flush", verbosity=0, interactive=False)
        server = LiveServer("localhost")
        with browsing.running() as browser, playing(server.url) as scene:
            for name, visitor in tour(scene, lambda: browsing.Visitor(browser, scene.origin)):
                visitor.picture(FOLDER, name)
                if name.startswith("mail-"):
                    (FOLDER / f"{name}.html").write_text(visitor.page.content(), encoding="utf-8")
                print(name, flush=True)
        server.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
