"""What ./dev does on machines of every kind, and what the locks it installs hold."""

import os
import re
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from tests.conftest import ROOT

BASH = shutil.which("bash") or ""

# Answers the question of ./dev, "makes" environments, and writes every call down.
PYTHON = """#!{bash}
printf '%s\\n' "{name} $*" >> "$CALLS"
printf '%s\\n' "${{PYTHONPATH-unset}} ${{PIP_TARGET-unset}}" >> "$CALLS.environment"
case $* in
  *ensurepip*) echo '{answer}' ;;
  *venv*) mkdir -p "$4/bin"; while IFS= read -r line; do printf '%s\\n' "${{line//{name} /venv }}"; done \
    < "${{BASH_SOURCE[0]}}" > "$4/bin/python"; chmod +x "$4/bin/python" ;;
esac
"""


class Machine:
    """A folder with ./dev and a lock in it, and a PATH with the given pythons on it."""

    def __init__(self, home: Path, pythons: dict[str, str]) -> None:
        self.checkout = home / "a folder with spaces"
        self.calls = home / "calls"
        self._path = home / "bin"
        self._path.mkdir(parents=True)
        self.checkout.mkdir()
        shutil.copy(ROOT / "dev", self.checkout)
        (self.checkout / "requirements.txt").write_text("Django==5.2\n")
        for tool in ("mkdir", "chmod"):
            (self._path / tool).symlink_to(shutil.which(tool) or "")
        for name, answer in pythons.items():
            python = self._path / name
            python.write_text(PYTHON.format(bash=BASH, name=name, answer=answer))
            python.chmod(0o755)

    def dev(self, *arguments: str, **names: str) -> subprocess.CompletedProcess[str]:
        self.calls.write_text("")
        environment = {"PATH": str(self._path), "CALLS": str(self.calls)} | names
        return subprocess.run(
            [BASH, str(self.checkout / "dev"), *arguments],
            cwd="/",
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )

    def made(self) -> list[str]:
        """Return the calls of python, but for the questions to it."""
        return [call for call in self.calls.read_text().splitlines() if " -" in call and " -c " not in call]


def test_without_python_it_says_how_to_install_it(tmp_path: Path) -> None:
    ran = Machine(tmp_path, {}).dev("bench")
    assert ran.returncode == 1
    assert ran.stderr == (
        "dev: Python 3.11 or newer is needed, and there is no python3 on the PATH.\n"
        "dev: Install it: on Debian 12 and Ubuntu 24.04, apt-get install python3 python3-venv;"
        " elsewhere, python.org/downloads.\n"
    )


@pytest.mark.parametrize("version", ["3.9", "3.10", "2.7"])
def test_an_old_python_is_named(tmp_path: Path, version: str) -> None:
    ran = Machine(tmp_path, {"python3": f"{version} venv"}).dev("bench")
    assert ran.returncode == 1
    assert ran.stderr.splitlines()[0] == (
        f"dev: Python 3.11 or newer is needed, and none was found (python3 is {version})."
    )


def test_a_python_without_venv_is_named(tmp_path: Path) -> None:
    ran = Machine(tmp_path, {"python3": "3.11 -", "python3.12": "3.9 venv"}).dev("bench")
    assert ran.returncode == 1
    assert ran.stderr == (
        "dev: Python 3.11 is here, but without its venv and ensurepip modules.\n"
        "dev: Install them: on Debian and Ubuntu, apt-get install python3-venv (or python3.11-venv).\n"
    )


def test_a_command_that_does_not_run_is_passed_over(tmp_path: Path) -> None:
    machine = Machine(tmp_path, {"python3": "3.11 venv"})
    broken = tmp_path / "bin" / "python3.13"
    broken.write_text(f"#!{BASH}\necho 'no such version' >&2\nexit 127\n")
    broken.chmod(0o755)
    assert machine.dev("bench").stderr == (
        "dev: making .venv with python3\ndev: installing requirements.txt into .venv\n"
    )


def test_it_takes_the_newest_that_fits(tmp_path: Path) -> None:
    machine = Machine(
        tmp_path, {"python3": "3.9 venv", "python3.11": "3.11 venv", "python3.13": "3.13 -", "python3.12": "3.12 venv"}
    )
    ran = machine.dev("bench", "--quick")
    assert (ran.returncode, ran.stdout) == (0, "")
    assert machine.made() == [
        f"python3.12 -m venv --clear {machine.checkout}/.venv",
        "venv -m pip install -qq --require-hashes --requirement requirements.txt",
        "venv -m benchmarks --quick",
    ]


def test_it_installs_again_only_when_the_lock_changed(tmp_path: Path) -> None:
    machine = Machine(tmp_path, {"python3": "3.11 venv"})
    machine.dev("bench")
    quiet = machine.dev("bench")
    assert quiet.stderr == ""
    assert machine.made() == ["venv -m benchmarks"]
    (machine.checkout / "requirements.txt").write_text("Django==5.2.1\n")
    assert machine.dev("bench").stderr == "dev: installing requirements.txt into .venv\n"


def test_the_shell_of_the_caller_changes_nothing(tmp_path: Path) -> None:
    machine = Machine(tmp_path, {"python3": "3.11 venv"})
    machine.dev("bench", PYTHONPATH="/elsewhere", PIP_TARGET="/elsewhere")
    assert set((tmp_path / "calls.environment").read_text().splitlines()) == {"unset unset"}


def test_what_the_tests_need_holds_what_production_needs(tmp_path: Path) -> None:
    machine = Machine(tmp_path, {"python3": "3.11 venv"})
    (machine.checkout / "requirements-dev.txt").write_text("Django==5.2\npytest==9\n")
    assert machine.dev("manage", "check").stderr.endswith("dev: installing requirements-dev.txt into .venv\n")
    assert machine.dev("bench").stderr == ""


@pytest.mark.parametrize("ending", ["Ctrl-C", "the worker fails"])
def test_serving_ends_web_and_worker_together(tmp_path: Path, ending: str) -> None:
    machine = Machine(tmp_path, {"python3": "3.11 venv"})
    machine.dev("bench")
    programs = machine.checkout / ".venv" / "bin"
    (tmp_path / "bin" / "sleep").symlink_to(shutil.which("sleep") or "")
    (programs / "long").write_text(
        f"""#!{BASH}
trap 'echo "$1 was asked to end" >> "$CALLS"; exit 0' TERM
echo "$1 is up" >> "$CALLS"
while [[ ! -e $CALLS.$1-fails ]]; do sleep 0.02; done
exit 3
"""
    )
    (programs / "python").write_text(
        f'#!{BASH}\nif [[ $* == "manage.py worker" ]]; then exec long worker; fi\necho "$*" >> "$CALLS"\n'
    )
    (programs / "gunicorn").write_text(f'#!{BASH}\necho "gunicorn $*" >> "$CALLS"; exec long web\n')
    for program in programs.iterdir():
        program.chmod(0o755)
    machine.calls.write_text("")
    serving = subprocess.Popen(
        [BASH, str(machine.checkout / "dev"), "serve", "--bind", "127.0.0.1:8001"],
        env={"PATH": str(tmp_path / "bin"), "CALLS": str(machine.calls)},
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        while not {"web is up", "worker is up"} <= set(machine.calls.read_text().splitlines()):
            assert serving.poll() is None
        if ending == "Ctrl-C":
            serving.send_signal(signal.SIGINT)
        else:
            Path(f"{machine.calls}.worker-fails").touch()
        _, said = serving.communicate(timeout=30)
    finally:
        serving.kill()
    calls = machine.calls.read_text().splitlines()
    assert calls[:4] == [
        "-c import pip",
        "manage.py check --deploy --fail-level ERROR",
        "manage.py migrate --verbosity 0",
        "manage.py collectstatic --noinput --verbosity 0",
    ]
    assert "gunicorn pbportal.wsgi --workers 2 --threads 4 --no-control-socket --bind 127.0.0.1:8001" in calls
    ended = {call for call in calls if call.endswith("was asked to end")}
    if ending == "Ctrl-C":
        assert ended == {"web was asked to end", "worker was asked to end"}
        assert serving.returncode == 128 + signal.SIGINT
    else:
        assert ended == {"web was asked to end"}
        assert serving.returncode == 3
    assert said == ""


@pytest.mark.parametrize(("arguments", "code"), [((), 2), (("help",), 0), (("launch",), 1)])
def test_without_a_verb_it_knows_it_says_which_there_are(tmp_path: Path, arguments: tuple[str, ...], code: int) -> None:
    machine = Machine(tmp_path, {})
    ran = machine.dev(*arguments)
    assert ran.returncode == code
    said = ran.stdout + ran.stderr
    verbs = ["demo", "test", "long", "check", "fmt", "bench", "shots", "serve", "manage"]
    assert re.findall(r"^  (\w+)", said, re.MULTILINE) == verbs
    if code == 1:
        assert said.endswith("dev: there is no verb 'launch'.\n")


def pins(lock: str) -> dict[str, str]:
    text = (ROOT / lock).read_text(encoding="utf-8")
    return dict(re.findall(r"^([a-z0-9.-]+)(?:\[[^]]*\])?==([^\s;\\]+)", text, re.MULTILINE))


def test_tests_run_with_the_versions_of_production() -> None:
    production, tests = pins("requirements.txt"), pins("requirements-dev.txt")
    assert len(production) > 20
    assert {name: tests.get(name) for name in production} == production


@pytest.mark.parametrize("lock", ["requirements.txt", "requirements-dev.txt"])
def test_a_lock_is_hashed_and_names_no_index(lock: str) -> None:
    lines = (ROOT / lock).read_text(encoding="utf-8").splitlines()
    entries = [line for line in lines if line and not line.startswith((" ", "#"))]
    assert len(entries) == len(pins(lock))
    assert all("==" in entry and entry.endswith("\\") for entry in entries)
    assert [line for line in lines if "://" in line or line.startswith(("-", os.sep))] == []
