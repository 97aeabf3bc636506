"""Several processes: who does which rows, what they tell each other, and weights in parts."""

from __future__ import annotations

import ast
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import save_file
from torch import Tensor

import ranks
import tiny
import tutelage
from tutelage.errors import TuningError, UsageError
from tutelage.model import adapters
from tutelage.model.forward import Proof, recompute
from tutelage.recipe import AdapterSettings, TuningSettings
from tutelage.text.pack import packs_of, plan
from tutelage.tuning.distributed import (
    ALONE,
    Elsewhere,
    Party,
    Rows,
    agreed,
    called,
    deal,
    noticing,
    rows_of,
    shard,
    whole,
)
from tutelage.tuning.fit import NotFinite, State, fit, held_out_loss
from tutelage.tuning.optim import Optimizer
from tutelage.tuning.parts import header, own_part, part_name, part_names, read_parts

FULL, LORA = AdapterSettings(kind="full"), AdapterSettings(kind="lora", rank=4, dropout=0.2)
PACKAGE = Path(tutelage.__file__).parent


# --- who does what ----------------------------------------------------------------------------------------------------


@given(st.lists(st.integers(2, 60), min_size=1, max_size=24), st.integers(1, 9), st.sampled_from([1, 64, 2048]))
def test_every_example_is_dealt_once_and_all_have_as_many_rows(lengths: list[int], size: int, room: int) -> None:
    tokens = [tiny.tokens(length, seed) for seed, length in enumerate(lengths)]
    dealt = deal(tokens, range(len(tokens)), room, size)
    assert len(dealt) == size and len({len(rows) for rows in dealt}) == 1
    names = sorted(name for rows in dealt for pack in rows for name in pack.examples)
    assert names == sorted(item.example for item in tokens)
    for pack in (pack for rows in dealt for pack in rows if not pack.examples):
        assert pack.weight == 0 and pack.trained == 0 and len(pack) == min(lengths)
    weight = sum(pack.weight for rows in dealt for pack in rows)
    assert weight == sum(float(item.weights[1:].sum()) for item in tokens)


def test_one_process_gets_the_rows_it_always_had() -> None:
    tokens = tiny.batch(8)
    (dealt,) = deal(tokens, (3, 1, 7, 0), 40, 1)
    known = packs_of(tokens, (3, 1, 7, 0), 40)
    assert [pack.examples for pack in dealt] == [pack.examples for pack in known]
    assert all((one.ids == other.ids).all() for one, other in zip(dealt, known, strict=True))


def test_five_rows_against_three() -> None:
    """Rows of one example: who has two long ones is done with three, another does five, most of them short."""
    tokens = [tiny.tokens(length, seed) for seed, length in enumerate((50, 50, 50, 20, 20, 20, 20, 20))]
    dealt = deal(tokens, range(8), 1, 2)
    assert sorted(sum(bool(pack.examples) for pack in rows) for rows in dealt) == [3, 5]
    assert [len(rows) for rows in dealt] == [5, 5]


# --- who this is ------------------------------------------------------------------------------------------------------


def test_who_this_process_is(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE", "MASTER_ADDR"):
        monkeypatch.delenv(name, raising=False)
    assert called() == ALONE
    monkeypatch.setenv("WORLD_SIZE", "4")  # as some machines have it for everything
    assert called() == ALONE
    for name, value in {"RANK": "3", "LOCAL_RANK": "1", "LOCAL_WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1"}.items():
        monkeypatch.setenv(name, value)
    assert called() == Party(3, 4, 1, 2)
    assert not called().leads
    monkeypatch.setenv("RANK", "4")
    with pytest.raises(UsageError, match="process 4 of 4; start with torchrun"):
        called()
    monkeypatch.setenv("RANK", "one")
    with pytest.raises(UsageError, match="start with torchrun"):
        called()
    monkeypatch.setenv("RANK", "0")
    monkeypatch.setenv("WORLD_SIZE", "1")
    assert called() == ALONE


def test_alone_nothing_is_exchanged() -> None:
    assert ALONE.all([1.0, 2.0]) == [1.0, 2.0] and ALONE.total(3.0, 4.0) == [3.0, 4.0]
    assert (ALONE.tell("x"), ALONE.hear("x"), ALONE.each(lambda: "y")) == ("x", ("x",), ("y",))
    proof = Proof(True, 0, 0)
    assert agreed(ALONE, proof) is proof
    network = tiny.network("llama")
    assert whole(network, ALONE, torch.float32) is network


def test_a_lost_process_is_told_in_a_sentence() -> None:
    lost = RuntimeError("[pair.cc:547] Connection closed by peer [127.0.0.1]:3423\nException raised from read")
    said = r"another process .* ended .* process 1 of 2 ends too"
    with pytest.raises(TuningError, match=said) as caught, noticing(Party(1, 2)):
        raise lost
    assert "Exception raised" not in str(caught.value) and "tutelage resume" in str(caught.value)
    for party, error in ((ALONE, lost), (Party(1, 2), RuntimeError("shapes do not fit"))):
        with pytest.raises(RuntimeError) as same, noticing(party):
            raise error
        assert same.value is error


# --- rows in files ----------------------------------------------------------------------------------------------------


def test_rows_are_dealt_as_torch_chunks_them() -> None:
    class Parted(torch.Tensor):
        full_tensor = None

    for total in (1, 2, 5, 8, 13):
        for size in (1, 2, 3, 4, 7):
            weight = torch.arange(float(total)).as_subclass(Parted)
            chunks = [len(part) for part in torch.arange(total).chunk(size)]
            found = [rows_of(weight, Party(rank, size)) for rank in range(size)]
            assert [rows.stop - rows.start for rows in found if rows] == chunks + [0] * (size - len(chunks))
            assert found[-1] is not None and found[-1].stop == total
    assert rows_of(torch.zeros(3), Party(0, 2)) is None


def dealt_rows(total: int, party: Party) -> Rows:
    most = -(-total // party.size)
    return Rows(min(party.rank * most, total), min((party.rank + 1) * most, total), total)


@pytest.mark.parametrize("written", [1, 2, 3, 8])
@pytest.mark.parametrize("read", [1, 2, 5, 8])
def test_written_by_some_processes_and_read_by_others(written: int, read: int, tmp_path: Path) -> None:
    """Each rows of its own, more processes than rows too, and what all have whole."""
    whole = {"a": torch.randn(7, 3), "b": torch.randn(5), "step": torch.tensor(3.0), "lora": torch.randn(4, 2)}
    paths = []
    for rank in range(written):
        party = Party(rank, written)
        rows = {name: dealt_rows(len(whole[name]), party) for name in ("a", "b")} if written > 1 else {}
        mine = {
            name: value[rows[name].start : rows[name].stop] if name in rows else value for name, value in whole.items()
        }
        paths.append(tmp_path / part_name(party))
        save_file(own_part(mine, rows, party), paths[-1], metadata=header(rows))
    assert part_names({path.name for path in paths}) == sorted(path.name for path in paths)
    assert part_names({path.name for path in paths[1:]}) == []
    for rank in range(read):
        party = Party(rank, read)
        wanted = {name: dealt_rows(len(whole[name]), party) for name in ("a", "b")} if read > 1 else {}
        found = read_parts(list(reversed(paths)), wanted)
        assert sorted(found) == sorted(whole)
        for name, value in whole.items():
            right = value[wanted[name].start : wanted[name].stop] if name in wanted else value
            assert torch.equal(found[name], right) and found[name].shape == right.shape


def test_a_missing_part_is_noticed(tmp_path: Path) -> None:
    for rank in (0, 2):
        rows = {"a": dealt_rows(6, Party(rank, 3))}
        save_file({"a": torch.ones(2)}, tmp_path / str(rank), metadata=header(rows))
    with pytest.raises(Exception, match="rows 2 to 6 of a are in no part"):
        read_parts([tmp_path / "0", tmp_path / "2"], {})


# --- several at work --------------------------------------------------------------------------------------------------


def say_things(party: Party) -> None:
    rank = party.rank
    assert party.all([rank + 0.5, 7.0]) == [0.5, 7.0, 1.5, 7.0]
    assert party.total(rank + 1.0, math.pi) == [3.0, 2 * math.pi]
    assert party.hear("é" * 3 * rank) == ("", "ééé") and party.tell(f"from {rank}") == "from 0"
    assert party.each(lambda: str(rank)) == ("0", "1")
    with pytest.raises((OSError, Elsewhere), match="the disk is full") as caught:
        party.each(lambda: full_disk() if rank else "fine")
    assert str(caught.value) == ("the disk is full" if rank else "process 1 of 2: the disk is full")
    assert isinstance(caught.value, OSError if rank else Elsewhere)
    with pytest.raises((OSError, Elsewhere), match=r"^the disk is full$") as caught:
        party.alike(full_disk)
    assert isinstance(caught.value, Elsewhere if rank else OSError)
    mixed = agreed(party, Proof(rank == 0, 0, 0))
    assert not mixed.packed and mixed.reason
    assert agreed(party, Proof(True, 0, 0)) == Proof(True, 0, 0)
    weights = [
        torch.nn.Parameter(torch.zeros(2, 3)),
        torch.nn.Parameter(torch.zeros(4)),
        torch.nn.Parameter(tiny_one()),
    ]
    weights[0].grad = torch.full((2, 3), rank + 1.0)
    if rank:
        weights[1].grad = torch.ones(4)
    party.sum_gradients(weights)
    assert weights[0].grad.tolist() == [[3.0] * 3] * 2
    assert weights[1].grad is not None and weights[1].grad.tolist() == [1.0] * 4
    assert weights[2].grad is None


def tiny_one() -> Tensor:
    return torch.zeros(1)


def full_disk() -> str:
    raise OSError("the disk is full")


def test_what_processes_tell_each_other() -> None:
    ranks.together(2, say_things)


def losses(name: str, kind: AdapterSettings, party: Party, recomputed: bool = False) -> tuple[State, list[float]]:
    settings = TuningSettings(batch_size=5, lr=1e-3, row_tokens=40)
    network: Any = adapters.add(tiny.network(name), kind, 7)
    if recomputed:
        recompute(network)
    within = shard(network, party, ranks.CPU, torch.float32)
    state = State(within, Optimizer(adapters.trainable(network), settings, party), party=party)
    proof = agreed(party, distributed_proof(within))
    found = [step.loss for step in fit(state, plan(5, 5, 3.0, 0), tiny.batch(5), settings, proof)]
    return state, [*found, held_out_loss(within, tiny.batch(3), proof, 40, party)]


def distributed_proof(network: Any) -> Proof:
    from tutelage.model.forward import prove

    return prove(network, torch.float32)


def work_in_parts(party: Party) -> None:
    """Recomputing, models that cannot share rows, a mixture of experts, a bad number, and processes without a row."""
    _, plain = losses("llama", FULL, party)
    _, again = losses("llama", FULL, party, recomputed=True)
    assert max(abs(a - b) for a, b in zip(plain, again, strict=True)) < 1e-6
    for name in ("cohere", "mixtral", "llama4", "gpt2", "phi3"):
        _, found = losses(name, FULL, party)
        assert all(math.isfinite(loss) for loss in found) and found[2] < found[0], name
    state, _ = losses("llama", LORA, party)
    assert len(set(party.all([float(sum(m.detach().sum() for m in state.optimizer.masters.values()))]))) == 1
    state, _ = losses("gemma3", FULL, party)
    settings = TuningSettings(batch_size=3, lr=1e-3, row_tokens=1)
    state.step = 0
    bad = [tiny.tokens(10, seed) for seed in range(3)]
    bad[1].weights[7] = math.inf
    before = {name: value.clone() for name, value in state.optimizer.tensors().items()}
    with pytest.raises(NotFinite, match="step 1: the loss") as caught:
        next(fit(state, plan(3, 3, 1.0, 0), bad, settings, Proof(True, 0, 0)))
    assert caught.value.examples == ("e1",)
    assert all(torch.equal(value, before[name]) for name, value in state.optimizer.tensors().items())


def test_tuning_in_parts() -> None:
    ranks.together(2, work_in_parts)


def four_with_one_example(party: Party) -> None:
    state, found = losses("llama", FULL, party)
    settings = TuningSettings(batch_size=1, lr=1e-3)
    state.step = 0
    steps = list(fit(state, plan(2, 1, 1.0, 0), tiny.batch(2), settings, Proof(True, 0, 0)))
    assert len(steps) == 2 and all(step.loss > 0 for step in steps) and len(found) == 4


def test_more_processes_than_examples() -> None:
    ranks.together(4, four_with_one_example)


def in_bfloat16(party: Party, folder: Path) -> None:
    settings = TuningSettings(batch_size=8, lr=1e-4, row_tokens=64, warmup=0.0, schedule="constant")
    for name, kind in (("llama", FULL), ("gemma3", FULL), ("llama", AdapterSettings(kind="lora", rank=4))):
        state, proof = ranks.begun(name, kind, settings, party, torch.bfloat16)
        assert proof.packed, proof.reason
        found = [step.loss for step in fit(state, plan(8, 8, 5.0, 0), tiny.batch(8), settings, proof)]
        kept = ranks.weights(state)
        if party.leads:
            ranks.keep(folder / f"{name}-{kind.kind}", losses=torch.tensor(found, dtype=torch.float64), **kept)


def test_bfloat16_in_parts_follows_one_process(tmp_path: Path) -> None:
    """The parts are float32 and move as the masters of one process do; gradients were rounded at other places."""
    ranks.together(2, in_bfloat16, tmp_path)
    settings = TuningSettings(batch_size=8, lr=1e-4, row_tokens=64, warmup=0.0, schedule="constant")
    for name, kind in (("llama", FULL), ("gemma3", FULL), ("llama", AdapterSettings(kind="lora", rank=4))):
        state, proof = ranks.begun(name, kind, settings, dtype=torch.bfloat16)
        start = {key: value.detach().clone() for key, value in state.optimizer.masters.items()}
        alone = [step.loss for step in fit(state, plan(8, 8, 5.0, 0), tiny.batch(8), settings, proof)]
        found = ranks.kept(tmp_path / f"{name}-{kind.kind}")
        tiny.agree(found.pop("losses"), torch.tensor(alone, dtype=torch.float64), 2e-2, 2e-3)
        moves = [
            tiny.flat({key: values[key].detach() - start[key] for key in start})
            for values in (found, state.optimizer.masters)
        ]
        assert float(torch.nn.functional.cosine_similarity(*moves, dim=0)) > 0.98, name


# --- one loop ---------------------------------------------------------------------------------------------------------


def calls(path: Path) -> list[str]:
    """Everything that is called in a file, as it is written there."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return [ast.unparse(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)]


def test_there_is_one_loss_and_one_optimizer_step() -> None:
    """However many processes, and whatever is tuned. `estimate` times a pass that changes nothing, and is left out."""
    files = [path for path in sorted((PACKAGE / "tuning").glob("*.py")) if path.name != "estimate.py"]
    where = [(path.name, called) for path in files for called in calls(path)]
    for ending, right in {
        "pack_loss": [("fit.py", "pack_loss")],
        ".backward": [("fit.py", "part.backward")],
        "optimizer.step": [("fit.py", "state.optimizer.step")],
        "adam.step": [("optim.py", "self.adam.step")],
        "AdamW": [("optim.py", "torch.optim.AdamW")],
    }.items():
        assert [one for one in where if one[1].endswith(ending)] == right
