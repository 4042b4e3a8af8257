"""Vendored front-end files: fetched once with `npm pack`, checked against a committed lock, committed as they are.

`vendor.lock.json` names, for each npm package, its version, the sha512 of its tarball as npm states it, the licence,
the files copied out of it and the sha512 of every file that stands in the tree. It holds no address: the registry is
whatever the npm client on the machine is set up for.

    python tools/vendor.py check      # offline: hash the committed files (CI and the tests run this)
    python tools/vendor.py fetch      # npm pack, compare the tarballs with the lock, copy; refuses a wrong hash
    python tools/vendor.py lock       # the same, but writes what it found into the lock (after changing a version)
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
LOCK = ROOT / "tools" / "vendor.lock.json"
STATIC = ROOT / "servicedesk" / "web" / "static"
NOTICES = STATIC / "vendor" / "LICENCES.txt"

Lock = dict[str, Any]


class VendorError(Exception):
    """What is wrong with the vendored files, in one sentence."""


def sha512(data: bytes) -> str:
    """The digest in npm's own notation: `sha512-` and base64."""
    return "sha512-" + base64.b64encode(hashlib.sha512(data).digest()).decode()


def read_lock(path: Path = LOCK) -> Lock:
    lock: Lock = json.loads(path.read_text(encoding="utf-8"))
    return lock


def outputs(package: dict[str, Any]) -> list[str]:
    """Paths under static/ that this package puts there."""
    sprite = package.get("sprite")
    return [*package.get("files", {}).values(), *([sprite["to"]] if sprite else [])]


def check(lock: Lock, static: Path = STATIC) -> list[str]:
    """Every difference between the lock and the tree: edited, missing, or a file that no package owns."""
    problems = []
    known = {NOTICES.name}
    for name, package in lock["packages"].items():
        for target in outputs(package):
            known.add(Path(target).name)
            path = static / target
            if not path.is_file():
                problems.append(f"{target} of {name} is missing")
            elif sha512(path.read_bytes()) != lock["hashes"].get(target):
                problems.append(f"{target} of {name} is not what the lock says")
    extra = sorted(p.name for p in (static / "vendor").iterdir() if p.name not in known)
    return problems + [f"vendor/{name} belongs to no package of the lock" for name in extra]


def npm_pack(spec: str, folder: Path) -> tuple[Path, str]:
    """Download one package; gives the tarball and the integrity that npm stated for it."""
    done = subprocess.run(
        ["npm", "pack", spec, "--json", "--ignore-scripts"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise VendorError(f"npm pack {spec} failed: {done.stderr.strip().splitlines()[-1:]}")
    stated = json.loads(done.stdout)
    first = stated[0] if isinstance(stated, list) else next(iter(stated.values()))
    return folder / str(first["filename"]), str(first["integrity"])


def member(tarball: Path, name: str) -> bytes:
    """One file of an npm tarball (everything stands under package/)."""
    with tarfile.open(tarball) as archive:
        try:
            handle = archive.extractfile(f"package/{name}")
        except KeyError:
            handle = None
        if handle is None:
            raise VendorError(f"{tarball.name} holds no {name}")
        return handle.read()


def symbol(name: str, svg: str) -> str:
    """An icon file as one <symbol>: only what stands inside its <svg> element."""
    found = re.search(r"<svg[^>]*>(.*)</svg>", svg, re.DOTALL)
    if found is None:
        raise VendorError(f"icon {name} is no svg")
    inner = re.sub(r"\s+", " ", found.group(1)).strip()
    return f'<symbol id="{name}" viewBox="0 0 24 24">{inner}</symbol>'


def sprite(tarball: Path, icons: list[str]) -> bytes:
    symbols = [symbol(icon, member(tarball, f"icons/{icon}.svg").decode()) for icon in sorted(icons)]
    body = "\n".join(symbols)
    return f'<svg xmlns="http://www.w3.org/2000/svg">\n{body}\n</svg>\n'.encode()


def contents(package: dict[str, Any], tarball: Path) -> dict[str, bytes]:
    """Target path under static/ → bytes, for one package."""
    files = {target: member(tarball, source) for source, target in package.get("files", {}).items()}
    if wanted := package.get("sprite"):
        files[wanted["to"]] = sprite(tarball, wanted["icons"])
    return files


def fetch(lock: Lock, *, trust: bool) -> None:
    """Bring every package of the lock into the tree. With `trust` the lock is written, else it is obeyed."""
    notices = []
    with tempfile.TemporaryDirectory() as folder:
        for name, package in lock["packages"].items():
            spec = f"{name}@{package['version']}"
            tarball, _ = npm_pack(spec, Path(folder))
            found = sha512(tarball.read_bytes())
            if trust:
                package["integrity"] = found
            elif found != package["integrity"]:
                raise VendorError(f"{spec} is not the tarball of the lock")
            for target, data in contents(package, tarball).items():
                place(lock, target, data, trust=trust)
            licence = member(tarball, package.get("licence_file", "LICENSE")).decode()
            notices.append(f"{spec} ({package['licence']})\n\n{licence.strip()}\n")
    NOTICES.write_text(("\n" + "=" * 78 + "\n\n").join(notices), encoding="utf-8")


def place(lock: Lock, target: str, data: bytes, *, trust: bool) -> None:
    if trust:
        lock["hashes"][target] = sha512(data)
    elif lock["hashes"].get(target) != sha512(data):
        raise VendorError(f"{target} is not the file of the lock")
    path = STATIC / target
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def main(arguments: list[str]) -> int:
    command = arguments[0] if arguments else "check"
    lock = read_lock()
    try:
        if command in ("fetch", "lock"):
            fetch(lock, trust=command == "lock")
            LOCK.write_text(json.dumps(lock, indent=2, sort_keys=True) + "\n", encoding="utf-8")
        elif command != "check":
            raise VendorError(f"unknown command {command}: say check, fetch or lock")
        problems = check(lock)
    except VendorError as error:
        problems = [str(error)]
    for problem in problems:
        print(problem, file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
