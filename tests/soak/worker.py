"""The worker as the soak runs it: the product's own, with claims that end sooner, or with a fault.

A claim of a killed worker ends after seconds rather than minutes, so that a soak takes minutes rather
than hours. The faults show that the soak would notice them.
"""

from __future__ import annotations

import os
import signal
import sys
from dataclasses import replace
from datetime import timedelta

from connector.bootstrap import make_worker
from connector.config import Settings
from connector.domain.deliveries import DELIVERED, ClaimedDelivery, Outcome, Verdict
from connector.services.delivering import Courier
from connector.services.working import Worker

LEASE = timedelta(seconds=5)
ACK_FIRST, SHORT_LEASE = "ack-first", "short-lease"
FAULTS = (ACK_FIRST, SHORT_LEASE)


class AckFirst(Courier):
    """Completes before it sends: what is in flight at a kill is lost."""

    def deliver(self, delivery: ClaimedDelivery) -> None:
        now = self.clock.now()
        self.store.complete(delivery, Outcome(200), Verdict(DELIVERED, now), now, milliseconds=0)
        self._outcome(delivery)


def with_fault(worker: Worker, fault: str) -> Worker:
    if fault == ACK_FIRST:
        return replace(worker, courier=AckFirst(**vars(worker.courier)))
    if fault == SHORT_LEASE:
        # Shorter than a try, so that others begin what is not done yet.
        return replace(worker, delivery_lease=timedelta(milliseconds=1))
    return worker


def main(fault: str = "") -> None:
    worker = make_worker(Settings.from_env(os.environ))
    worker = replace(worker, delivery_lease=LEASE, watch_lease=LEASE, row_lease=LEASE)
    worker = with_fault(worker, fault)
    signal.signal(signal.SIGTERM, lambda *_: worker.stop())
    print(f"{os.getpid()} is at work", flush=True)
    worker.run()


if __name__ == "__main__":
    main(*sys.argv[1:])
