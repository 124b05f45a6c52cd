"""The figures of a soak that is over."""

from __future__ import annotations

from collections import Counter

from tests.soak.books import Books
from tests.soak.leaks import database_files, found_in, tracebacks
from tests.soak.plan import SENT_KEY
from tests.soak.processes import left_behind
from tests.soak.receivers import HOOK, TOLD
from tests.soak.run import Soak
from tests.soak.upstream import connection_of
from tests.soak.verdict import Account, Answers, Events, Figures, Traces, Work

# Handles that are looked up once: rows of batches, and what came with an Idempotency-Key.
_ONCE = ("b", "i")


def figures_of(soak: Soak) -> Figures:
    """What was counted, outside and in the database."""
    upstream, books = soak.world.upstream, Books(soak.engine)
    sent = connection_of(SENT_KEY, "api")
    return Figures(
        events=_events(soak, books),
        looks_paid=sum(upstream.asked[name] for name in soak.plan.names),
        looks_in_vain=sum(upstream.in_vain[name] for name in soak.plan.names),
        looks_kept=books.looks_kept(sent),
        accounts=books.accounts(upstream, soak.killing.cut_calls),
        work=_work(soak, books),
        answers=_answers(soak),
        traces=_traces(soak),
        kills=soak.killing.kills,
        injected=upstream.injected,
        hostile=soak.world.receivers.hits,
        families=_families(soak),
    )


def _events(soak: Soak, books: Books) -> Events:
    receivers = soak.world.receivers
    of_hooks = {told: n for told, n in receivers.arrived.items() if told[0].startswith(HOOK)}
    return Events(
        posted=frozenset(soak.posted()),
        arrived=Counter(of_hooks),
        webhook_ids=receivers.webhook_ids,
        unsigned=receivers.unsigned,
        undelivered=books.undelivered(),
        polled_posted=frozenset(soak.polled_posted()),
        polled=frozenset(soak.polled),
        in_flight=soak.killing.cut_tries,
        led_astray=receivers.led_astray,
        held_back=soak.held_back,
    )


def _work(soak: Soak, books: Books) -> Work:
    charged, tally = soak.world.upstream.charged, soak.tally
    spent = Counter(
        {
            prefix: 2 * sum(n for (_, handle), n in charged.items() if handle.startswith(prefix))
            for prefix in tally.budgets
        }
    )
    again = Counter(
        {handle: n - 1 for (_, handle), n in charged.items() if n > 1 and handle.startswith(_ONCE)}
    )
    arrived = soak.world.receivers.arrived
    return Work(
        accepted=frozenset(tally.accepted),
        told=frozenset(told for told in arrived if told[0].startswith(TOLD)),
        jobs=frozenset(tally.jobs),
        kept_jobs=books.jobs(),
        unended_jobs=books.unended_jobs(),
        unended_rows=books.unended_rows(),
        paid_again=again.total(),
        unexplained=[
            _told(soak, handle) for handle in again if handle not in soak.killing.cut_handles
        ],
        repeats=tally.repeats,
        wrong_repeats=tally.wrong_repeats,
        overspent=sum(max(spent[prefix] - tally.budgets[prefix], 0) for prefix in tally.budgets),
    )


def _told(soak: Soak, handle: str) -> str:
    """When it was asked for and by whom, and the deaths around."""
    calls = soak.world.upstream.made[handle]
    asked = ", ".join(f"{c.by} {c.began_at:.1f}-{c.ended_at or 0:.1f}" for c in calls)
    first, last = calls[0].began_at, calls[-1].began_at
    died = [f"{name} {at:.1f}" for name, at in soak.killing.deaths if first - 1 < at < last + 1]
    return f"{handle} asked by {asked}; died {', '.join(died) or 'none'}"


def _answers(soak: Soak) -> Answers:
    tally, downs = soak.tally, soak.web.downs
    unexplained = [
        f"{one.route} at {one.began:.1f} until {one.ended:.1f}: {one.failure}; the last that was down was"
        f" so {max((down for down in downs if down[0] < one.ended), default=None)}"
        for one in tally.unanswered
        if not any(one.began <= up and one.ended >= down for down, up in downs)
    ]
    return Answers(
        total=tally.total,
        # A brief soak is over before all were visited.
        unvisited=frozenset() if soak.plan.is_brief else tally.unvisited(soak.routes),
        failures=tally.faults(),
        refusals=tally.refusals(),
        misshapen=tally.misshapen,
        unanswered=len(tally.unanswered),
        unexplained=unexplained,
    )


def _traces(soak: Soak) -> Traces:
    logs = [process.log for process in soak.processes]
    planted = soak.tally.planted | set(soak.environment["CONNECTOR_ENCRYPTION_KEYS"].split(","))
    return Traces(
        leaks=found_in(logs, planted, addresses=True)
        | found_in(database_files(soak.engine), planted, addresses=False),
        tracebacks=tracebacks(logs),
        held=soak.measuring.held(soak.half_at),
        left_behind=len(left_behind(soak.processes)),
        exit_codes=soak.exit_codes,
    )


def _families(soak: Soak) -> Counter[str]:
    """Answers by the first words of their routes."""
    found: Counter[str] = Counter()
    for (route, _), times in soak.tally.answers.items():
        rule = route.partition(" ")[2].replace("{platform}/", "")
        found[rule.strip("/").split("/")[0] or "index"] += times
    return found


def account_of(figures: Figures) -> Account:
    """All accounts together."""
    parts = figures.accounts
    return Account(
        connection="all",
        charged=sum(part.charged for part in parts),
        booked=sum(part.booked for part in parts),
        unsure=sum(part.unsure for part in parts),
        set_aside=sum(part.set_aside for part in parts),
        in_flight=sum(part.in_flight for part in parts),
    )
