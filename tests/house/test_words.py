"""Nothing in the tree names a package registry's address or a path of somebody's machine."""

import re
from pathlib import Path

from tests.support import source

# Put together from parts, so that this file does not hold what it looks for.
HOSTS = [
    "py" + "pi.org",
    "python" + "hosted.org",
    "npm" + "js.org",
    "npm" + "js.com",
    "deb." + "debian.org",
    "yarn" + "pkg.com",
]
PATHS = ["/ro" + "ot/", "/ho" + "me/", "/wo" + "rk/", "/Us" + "ers/", "C:" + "\\\\Users"]
FORBIDDEN = re.compile("|".join([re.escape(h) for h in HOSTS] + [rf"(?<![\w.$}}/-]){re.escape(p)}" for p in PATHS]))


def named(files: list[Path]) -> list[str]:
    found = []
    for path in files:
        data = path.read_bytes()
        if b"\0" in data[:8000]:
            continue
        for number, line in enumerate(data.decode("utf-8", "replace").splitlines(), 1):
            match = FORBIDDEN.search(line)
            if match:
                found.append(f"{path}:{number}: {match[0]}")
    return found


def captured(path: Path) -> bool:
    """Captured messages and vendored files are other people's words."""
    return any(part in {"samples", "vendor", "captures"} for part in path.parts)


def test_no_registry_address_and_no_machine_path() -> None:
    assert named([path for path in source.kept_files() if not captured(path)]) == []


def test_it_sees_them(tmp_path: Path) -> None:
    planted = f"index-url = https://{HOSTS[0]}/simple\ncd {PATHS[0]}x\nhttp://127.0.0.1{PATHS[1]}fine\n"
    source.plant(tmp_path, {"a.txt": planted})
    assert [line.split(":")[1] for line in named([tmp_path / "a.txt"])] == ["1", "2"]
