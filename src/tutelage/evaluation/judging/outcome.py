"""What the votes say together: win rates with intervals, and how far the judge can be trusted."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from tutelage.errors import UsageError
from tutelage.evaluation.intervals import Interval, difference, mean_interval
from tutelage.evaluation.judging.pairs import Pair
from tutelage.evaluation.judging.question import CONSTANTS
from tutelage.evaluation.judging.votes import Tie, Vote, left

EASILY_WON = 0.25
"""A constant answer that wins more often than this is a warning: a good judge gives it next to nothing."""
UNREADABLE_MOST, DISAGREED_MOST, LONGER_MOST = 0.2, 0.3, 0.7
FEWEST = 6
_CHANCE = 0.025


@dataclass(frozen=True, slots=True)
class WinRate:
    """One side's wins over one opponent.

    Attributes:
        name: tuned, or a constant answer's.
        rate: share of the pairs won, a tie counted half, with its 95 % interval over the pairs.
        ties: how many pairs have no winner, by reason.
    """

    name: str
    opponent: str
    rate: Interval
    wins: int
    losses: int
    ties: Mapping[str, int]

    @property
    def tied(self) -> int:
        """Pairs without a winner."""
        return sum(self.ties.values())

    @property
    def says(self) -> str:
        """better, worse, even, or none where there are too few votes to say."""
        if self.rate.count < FEWEST:
            return "none"
        return "better" if self.rate.low > 0.5 else "worse" if self.rate.high < 0.5 else "even"


@dataclass(frozen=True, slots=True)
class Judge:
    """What one judge found.

    Attributes:
        by: the judge.
        rates: of the tuned model against each opponent.
        controls: of each constant answer against the same opponents; empty for a person.
        longer: share of the decided pairs won by the longer answer; first: share of all verdicts for the answer shown
            first, a tie counted half; disagreed: share of the pairs shown in both orders that got two verdicts. None
            where there is nothing to count.
        warnings: sentences; why these win rates may be worth little.
        left: pairs that this judge was to judge and has not.
    """

    by: str
    rates: tuple[WinRate, ...]
    controls: tuple[WinRate, ...] = ()
    longer: Interval | None = None
    first: Interval | None = None
    disagreed: Interval | None = None
    warnings: tuple[str, ...] = ()
    left: int = 0


@dataclass(frozen=True, slots=True)
class Outcome:
    """What all judges of a run found: judge.json.

    Attributes:
        run: name of the run's folder.
        agreement: for each two judges, on the pairs that both judged: the share with the same winner (or a tie both).
    """

    run: str
    judges: tuple[Judge, ...]
    agreement: tuple[tuple[str, str, Interval], ...] = ()

    def to_json(self) -> str:
        """Everything, as one JSON object."""
        judges = [asdict(one) | _measures(one) for one in self.judges]
        agreement = [{"judges": [one, other], "share": share.to_json()} for one, other, share in self.agreement]
        content = {"run": self.run, "judges": judges, "agreement": agreement}
        return json.dumps(content, ensure_ascii=False, indent=1, allow_nan=False) + "\n"

    @classmethod
    def from_json(cls, text: str) -> Outcome:
        """What `to_json` made.

        Raises:
            UsageError: the text is something else.
        """
        try:
            content = json.loads(text)
            agreement = tuple((*row["judges"], Interval.from_json(row["share"])) for row in content["agreement"])
            return cls(content["run"], tuple(_judge_from(row) for row in content["judges"]), agreement)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise UsageError(f"this is no judgement that this version wrote ({error!r}); judge again") from error


MEASURES = ("longer", "first", "disagreed")


def _measures(judge: Judge) -> dict[str, Any]:
    rates = {name: [_rate(one) for one in getattr(judge, name)] for name in ("rates", "controls")}
    found = {name: getattr(judge, name) for name in MEASURES}
    return rates | {name: interval.to_json() if interval else None for name, interval in found.items()}


def _rate(one: WinRate) -> dict[str, Any]:
    names = ("name", "opponent", "wins", "losses", "says")
    return {name: getattr(one, name) for name in names} | {"ties": dict(one.ties), "rate": one.rate.to_json()}


def _rate_from(row: Mapping[str, Any]) -> WinRate:
    rate = Interval.from_json(row["rate"])
    return WinRate(row["name"], row["opponent"], rate, row["wins"], row["losses"], dict(row["ties"]))


def _judge_from(row: Mapping[str, Any]) -> Judge:
    found = {name: Interval.from_json(row[name]) if row[name] else None for name in MEASURES}
    rates, controls = (tuple(_rate_from(one) for one in row[name]) for name in ("rates", "controls"))
    return Judge(row["by"], rates, controls, **found, warnings=tuple(row["warnings"]), left=row["left"])


def outcome(run: str, votes: Sequence[Vote], control_votes: Sequence[Vote], wanted: Sequence[Pair]) -> Outcome:
    """What the votes of all judges say.

    Args:
        votes: on the pairs of the comparison; control_votes: on the constant answers.
        wanted: the pairs that are to be judged.
    """
    judges = tuple(dict.fromkeys(vote.by for vote in votes))
    made = []
    for by in judges:
        mine = [vote for vote in votes if vote.by == by]
        made.append(_judged(by, mine, [vote for vote in control_votes if vote.by == by], wanted))
    pairs = [(one, other) for place, one in enumerate(judges) for other in judges[place + 1 :]]
    agreement = [(one, other, _agreement(votes, one, other)) for one, other in pairs]
    return Outcome(run, tuple(made), tuple((one, other, share) for one, other, share in agreement if share))


def _judged(by: str, votes: Sequence[Vote], control_votes: Sequence[Vote], wanted: Sequence[Pair]) -> Judge:
    seen = [vote for vote in votes if vote.first]
    both = [
        vote for vote in (*seen, *control_votes) if len(vote.first) > 1 and vote.tie in (None, Tie.EQUAL, Tie.DISAGREED)
    ]
    found = Judge(
        by,
        rates_of(votes),
        rates_of(control_votes),
        longer=_share([won_by_longer(vote) for vote in votes]),
        first=_share([share for vote in seen for share in firsts(vote)]),
        disagreed=_share([float(vote.tie is Tie.DISAGREED) for vote in both]),
        left=len(left(wanted, votes, by)),
    )
    return replace(found, warnings=(*_control_warnings(votes, control_votes), *_warnings(found, seen)))


def rates_of(votes: Sequence[Vote]) -> tuple[WinRate, ...]:
    """A win rate for each two sides that stand against each other."""
    made = []
    for names in dict.fromkeys(vote.pair.names for vote in votes):
        mine = [vote for vote in votes if vote.pair.names == names]
        ties = Counter(vote.tie.value for vote in mine if vote.tie)
        wins = sum(vote.winner == 0 for vote in mine)
        losses = sum(vote.winner == 1 for vote in mine)
        made.append(WinRate(*names, share_interval([vote.score for vote in mine]), wins, losses, ties))
    return tuple(made)


def share_interval(scores: Sequence[float]) -> Interval:
    """The mean of scores from 0 to 1 and its 95 % interval.

    Where all are equal, resampling shows no spread at all, although a few votes prove little; then the ends are those
    of an exact binomial interval (Clopper and Pearson 1934): how rare may the others be for none to have been met?
    """
    found = mean_interval(scores)
    low, high = max(0.0, found.low), min(1.0, found.high)
    if len(set(scores)) == 1:
        unmet = 1 - _CHANCE ** (1 / len(scores))
        low, high = max(0.0, found.value - unmet), min(1.0, found.value + unmet)
    return Interval(found.value, low, high, found.count)


def won_by_longer(vote: Vote) -> float | None:
    """Whether the longer answer won; None where nobody did or both are as long."""
    ours, theirs = (len(answer) for answer in vote.pair.answers)
    if vote.winner is None or ours == theirs:
        return None
    return float((vote.winner == 0) == (ours > theirs))


def firsts(vote: Vote) -> list[float]:
    """For each time the pair was shown: 1 where the answer shown first was preferred, 0 the other, a half for a tie."""
    if vote.tie in (Tie.UNREADABLE, Tie.REFUSED):
        return []
    return [0.5 if said is None else float(said == side) for side, said in zip(vote.first, vote.verdicts, strict=True)]


def _share(scores: Sequence[float | None]) -> Interval | None:
    known = [score for score in scores if score is not None]
    return share_interval(known) if known else None


def _agreement(votes: Sequence[Vote], one: str, other: str) -> Interval | None:
    mine, theirs = ({vote.pair.key: vote.winner for vote in votes if vote.by == by} for by in (one, other))
    return _share([float(mine[key] == theirs[key]) for key in mine if key in theirs])


def _control_warnings(votes: Sequence[Vote], control_votes: Sequence[Vote]) -> list[str]:
    """What is wrong where an answer that is always the same wins, or does about as well as the tuned model."""
    texts = {f"constant: {one.name}": one.text for one in CONSTANTS}
    made = []
    for rate in rates_of(control_votes):
        told = f'the constant answer "{" ".join(texts.get(rate.name, rate.name).split())[:60]}…"'
        # Where no verdict could be read nothing was given away; that has a warning of its own.
        read = [
            vote.score
            for vote in control_votes
            if vote.pair.names == (rate.name, rate.opponent) and vote.tie not in (Tie.UNREADABLE, Tie.REFUSED)
        ]
        if read and sum(read) > EASILY_WON * len(read):
            made.append(
                f"{told} wins {sum(read) / len(read):.0%}, ties counted half, against {rate.opponent}: this judge can "
                "be won without answering the question, or that opponent says nothing that is worth more. Do not rely "
                "on these win rates."
            )
        ours = {vote.pair.id: vote.score for vote in votes if vote.pair.names[1] == rate.opponent}
        its = {vote.pair.id: vote.score for vote in control_votes if vote.pair.names == (rate.name, rate.opponent)}
        shared = [name for name in its if name in ours]
        if len(shared) >= FEWEST:
            gained = difference([ours[name] for name in shared], [its[name] for name in shared])
            if gained.low <= 0:
                made.append(f"Against {rate.opponent} the tuned model does not clearly win more often than {told}.")
    return made


def _warnings(judge: Judge, votes: Sequence[Vote]) -> list[str]:
    made = []
    bad = sum(vote.tie in (Tie.UNREADABLE, Tie.REFUSED) for vote in votes)
    if bad > UNREADABLE_MOST * len(votes):
        made.append(f"{bad} of {len(votes)} pairs got no verdict that can be read, and count as ties.")
    if judge.disagreed and judge.disagreed.value > DISAGREED_MOST:
        made.append(f"In {judge.disagreed.value:.0%} of the pairs the verdict depends on which answer is shown first.")
    if judge.longer and judge.longer.count >= FEWEST and judge.longer.low > 0.5 and judge.longer.value > LONGER_MOST:
        made.append(f"{judge.longer.value:.0%} of the decided pairs were won by the longer answer.")
    return made
