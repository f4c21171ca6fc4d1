"""A server of predictions of one's own: models stay loaded between predictions."""

from __future__ import annotations

import http.client
import json
import os
import secrets
import signal
import subprocess
import tempfile
import threading
from pathlib import Path
from types import TracebackType
from typing import Any, Mapping, Sequence
from urllib.parse import urlencode, urlsplit

from ._predict import BYTES, Prediction, Source
from ._program import PATIENCE, LayerjouleError, StrPath, failure, options, program

#: Exit codes of the program by the status of an answer, for failures that both name.
_CODES = {400: 2, 413: 3, 422: 3}


class Server:
    """A `host-trainer serve` on this machine alone, at a free port and with a token of its own, for as long as the block lasts.

    Threads may share it; each keeps a connection.

    >>> import layerjoule as lj
    >>> engine = lj.sample("resnet18_trt_engine_info.json")
    >>> with lj.Server() as server:
    ...     served = server.predict(engine, device="orin-nano")
    >>> served.totals == lj.predict(engine, device="orin-nano").totals
    True

    Args:
        models: Folder of models; by default the models that come with the program.
        store: Model store whose deployed models are served, instead of a folder.

    Raises:
        LayerjouleError: The server does not start.
    """

    def __init__(self, *, models: StrPath | None = None, store: str | None = None) -> None:
        self._models = {"--models": models, "--store": store}
        self._token = secrets.token_urlsafe(32)
        self._local = threading.local()
        self._process: subprocess.Popen[str] | None = None
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        #: Where it answers, once it does.
        self.url = ""

    def __enter__(self) -> Server:
        self._folder = tempfile.TemporaryDirectory(prefix="layerjoule-")
        log = Path(self._folder.name) / "log"
        command = [os.fspath(program()), "--quiet", "serve", "--listen", "127.0.0.1:0", "--state", self._folder.name, "--log", "error"]
        # Graphs come with their weights.
        command += ["--max-body", "1024"]
        with log.open("w") as said:
            self._process = subprocess.Popen(
                [*command, *options(self._models)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=said,
                # Other users of this machine can read neither the environment nor the folder.
                env={**os.environ, "HOST_TRAINER_TOKENS": f"python read,predict {self._token}"},
                encoding="utf-8",
            )
        assert self._process.stdout is not None
        self.url = self._process.stdout.readline().strip()
        if not self.url:
            code = self._process.wait()
            error = failure(log.read_text(encoding="utf-8", errors="replace"), code)
            self.close()
            raise error
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Ends the server, which answers what it has accepted first."""
        if self._process is not None:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(timeout=PATIENCE)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            if self._process.stdout is not None:
                self._process.stdout.close()
            self._process = None
        if self._folder is not None:
            self._folder.cleanup()
            self._folder = None
        self.url = ""

    def predict(
        self,
        engine: Source,
        *,
        device: str | None = None,
        precision: str | None = None,
        batch: int | None = None,
        input_shapes: Mapping[str, Sequence[int]] | None = None,
        profile: int = 0,
    ) -> Prediction:
        """Predicts an engine, as `layerjoule.predict` does.

        Raises:
            LayerjouleError: The engine cannot be read, there are no models for the device, or the server is not running.
        """
        content, name = (engine, BYTES) if isinstance(engine, bytes) else (_read(engine), os.fspath(engine))
        query: dict[str, Any] = {"device": device, "profile": profile or None, "precision": precision, "batch": batch}
        query["input_shape"] = ";".join(f"{key}={'x'.join(map(str, shape))}" for key, shape in (input_shapes or {}).items()) or None
        document = self._post("/v1/predict", {key: value for key, value in query.items() if value is not None}, content)
        return Prediction.read({**document, "engine": name})

    def _post(self, path: str, query: Mapping[str, Any], content: bytes) -> Any:
        if self._process is None:
            raise LayerjouleError("the server is not running", hint="use it in a block: with layerjoule.Server() as server")
        headers = {"Authorization": f"Bearer {self._token}", "Content-Type": "application/octet-stream"}
        for turn in (1, 2):
            connection: http.client.HTTPConnection | None = getattr(self._local, "connection", None)
            if connection is None:
                connection = http.client.HTTPConnection(urlsplit(self.url).netloc)
                self._local.connection = connection
            try:
                connection.request("POST", f"{path}?{urlencode(query)}", content, headers)
                answer = connection.getresponse()
                body = answer.read()
                break
            except (http.client.HTTPException, OSError) as error:
                connection.close()
                self._local.connection = None
                # The server closes connections that are idle for some seconds; a prediction changes nothing, and may be asked for twice.
                if turn == 2:
                    raise LayerjouleError(f"{self.url}: no answer: {error}") from error
        document = json.loads(body)
        if answer.status != 200:
            refusal = document["error"]
            place = f"{refusal['place']}: " if refusal.get("place") else ""
            code = 2 if refusal["code"] == "unknown_device" else _CODES.get(answer.status)
            raise LayerjouleError(place + refusal["message"], exit_code=code, hint=refusal.get("help"))
        return document


def _read(path: StrPath) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise LayerjouleError(f"{os.fspath(path)}: cannot read: {error.strerror}", exit_code=5, hint="check the path") from error
