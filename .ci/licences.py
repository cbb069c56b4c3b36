#!/usr/bin/env python3
"""Writes what a bundle must carry: the licence of every crate and vendored file that is linked into the programs.

Usage: .ci/licences.py [TARGET_TRIPLE] > LICENCES.txt

The list is cargo's own (normal dependencies of dragoman-desktop and dragoman-cli), the texts are the files that each
crate ships. Equal texts stand once, below all who use them. A crate without a text is listed with its expression.
Not here: which licences are allowed (tests/architecture).
"""

import json
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
PROGRAMS = {"dragoman-desktop", "dragoman-cli"}
TEXT = re.compile(r"^(licen[cs]e|copying|notice|unlicense|copyright)", re.IGNORECASE)


def host() -> str:
    said = subprocess.run(["rustc", "-vV"], check=True, capture_output=True, text=True).stdout
    return next(line.split()[1] for line in said.splitlines() if line.startswith("host:"))


def linked(triple: str) -> list[dict]:
    """The packages that end up in the programs, by name."""
    command = ["cargo", "metadata", "--locked", "--format-version=1", f"--filter-platform={triple}"]
    said = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    metadata = json.loads(said)
    packages = {package["id"]: package for package in metadata["packages"]}
    nodes = {node["id"]: node for node in metadata["resolve"]["nodes"]}
    wanted = [id for id, package in packages.items() if package["name"] in PROGRAMS]
    seen = set(wanted)
    while wanted:
        for dependency in nodes[wanted.pop()]["deps"]:
            kinds = {kind["kind"] for kind in dependency["dep_kinds"]}
            if None in kinds and dependency["pkg"] not in seen:  # None: a normal one, neither for tests nor for building
                seen.add(dependency["pkg"])
                wanted.append(dependency["pkg"])
    others = [packages[id] for id in seen if packages[id]["source"]]
    return sorted(others, key=lambda package: (package["name"], package["version"]))


def texts(folder: pathlib.Path) -> list[str]:
    files = sorted(path for path in folder.iterdir() if path.is_file() and TEXT.match(path.name))
    return [path.read_text(encoding="utf-8", errors="replace").strip() for path in files]


def main() -> None:
    triple = sys.argv[1] if len(sys.argv) > 1 else host()
    users: dict[str, list[str]] = {}
    without: list[str] = []
    for package in linked(triple):
        name = f"{package['name']} {package['version']} ({package['license']})"
        found = texts(pathlib.Path(package["manifest_path"]).parent)
        if not found:
            without.append(name)
        for text in found:
            users.setdefault(text, []).append(name)
    for path in sorted((ROOT / "ui" / "vendor").glob("*.LICENSE")):
        text = path.read_text(encoding="utf-8").strip()
        users.setdefault(text, []).append(f"{path.stem}, in the window")
    if not users:
        sys.exit("no licence was found: cargo's sources are not here")
    write = sys.stdout.write
    write("Dragoman is under the MIT licence; its text is at the end. It contains the following.\n")
    if without:
        write("\nUnder the licence that is named, without a text of their own:\n\n")
        write("".join(f"  {name}\n" for name in without))
    rule = "\n" + "=" * 100 + "\n"
    for text, names in sorted(users.items(), key=lambda pair: pair[1]):
        write(rule + "".join(f"{name}\n" for name in names) + f"\n{text}\n")
    write(rule + "Dragoman\n\n" + (ROOT / "LICENSE").read_text(encoding="utf-8"))


main()
