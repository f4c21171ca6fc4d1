"""Puts what the README's first command prints into the README.

usage: update_readme.py HOST_TRAINER
"""

import pathlib
import re
import subprocess
import sys
import tempfile

root = pathlib.Path(__file__).resolve().parent.parent
readme = root / "README.md"
text = readme.read_text()
command = re.search(r"^cargo run --release -p host-trainer -- (.*)$", text, re.M).group(1).split()
with tempfile.TemporaryDirectory() as scratch:
    command[command.index("--result-csv-path") + 1] = str(pathlib.Path(scratch) / "prediction.csv")
    printed = subprocess.run([sys.argv[1], *command], cwd=root, check=True, capture_output=True, text=True).stdout
picture = f"```text\n{printed.strip()}\n```"
readme.write_text(re.sub(r"@@PICTURE@@|```text\n.*?\n```", lambda _: picture, text, count=1, flags=re.S))
