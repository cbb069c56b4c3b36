#!/usr/bin/env python3
"""Prints what a bundle's configuration has beyond tauri.conf.json, for `tauri build --config`.

Usage: .ci/bundle_config.py packages DRAGOMAN LICENCES | appimage | windows | macos

`packages` puts these two files into .deb and .rpm; the others take what .github/workflows/bundles.yml has laid ready.
Variables: UPDATES_URL and UPDATES_KEY, where newer versions will be listed and what they will be signed with
(docs/updates.md): then each bundle gets a signature beside it. WINDOWS_THUMBPRINT: the certificate to sign with.
"""

import json
import os
import sys


def linux(dragoman: str, licences: str) -> dict:
    return {"/usr/bin/dragoman": dragoman, "/usr/share/doc/dragoman/LICENCES.txt": licences}


def bundle(arguments: list[str]) -> dict:
    beside = {"externalBin": ["target/bin/dragoman"], "resources": {"target/bin/LICENCES.txt": "LICENCES.txt"}}
    match arguments:
        case ["packages", dragoman, licences]:
            files = linux(dragoman, licences)
            return {"linux": {"deb": {"files": files}, "rpm": {"files": files}}}
        case ["appimage"]:
            return {"linux": {"appimage": {"files": linux("target/release/dragoman", "target/bundles/LICENCES.txt")}}}
        case ["windows"]:
            thumbprint = os.environ.get("WINDOWS_THUMBPRINT")
            signed = {"certificateThumbprint": thumbprint, "digestAlgorithm": "sha256", "timestampUrl": "http://timestamp.digicert.com"}
            return beside | ({"windows": signed} if thumbprint else {})
        case ["macos"]:
            return beside
        case _:
            sys.exit(__doc__)


def main() -> None:
    config: dict = {"bundle": bundle(sys.argv[1:])}
    url, key = os.environ.get("UPDATES_URL"), os.environ.get("UPDATES_KEY")
    if url and key:
        config["plugins"] = {"updater": {"endpoints": [url], "pubkey": key}}
        config["bundle"]["createUpdaterArtifacts"] = True
    elif url or key:
        sys.exit("UPDATES_URL and UPDATES_KEY go together; see docs/updates.md")
    json.dump(config, sys.stdout, indent=2)
    print()


main()
