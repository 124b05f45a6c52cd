"""What must hold after a soak, as sentences about what does not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from tests.soak.measuring import Held
from tests.soak.receivers import Told

# In less time than that, what a process has to warm up looks like a small leak.
LONG_SECONDS = 240.0
MORE_KB_A_MINUTE = 2048.0
MORE_KB_AT_FIRST = 100 * 1024.0
MORE_FILES = 24


@dataclass(frozen=True)
class Events:
    """Of watched profiles: what was posted, and what came of it. `in_flight` is summed over kills."""

    posted: frozenset[Told]
    arrived: Counter[Told]
    webhook_ids: Mapping[Told, set[str]]
    unsigned: int
    undelivered: int
    polled_posted: frozenset[str]
    polled: frozenset[str]
    in_flight: int
    led_astray: int = 0
    held_back: int = 0

    @property
    def lost(self) -> int:
        """Events that never arrived."""
        return len(self.posted - self.arrived.keys())

    @property
    def lost_polls(self) -> int:
        """Events that were never polled."""
        return len(self.never_polled)

    @property
    def never_polled(self) -> frozenset[str]:
        """Which they are."""
        return self.polled_posted - self.polled

    @property
    def duplicates(self) -> int:
        """Arrivals beyond the first of each event."""
        return self.arrived.total() - len(self.arrived)


@dataclass(frozen=True)
class Account:
    """What one key owes on one platform, in credits: the upstream's own count, and the product's.

    `in_flight` is what kills may have cut off, and `set_aside` what the day's budget was lessened by.
    """

    connection: str
    charged: int
    booked: int
    unsure: int
    set_aside: int
    in_flight: int

    @property
    def forgotten(self) -> int:
        """Credits that were charged and are in no book."""
        return self.charged - self.booked - self.unsure


@dataclass(frozen=True)
class Work:
    """What was accepted, and what came of it."""

    accepted: frozenset[Told] = frozenset()
    told: frozenset[Told] = frozenset()
    jobs: frozenset[str] = frozenset()
    kept_jobs: frozenset[str] = frozenset()
    unended_jobs: int = 0
    unended_rows: Sequence[str] = ()
    paid_again: int = 0
    unexplained: Sequence[str] = ()
    repeats: int = 0
    wrong_repeats: int = 0
    overspent: int = 0


@dataclass(frozen=True)
class Answers:
    """What the load was answered."""

    total: int = 0
    unvisited: frozenset[str] = frozenset()
    failures: Mapping[str, int] = field(default_factory=dict)
    refusals: Mapping[str, int] = field(default_factory=dict)
    misshapen: Mapping[str, int] = field(default_factory=dict)
    unanswered: int = 0
    unexplained: Sequence[str] = ()


@dataclass(frozen=True)
class Traces:
    """What processes left: in logs and files, in memory, and themselves."""

    leaks: Mapping[str, int] = field(default_factory=dict)
    tracebacks: Sequence[str] = ()
    held: Sequence[Held] = ()
    left_behind: int = 0
    exit_codes: Sequence[int] = ()


@dataclass(frozen=True)
class Figures:
    """What was counted. Looks of the watched profiles are paid for; some of them in vain."""

    events: Events
    looks_paid: int
    looks_in_vain: int
    looks_kept: int
    accounts: Sequence[Account]
    work: Work = Work()
    answers: Answers = Answers()
    traces: Traces = Traces()
    kills: Mapping[str, int] = field(default_factory=dict)
    injected: Mapping[str, int] = field(default_factory=dict)
    hostile: Mapping[str, int] = field(default_factory=dict)
    families: Mapping[str, int] = field(default_factory=dict)

    @property
    def charged(self) -> int:
        """Credits that the upstream charged."""
        return sum(account.charged for account in self.accounts)

    @property
    def booked(self) -> int:
        """Credits in the product's books."""
        return sum(account.booked for account in self.accounts)


def faults(figures: Figures) -> list[str]:
    """What must not be, each as a sentence; nothing where all is well."""
    found = (
        _of_events(figures.events)
        | _of_looks(figures)
        | _of_accounts(figures.accounts)
        | _of_work(figures.work)
        | _of_answers(figures.answers)
        | _of_traces(figures.traces)
    )
    return [sentence for sentence, wrong in found.items() if wrong]


def _of_events(events: Events) -> dict[str, object]:
    strange = events.arrived.keys() - events.posted
    several = sum(len(ids) > 1 for ids in events.webhook_ids.values())
    return {
        f"{events.lost} events were lost.": events.lost,
        f"{len(strange)} events arrived that never happened.": strange,
        f"{events.duplicates} events arrived again, of {events.in_flight} that kills can explain.": (
            events.duplicates > events.in_flight
        ),
        f"{several} events came with several webhook ids.": several,
        f"{events.unsigned} tries were not signed with the secret.": events.unsigned,
        f"{events.undelivered} deliveries are not done.": events.undelivered,
        f"{events.lost_polls} events were lost for who polls{_listed(events.never_polled)}.": (
            events.never_polled
        ),
        f"{events.led_astray} redirects of receivers were followed.": events.led_astray,
    }


def _of_looks(figures: Figures) -> dict[str, object]:
    explained = figures.looks_in_vain + sum(account.in_flight for account in figures.accounts) // 2
    nothing = figures.looks_paid - figures.looks_kept
    return {
        f"{nothing} paid looks were not kept, of {explained} that faults and kills can explain.": (
            nothing > explained
        )
    }


def _of_accounts(accounts: Sequence[Account]) -> dict[str, object]:
    """The upstream's count is the product's: but for what kills cut off, and for what it is unsure of."""
    forgotten = sum(max(account.forgotten, 0) for account in accounts)
    explained = sum(account.in_flight for account in accounts)
    invented = sum(max(account.booked - account.charged, 0) for account in accounts)
    ahead = sum(max(account.charged - account.set_aside, 0) for account in accounts)
    stuck = sum(
        max(a.set_aside - max(a.charged, a.booked + a.unsure) - a.in_flight, 0) for a in accounts
    )
    return {
        f"{forgotten} credits are in no book, of {explained} that kills can explain.": any(
            account.forgotten > account.in_flight for account in accounts
        ),
        f"{invented} credits are in the books that nobody charged.": invented,
        f"{ahead} credits were charged that no budget was lessened by.": ahead,
        f"{stuck} credits lessen a budget and were neither spent nor given back.": stuck,
    }


def _of_work(work: Work) -> dict[str, object]:
    untold = len(work.accepted - work.told)
    gone = len(work.jobs - work.kept_jobs)
    return {
        f"{untold} results were promised and never sent.": untold,
        f"{gone} jobs were accepted and are gone.": gone,
        f"{work.unended_jobs} jobs have not ended.": work.unended_jobs,
        f"{len(work.unended_rows)} rows have not ended{_listed(frozenset(work.unended_rows))}.": (
            work.unended_rows
        ),
        f"{len(work.unexplained)} look-ups were paid again that no kill had cut off"
        f"{_listed(frozenset(work.unexplained))}.": work.unexplained,
        f"{work.wrong_repeats} of {work.repeats} repeats were not answered as the first.": (
            work.wrong_repeats
        ),
        f"{work.overspent} credits were spent beyond budgets.": work.overspent,
    }


def _of_answers(answers: Answers) -> dict[str, object]:
    return {
        f"{len(answers.unvisited)} routes never answered well{_listed(answers.unvisited)}.": (
            answers.unvisited
        ),
        f"{sum(answers.failures.values())} requests failed{_listed(answers.failures)}.": (
            answers.failures
        ),
        f"{sum(answers.refusals.values())} requests were refused{_listed(answers.refusals)}.": (
            answers.refusals
        ),
        f"{sum(answers.misshapen.values())} errors were not in the published form"
        f"{_listed(answers.misshapen)}.": sum(answers.misshapen.values()),
        f"{len(answers.unexplained)} requests got no answer that no kill explains"
        f"{_listed(frozenset(answers.unexplained))}.": answers.unexplained,
    }


def _of_traces(traces: Traces) -> dict[str, object]:
    swollen = [
        f"{held.name} by {held.growth_kb:.0f} KB a minute"
        for held in traces.held
        if held.growth_kb > (MORE_KB_A_MINUTE if held.seconds >= LONG_SECONDS else MORE_KB_AT_FIRST)
    ]
    full = [f"{h.name} by {h.more_files}" for h in traces.held if h.more_files > MORE_FILES]
    wrong_ends = [code for code in traces.exit_codes if code]
    return {
        f"Secrets stand in {', '.join(sorted(traces.leaks))}.": traces.leaks,
        f"{len(traces.tracebacks)} tracebacks were logged"
        f"{_listed(frozenset(traces.tracebacks))}.": traces.tracebacks,
        f"Memory grows: {', '.join(swollen)}.": swollen,
        f"Open files grow: {', '.join(full)}.": full,
        f"{traces.left_behind} processes were left behind.": traces.left_behind,
        f"Stopped processes ended with {wrong_ends}.": wrong_ends,
    }


def _listed(which: Mapping[str, int] | frozenset[str]) -> str:
    """The first few of them by name, for whoever has to find out."""
    names = [name for name in sorted(which) if not isinstance(which, Mapping) or which[name]]
    return f" ({', '.join(names[:5])}{', ...' if len(names) > 5 else ''})" if names else ""
