"""Puts what commands print into the pages that show it: a block of text right behind a block of commands is what the last of these prints.

    scripts/update_pictures.py HOST_TRAINER [PAGE...]

Commands run in order in a folder of their own with the samples and the shipped models, up to the page's last picture; `jetson-agent` is
looked for beside the program. Tests compare the pictures with what the programs print (host-trainer/tests/readme.rs).
"""

import pathlib
import re
import shlex
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
PAGES = ("README.md", "docs/tutorial-budget.md", "docs/tutorial-board.md")
BLOCKS = re.compile(r"^```(\w*)\n(.*?)^```$", re.M | re.S)


def resolve(command, programs):
    """The words of a command, its exit code, and the file that takes what it prints."""
    command, _, comment = command.partition(" # ")
    wanted = re.match(r"exits with (\d+)", comment)
    command, _, file = command.partition(" > ")
    words = shlex.split(command)
    if words[:2] == ["cargo", "run"]:
        words = [words[words.index("-p") + 1], *words[words.index("--") + 1 :]]
    return [programs / words[0], *words[1:]], int(wanted[1]) if wanted else 0, file.strip()


def pictures(text):
    """The blocks that are pictures."""
    before = None
    for block in BLOCKS.finditer(text):
        if block[1] == "text" and before and before[1] == "sh" and not text[before.end() : block.start()].strip():
            yield block
        before = block


def updated(text, programs, folder):
    last = max(block.start() for block in pictures(text))
    shown, pieces, end = {block.start() for block in pictures(text)}, [], 0
    printed = ""
    for block in BLOCKS.finditer(text):
        if block.start() > last:
            break
        if block[1] == "toml" and (name := re.match(r"# ([\w.-]+\.toml)\n", block[2])):
            (folder / name[1]).write_text(block[2])
        elif block[1] == "sh":
            for command in block[2].replace("\\\n", " ").splitlines():
                words, wanted, file = resolve(command, programs)
                done = subprocess.run(words, cwd=folder, capture_output=True, text=True)
                if done.returncode != wanted:
                    raise SystemExit(f"{command}\nended with {done.returncode}: {done.stderr}")
                printed = done.stdout
                if file:
                    (folder / file).write_text(printed)
        elif block.start() in shown:
            pieces += [text[end : block.start()], f"```text\n{printed.strip()}\n```"]
            end = block.end()
    return "".join([*pieces, text[end:]])


def main():
    if len(sys.argv) < 2:
        raise SystemExit(__doc__)
    programs = pathlib.Path(sys.argv[1]).resolve().parent
    for name in sys.argv[2:] or PAGES:
        page = ROOT / name
        with tempfile.TemporaryDirectory() as scratch:
            for part in ("sample_data", "trained_models"):
                shutil.copytree(ROOT / part, pathlib.Path(scratch) / part)
            page.write_text(updated(page.read_text(), programs, pathlib.Path(scratch)))


if __name__ == "__main__":
    main()
