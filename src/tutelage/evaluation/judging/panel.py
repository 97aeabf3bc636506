"""Pairs judged by a model behind an endpoint, each in both orders."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from tutelage.evaluation.endpoint import Endpoint, EndpointError, Reply
from tutelage.evaluation.judging.pairs import Pair
from tutelage.evaluation.judging.question import question, verdict_in
from tutelage.evaluation.judging.votes import Ballot, Tie, Vote, left, same_vote

MOST_TOKENS = 512
"""Of a verdict. One line is asked for; models that think first need room for that."""
REFUSED_AT_FIRST = 8
"""So many requests refused and none answered: it is not the texts, and asking on would help nobody."""
ORDERS = (0, 1)


def judge_of(endpoint: Endpoint) -> str:
    """How votes name the judge."""
    return f"{endpoint.model} at {endpoint.url}"


def judge_all(
    endpoint: Endpoint,
    pairs: Sequence[Pair],
    ballot: Ballot,
    run: str,
    seed: int = 0,
    max_tokens: int = MOST_TOKENS,
    progress: Callable[[int], None] | None = None,
    always: bool = False,
) -> None:
    """Judge the pairs that this judge has not judged yet, and write each vote as soon as both orders are there.

    Different winners in the two orders are a tie, and so is a verdict that cannot be read in either of them.

    Args:
        run: name of the run.
        progress: called with the number of pairs judged since the last call.
        always: ask even where both answers are the same.

    Raises:
        EndpointError: the endpoint fails or refuses everything; what was judged is kept.
    """
    by = judge_of(endpoint)
    waiting = left(pairs, ballot.votes(), by)
    for pair in [] if always else waiting:
        if pair.same:
            ballot.add(same_vote(pair, by, run))
            _count(progress, 1)
    waiting = [pair for pair in waiting if always or not pair.same]
    asked = [question(pair, first) for pair in waiting for first in ORDERS]
    replies: dict[int, Reply | EndpointError] = {}
    answered = refused = 0
    for place, reply in endpoint.chats(asked, max_tokens, 0.0, seed):
        replies[place] = reply
        if isinstance(reply, EndpointError):
            refused += 1
            if refused >= min(REFUSED_AT_FIRST, len(asked)) and not answered:
                raise reply
        else:
            answered += 1
        both = [replies.get(place - place % 2 + order) for order in ORDERS]
        if both[0] is not None and both[1] is not None:
            ballot.add(vote_of(waiting[place // 2], (both[0], both[1]), by, run))
            del replies[place], replies[place - place % 2 + 1 - place % 2]
            _count(progress, 1)


def vote_of(pair: Pair, replies: tuple[Reply | EndpointError, Reply | EndpointError], by: str, run: str) -> Vote:
    """The vote that the replies to both orders make together."""
    read = [verdict_in(reply.text) if isinstance(reply, Reply) else None for reply in replies]
    # Answer 1 is the side that was shown first, answer 2 the other one.
    sides = tuple((first + said - 1) % 2 if said else None for first, said in zip(ORDERS, read, strict=True))
    winner: int | None = None
    tie: Tie | None = None
    if any(isinstance(reply, EndpointError) for reply in replies):
        tie = Tie.REFUSED
    elif None in read:
        tie = Tie.UNREADABLE
    elif sides[0] == sides[1]:
        winner, tie = sides[0], Tie.EQUAL if sides[0] is None else None
    else:
        tie = Tie.DISAGREED
    return Vote(pair, winner, tie, by, run, ORDERS, sides)


def _count(progress: Callable[[int], None] | None, count: int) -> None:
    if progress:
        progress(count)
