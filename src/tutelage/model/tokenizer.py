"""A model's tokenizer from its folder, and what identifies it."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from transformers import PreTrainedTokenizerFast

from tutelage.errors import ModelError
from tutelage.model.machine import first_line, quiet_libraries, read_json

_read: dict[tuple[object, ...], PreTrainedTokenizerFast] = {}


def read_tokenizer(folder: Path) -> PreTrainedTokenizerFast:
    """A folder's tokenizer, with an end-of-sequence token; files that did not change are read once in a process.

    Raises:
        ModelError: where it has no fast form, or the model has no end-of-sequence token.
    """
    files = sorted(path for path in folder.iterdir() if path.suffix in (".json", ".model", ".jinja", ".txt"))
    about = [(path.name, (state := path.stat()).st_size, state.st_mtime_ns) for path in files]
    key = (str(folder.resolve()), *about)
    if key not in _read:
        _read[key] = _from_files(folder)
    return _read[key]


def _from_files(folder: Path) -> PreTrainedTokenizerFast:
    from transformers import AutoTokenizer

    # tokenizer.json is taken as it is; a family's own class would build parts of it from its own defaults.
    kind: Any = PreTrainedTokenizerFast if (folder / "tokenizer.json").is_file() else AutoTokenizer
    try:
        with quiet_libraries():
            tokenizer: Any = kind.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    except Exception as error:  # a tokenizer's files can be wrong in many ways
        raise ModelError(f"the tokenizer in {folder} cannot be loaded: {first_line(error)}") from error
    if not isinstance(tokenizer, PreTrainedTokenizerFast):
        raise ModelError(
            f"the tokenizer in {folder} ({type(tokenizer).__name__}) has no fast form, which is needed here. "
            "Convert it to tokenizer.json with transformers"
        )
    _complete_tokens(folder, tokenizer)
    if tokenizer.eos_token_id is None:
        raise ModelError(
            f"{folder} names no end-of-sequence token, so the model could never learn to stop. Name it as "
            "eos_token in tokenizer_config.json"
        )
    return tokenizer


def _complete_tokens(folder: Path, tokenizer: PreTrainedTokenizerFast) -> None:
    """Takes the ids of bos and eos from the model's config where the tokenizer's files name none (GPT-2)."""
    config = read_json(folder / "config.json")
    for name in ("bos", "eos"):
        number = config.get(f"{name}_token_id")
        number = number[0] if isinstance(number, list) and number else number
        if getattr(tokenizer, f"{name}_token_id") is None and isinstance(number, int):
            token = tokenizer.convert_ids_to_tokens(number)
            if token is not None:
                setattr(tokenizer, f"{name}_token", token)


def tokenizer_hash(tokenizer: PreTrainedTokenizerFast) -> str:
    """SHA-256 over a tokenizer's vocabulary, rules and special tokens, but not padding and truncation."""
    text = tokenizer.backend_tokenizer.to_str()
    start = text.index('"added_tokens"')  # padding and truncation, a caller's momentary wish, stand before it
    special = {name: str(token) for name, token in sorted(tokenizer.special_tokens_map.items())}
    return hashlib.sha256(f"{json.dumps(special)}\n{text[start:]}".encode()).hexdigest()
