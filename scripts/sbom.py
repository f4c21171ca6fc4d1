"""The software bill of materials of a program, as CycloneDX 1.5 in JSON: every crate in it, with version, licence and hash.

Which crates a program contains is what `cargo tree` resolves for it and its target. `cargo metadata` does not know that: it unites the
features of the whole workspace and of tests. It gives licences; Cargo.lock gives the SHA-256 of each crate as it was downloaded.
"""

import datetime
import hashlib
import json
import pathlib
import re
import subprocess
import tomllib
import uuid

ROOT = pathlib.Path(__file__).resolve().parent.parent
LINE = re.compile(r"^(\d+)(\S+) v(\S+?)( \(proc-macro\))?(?: \([^*][^)]*\))?(?: \(\*\))?$")

Key = tuple[str, str]


def cargo(*arguments: str) -> str:
    """What a command of cargo prints. Nothing is fetched: the programs are built, so that their crates are here."""
    return subprocess.run(["cargo", *arguments, "--locked", "--offline"], cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout


def tree(program: str, target: str, edges: str) -> tuple[dict[Key, set[Key]], set[Key]]:
    """Each crate's dependencies along some kinds of edges, and which crates are macros, which run in the compiler."""
    graph: dict[Key, set[Key]] = {}
    macros: set[Key] = set()
    above: list[Key] = []
    for line in cargo("tree", "--package", program, "--target", target, "--edges", edges, "--prefix", "depth").split("\n"):
        if not line:
            continue
        found = LINE.match(line)
        if not found:
            raise SystemExit(f"cargo tree: a line that is not understood: {line}")
        depth, key = int(found[1]), (found[2], found[3])
        graph.setdefault(key, set())
        if found[4]:
            macros.add(key)
        above[depth:] = [key]
        if depth:
            graph[above[depth - 1]].add(key)
    return graph, macros


def reached(graph: dict[Key, set[Key]], start: Key, without: set[Key]) -> set[Key]:
    """What can be reached from a crate without passing through some others."""
    seen: set[Key] = set()
    waiting = [start]
    while waiting:
        key = waiting.pop()
        if key not in seen and key not in without:
            seen.add(key)
            waiting.extend(graph[key])
    return seen


def sbom(program: str, version: str, binary: bytes, target: str, epoch: int) -> bytes:
    """The document of a program that was built for a target. The same program gives the same bytes."""
    own: Key = (program, version)
    # Where features are unified over the workspace, the tree has its other crates as well.
    graph, _ = tree(program, target, "normal,build")
    everything = reached(graph, own, set())
    # The code of macros and of what only build scripts use is not in the program.
    code, macros = tree(program, target, "normal")
    inside = reached(code, own, macros)
    metadata = cargo("metadata", "--format-version", "1", "--filter-platform", target)
    packages = {(p["name"], p["version"]): p for p in json.loads(metadata)["packages"]}
    lock = tomllib.loads((ROOT / "Cargo.lock").read_text())
    hashes = {(p["name"], p["version"]): p["checksum"] for p in lock["package"] if "checksum" in p}

    def reference(key: Key) -> str:
        # Ours are on no registry: a purl would name somebody else's crate `store`.
        return f"pkg:cargo/{key[0]}@{key[1].replace('+', '%2B')}" if key in hashes else f"layerjoule/{key[0]}@{key[1]}"

    def component(key: Key) -> dict[str, object]:
        entry: dict[str, object] = {"type": "library", "bom-ref": reference(key), "name": key[0], "version": key[1]}
        entry["scope"] = "required" if key in inside else "excluded"
        if key in hashes:
            entry["hashes"] = [{"alg": "SHA-256", "content": hashes[key]}]
            entry["purl"] = reference(key)
        # Cargo still takes the old `MIT/Apache-2.0`, which is no SPDX expression.
        if licence := packages[key]["license"]:
            entry["licenses"] = [{"expression": re.sub(r"\s*/\s*", " OR ", licence)}]
        return entry

    described: dict[str, object] = {"type": "application", "bom-ref": reference(own), "name": program, "version": version}
    described["hashes"] = [{"alg": "SHA-256", "content": hashlib.sha256(binary).hexdigest()}]
    described["licenses"] = [{"expression": packages[own]["license"]}]
    document: dict[str, object] = {
        "$schema": "http://cyclonedx.org/schema/bom-1.5.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {
            "timestamp": datetime.datetime.fromtimestamp(epoch, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "tools": {"components": [{"type": "application", "name": "layerjoule scripts/sbom.py", "version": version}]},
            "component": described,
            "properties": [{"name": "cargo:target", "value": target}],
        },
        "components": [component(key) for key in sorted(everything - {own})],
        "dependencies": [{"ref": reference(key), "dependsOn": sorted(map(reference, graph[key]))} for key in sorted(everything)],
    }
    # A number that follows from the content, as the format wants one and the same program must give the same bytes.
    document["serialNumber"] = uuid.uuid5(uuid.NAMESPACE_URL, json.dumps(document, sort_keys=True)).urn
    return (json.dumps(document, indent=2, ensure_ascii=False) + "\n").encode()
