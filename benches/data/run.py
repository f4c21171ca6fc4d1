"""Times `host-trainer data` and its peers: many small files and one large one; first push, second push after touching ten files, pull.

    python3 benches/data/run.py PROGRAM [--dvc DVC] [--restic RESTIC] [--git-annex] [--files 100000] [--large-mb 2000] [--work FOLDER]

PROGRAM is a release build of host-trainer; DVC the `dvc` of a virtual environment; RESTIC the program restic; `--git-annex` takes git
and git-annex from the path. All use a store in a folder of this machine. A push is everything from a changed folder to a store that has
it: commit and push here, add and push with DVC, backup with restic, add, commit and copy with git-annex. restic encrypts; the others do
not. `s` is the time until the program ends, `s_on_disk` the time until what it wrote is on the disk as well: some wait for the disk, some
leave that to the system. --files 0 leaves the small files out. The work folder is removed.
"""

import argparse
import filecmp
import json
import os
import pathlib
import random
import shutil
import subprocess
import sys
import tempfile
import time


# Starts a command from a process of its own that has next to no memory: what a process takes over from the one that started it
# counts towards its peak.
LAUNCHER = """
import json, resource, subprocess, sys, time
start = time.perf_counter()
done = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
seconds, usage = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
print(json.dumps({
    "status": done.returncode, "error": done.stderr.decode(errors="replace"), "s": seconds,
    "cpu_s": usage.ru_utime + usage.ru_stime, "peak_mib": usage.ru_maxrss / 1024,
}))
"""


def timed(command, cwd, env=None):
    """Seconds, processor seconds and peak memory in MiB of the largest process of a command and its children."""
    launcher = [sys.executable, "-I", "-S", "-c", LAUNCHER, *map(str, command)]
    result = json.loads(subprocess.run(launcher, cwd=cwd, env=env, stdout=subprocess.PIPE, check=True).stdout)
    status, error = result.pop("status"), result.pop("error")
    if status:
        sys.exit(f"{command}: {error}")
    talk = [line for line in error.splitlines() if "requests" in line]
    return {**result, "says": talk[-1].split(": ", 1)[-1] if talk else ""}


def flush(folder):
    """Seconds until what was written to a folder's file system is on the disk."""
    start = time.perf_counter()
    subprocess.run(["sync", "-f", str(folder)], check=True)
    return time.perf_counter() - start


def total(work, *parts):
    seconds = sum(part["s"] for part in parts)
    return {
        "s": round(seconds, 2),
        "s_on_disk": round(seconds + flush(work), 2),
        "cpu_s": round(sum(part["cpu_s"] for part in parts), 2),
        "peak_mib": round(max(part["peak_mib"] for part in parts)),
        "says": " | ".join(part["says"] for part in parts if part["says"]),
    }


def make(folder, files, large_mb):
    rng = random.Random(7)
    for number in range(files):
        path = folder / "runs" / f"{number // 1000:03}" / f"sample-{number}.csv"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(rng.randbytes(rng.randrange(500, 6000)))
    if large_mb:
        with open(folder / "large.bin", "wb") as out:
            for _ in range(large_mb):
                out.write(rng.randbytes(1 << 20))


def touch(folder, files):
    for number in range(0, files, max(1, files // 10))[:10]:
        path = folder / "runs" / f"{number // 1000:03}" / f"sample-{number}.csv"
        path.write_bytes(b"changed " + path.read_bytes())


def same(one, two):
    """Whether two folders hold the same names and, of every 97th file and the largest, the same content; read in pieces."""
    own = {".edge", ".git"}
    sizes = lambda root: {
        p.relative_to(root): p.stat().st_size for p in root.rglob("*") if p.is_file() and not own & set(p.relative_to(root).parts)
    }
    names = sizes(one)
    looked_at = sorted(names)[::97] + [max(names, key=names.get)]
    return names == sizes(two) and all(filecmp.cmp(one / name, two / name, shallow=False) for name in looked_at)


def ours(program, work, source, files):
    data, store, copy = work / "data", work / "store", work / "copy"
    shutil.copytree(source, data)
    flush(work)
    run = lambda *arguments, at=data: timed([program, "--no-progress", "data", "--local-dir-path", str(at), *arguments], work)
    run("init", str(store))
    result = {"first push": total(work, run("commit", "-m", "first"), run("push"))}
    touch(data, files)
    result["second push"] = total(work, run("commit", "-m", "second"), run("push"))
    run("init", str(store), at=copy)
    result["pull"] = total(work, run("pull", at=copy))
    assert same(data, copy), "the copy differs"
    for folder in (data, store, copy):
        shutil.rmtree(folder)
    return result


def dvc(program, work, source, files):
    repository, store, copy = work / "repository", work / "remote", work / "clone"
    repository.mkdir()
    environment = {**os.environ, "DVC_NO_ANALYTICS": "1"}
    run = lambda *arguments, at=repository: timed([program, *arguments], at, environment)
    run("init", "--no-scm", "-q")
    run("remote", "add", "-d", "store", str(store))
    shutil.copytree(source, repository / "data")
    flush(work)
    result = {"first push": total(work, run("add", "-q", "data"), run("push", "-q"))}
    touch(repository / "data", files)
    result["second push"] = total(work, run("add", "-q", "data"), run("push", "-q"))
    copy.mkdir()
    shutil.copytree(repository / ".dvc", copy / ".dvc", ignore=shutil.ignore_patterns("cache", "tmp"))
    shutil.copy(repository / "data.dvc", copy)
    result["pull"] = total(work, run("pull", "-q", at=copy))
    assert same(repository / "data", copy / "data"), "the clone differs"
    for folder in (repository, store, copy):
        shutil.rmtree(folder)
    return result


def restic(program, work, source, files):
    data, store, copy = work / "data", work / "repository", work / "restored"
    shutil.copytree(source, data)
    environment = {**os.environ, "RESTIC_PASSWORD": "bench", "RESTIC_REPOSITORY": str(store), "RESTIC_CACHE_DIR": str(work / "cache")}
    run = lambda *arguments: timed([program, *arguments], data, environment)
    run("init", "--quiet")
    flush(work)
    result = {"first push": total(work, run("backup", "--quiet", "."))}
    touch(data, files)
    result["second push"] = total(work, run("backup", "--quiet", "."))
    result["pull"] = total(work, run("restore", "latest", "--quiet", "--target", str(copy)))
    assert same(data, copy), "the restored folder differs"
    for folder in (data, store, copy, work / "cache"):
        remove(folder)
    return result


def git_annex(work, source, files):
    data, store, bare, copy = work / "data", work / "remote", work / "bare.git", work / "clone"
    environment = {**os.environ, "HOME": str(work)}
    for role in ("AUTHOR", "COMMITTER"):
        environment |= {f"GIT_{role}_NAME": "bench", f"GIT_{role}_EMAIL": "bench@localhost"}
    run = lambda *arguments, at=data: timed(["git", *arguments], at, environment)
    store.mkdir()
    run("init", "--quiet", "--bare", str(bare), at=work)
    data.mkdir()
    run("init", "--quiet", "--initial-branch", "main")
    run("annex", "init", "--quiet")
    run("annex", "initremote", "store", "type=directory", f"directory={store}", "encryption=none", "--quiet")
    run("remote", "add", "origin", str(bare))
    # Only git's own objects go there; content goes to the store.
    run("config", "remote.origin.annex-ignore", "true")
    shutil.copytree(source, data, dirs_exist_ok=True)
    flush(work)
    push = lambda message: total(
        work,
        run("annex", "add", "--quiet", "."),
        run("commit", "--quiet", "-m", message),
        run("annex", "copy", "--quiet", "--to", "store"),
        run("push", "--quiet", "origin", "main", "git-annex"),
    )
    result = {"first push": push("first")}
    changed = work / "changed"
    shutil.copytree(source, changed)
    touch(changed, files)
    # Annexed files are links to read-only content: a changed file takes the link's place.
    for path in changed.rglob("*"):
        name = path.relative_to(changed)
        if path.is_file() and not filecmp.cmp(path, data / name, shallow=False):
            (data / name).unlink()
            shutil.copy(path, data / name)
    result["second push"] = push("second")
    # What lies ready before a pull in the other programs, too: an empty copy that knows the store.
    run("clone", "--quiet", "--no-checkout", str(bare), str(copy), at=work)
    run("annex", "init", "--quiet", at=copy)
    run("annex", "enableremote", "store", f"directory={store}", "--quiet", at=copy)
    result["pull"] = total(work, run("checkout", "--quiet", "main", at=copy), run("annex", "get", "--quiet", at=copy))
    assert same(changed, copy), "the clone differs"
    for folder in (data, store, bare, copy, changed):
        remove(folder)
    return result


def remove(folder):
    """Removes a folder, read-only ones within it too: git-annex protects what it stores."""
    for path, names, _ in os.walk(folder):
        os.chmod(path, 0o700)
    shutil.rmtree(folder)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    parser.add_argument("--dvc")
    parser.add_argument("--restic")
    parser.add_argument("--git-annex", action="store_true")
    parser.add_argument("--files", type=int, default=100_000)
    parser.add_argument("--large-mb", type=int, default=2000)
    parser.add_argument("--work")
    options = parser.parse_args()
    work = pathlib.Path(tempfile.mkdtemp(dir=options.work))
    peers = {}
    if options.dvc:
        peers["dvc"] = lambda source, files: dvc(os.path.abspath(options.dvc), work, source, files)
    if options.restic:
        peers["restic"] = lambda source, files: restic(shutil.which(options.restic), work, source, files)
    if options.git_annex:
        peers["git-annex"] = lambda source, files: git_annex(work, source, files)
    try:
        answer = {}
        for name, files, large in (("small files", options.files, 0), ("large file", 10, options.large_mb)):
            if not (large if name == "large file" else files):
                continue
            source = work / "source"
            make(source, files, large)
            mine = ours(os.path.abspath(options.program), work, source, files)
            answer[name] = {"host-trainer": mine}
            for peer, measure in peers.items():
                theirs = measure(source, files)
                answer[name][peer] = theirs
                for key, until in (("s", ""), ("s_on_disk", " until it is on the disk")):
                    answer[name][f"{peer} takes so many times as long{until}"] = {
                        step: round(theirs[step][key] / mine[step][key], 1) for step in theirs
                    }
            answer[name]["second push takes so many times less than the first"] = round(
                mine["first push"]["s"] / mine["second push"]["s"], 1
            )
            shutil.rmtree(source)
        print(json.dumps(answer, indent=2))
    finally:
        shutil.rmtree(work, ignore_errors=True)


if __name__ == "__main__":
    main()
