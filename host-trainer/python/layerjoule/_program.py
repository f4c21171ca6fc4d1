"""The program that does the work: where it is, how it is run, and how its failures are raised."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import sysconfig
import warnings
from pathlib import Path
from typing import Any, Mapping, Sequence, Union

StrPath = Union[str, "os.PathLike[str]"]

VARIABLE = "LAYERJOULE_PROGRAM"
#: Seconds that an interrupted program has to release what it holds.
PATIENCE = 10.0


class LayerjouleError(Exception):
    """A command that failed.

    >>> import layerjoule as lj
    >>> try:
    ...     lj.predict(lj.sample("lenet_trt_engine_info.json"), device="orin-nan")
    ... except lj.LayerjouleError as error:
    ...     print(error.exit_code, error.message[-27:])
    2 ; did you mean `orin-nano`?
    """

    def __init__(self, message: str, exit_code: int | None = None, hint: str | None = None) -> None:
        super().__init__(message if hint is None else f"{message} ({hint})")
        #: What went wrong: the file, the place in it, and why.
        self.message = message
        #: The next step, if the program knows one.
        self.hint = hint
        #: 1 the answer is no, 2 usage, 3 bad data, 4 device, 5 I/O, 130 interrupted; None if the program did not run to its end.
        self.exit_code = exit_code


class LayerjouleWarning(UserWarning):
    """What a command warns of while it works."""


def program(name: str = "host-trainer") -> Path:
    """Returns the path of `host-trainer`, or of `jetson-agent`, which is installed next to it.

    The program that the environment variable LAYERJOULE_PROGRAM names goes first, then the one that was installed with this package,
    then the one on PATH.

    >>> import layerjoule as lj
    >>> lj.program().name
    'host-trainer'

    Raises:
        LayerjouleError: There is none.
    """
    if given := os.environ.get(VARIABLE):
        named = Path(given)
        # The variable names host-trainer; the agent lies in the same folder.
        found = named if named.name == name or name == "host-trainer" else named.with_name(name)
        if not os.access(found, os.X_OK) or found.is_dir():
            raise LayerjouleError(f"{found}: is not a program", hint=f"correct or unset the environment variable {VARIABLE}")
        return found
    for folder in _installed():
        installed = folder / name
        if os.access(installed, os.X_OK):
            return installed
    if on_path := shutil.which(name):
        return Path(on_path)
    raise LayerjouleError(
        f"the program {name} is neither installed with this package nor on PATH",
        hint=f"install the wheel `layerjoule`, or set the environment variable {VARIABLE} to the path of host-trainer",
    )


def _installed() -> list[Path]:
    """Where pip puts programs: in the environment of this Python, in the user's own, and in the folder of `pip install --target`."""
    return [Path(sysconfig.get_path("scripts")), Path(sysconfig.get_path("scripts", "posix_user")), Path(__file__).parent.parent / "bin"]


def sample(name: str) -> Path:
    """Returns the path of a sample that is installed with the program, such as `resnet18.onnx`.

    >>> import layerjoule as lj
    >>> lj.sample("resnet18.onnx").stat().st_size > 1000
    True

    Raises:
        LayerjouleError: There is no such sample; the message lists those that there are.
    """
    folder = program().resolve().parent.parent / "share" / "layerjoule" / "sample_data"
    path = folder / name
    if not path.is_file():
        known = sorted(file.name for file in folder.glob("*") if file.suffix in (".json", ".onnx")) if folder.is_dir() else []
        hint = f"there are {', '.join(known)}" if known else "install the wheel `layerjoule`, which has them"
        raise LayerjouleError(f"{path}: no such sample", hint=hint)
    return path


def run(*arguments: StrPath, env: Mapping[str, str] | None = None) -> str:
    """Runs any command of `host-trainer`, and returns what it prints to stdout.

    >>> import layerjoule as lj
    >>> "resnet18" in lj.run("networks", "list")
    True

    Args:
        arguments: The command line behind the program's name.
        env: Environment variables to set for it.

    Raises:
        LayerjouleError: The command failed.
    """
    command = [os.fspath(part) for part in (program(), "--quiet", "--no-progress", *arguments)]
    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, **env} if env else None,
        encoding="utf-8",
        errors="replace",
    )
    try:
        # Without the GIL: other threads go on.
        out, said = process.communicate()
    except BaseException:
        _end(process)
        raise
    for line in said.splitlines():
        if line.startswith("warning: "):
            warnings.warn(line[len("warning: ") :], LayerjouleWarning, stacklevel=_depth())
    if process.returncode != 0:
        raise failure(said, process.returncode)
    return out


def _depth() -> int:
    """How far up the stack the caller is who does not belong to this package."""
    depth, frame = 1, sys._getframe(1)
    while frame.f_back is not None and frame.f_globals.get("__package__") == __package__:
        depth, frame = depth + 1, frame.f_back
    return depth


def run_json(*arguments: StrPath) -> Any:
    """Runs a command, and returns the JSON document that it prints."""
    return json.loads(run(*arguments, "--format", "json"))


def _end(process: subprocess.Popen[str]) -> None:
    """Passes an interruption on, and waits until the program has ended."""
    try:
        # On ^C in a terminal the program has the signal already; a second one would keep it from releasing what it holds.
        process.wait(timeout=0.2)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
    for stream in (process.stdout, process.stderr):
        if stream is not None:
            stream.close()
    process.wait()


def failure(said: str, code: int) -> LayerjouleError:
    """The error of a program that ended with this code and said this."""
    messages: list[str] = []
    hints: list[str] = []
    for line in said.splitlines():
        if line.startswith("error: "):
            messages.append(line[len("error: ") :])
        elif line.startswith("hint: "):
            hints.append(line[len("hint: ") :])
        elif messages and not line.startswith("warning: "):
            # What clap says of a wrong command line takes several lines.
            messages[-1] = f"{messages[-1]}\n{line}".rstrip()
    if code < 0:
        messages.insert(0, f"the program was ended by {_signal_name(-code)}")
    message = "; ".join(messages) or said.strip() or f"the program ended with code {code} and said nothing"
    # Of several failures the first hint is that of the first.
    return LayerjouleError(message, exit_code=code if code >= 0 else None, hint=hints[0] if hints else None)


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def options(values: Mapping[str, None | bool | str | int | float | os.PathLike[str] | Sequence[str]]) -> list[str]:
    """Options of a command line: None and False are left out, True is a flag, a sequence repeats its option."""
    line: list[str] = []
    for flag, value in values.items():
        if value is None or value is False:
            continue
        if value is True:
            line.append(flag)
        elif isinstance(value, (list, tuple)):
            for one in value:
                line += [flag, str(one)]
        else:
            line += [flag, os.fspath(value) if isinstance(value, os.PathLike) else str(value)]
    return line


def columns(rows: Sequence[Any], names: Sequence[str]) -> dict[str, list[Any]]:
    """Attributes of rows as columns."""
    return {name: [getattr(row, name) for row in rows] for name in names}
