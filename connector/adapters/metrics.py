"""Metrics in Prometheus's words: what this process counts, and what the database knows."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import cache
from typing import Any, Final

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Histogram,
    disable_created_metrics,
    generate_latest,
    values,
)
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from connector.adapters.measured import Timed, outcome_of
from connector.domain.metrics import BUCKETS, DATABASE_UP, METRICS, Metric, Reading
from wire.shared_folder import VARIABLE, Place

log = logging.getLogger(__name__)
CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"


class Metrics:
    """Counts for this process; in a server's shared folder, if there is one, for all of its processes."""

    def __init__(self) -> None:
        self._folder = os.environ.get(VARIABLE)
        if self._folder:
            place = Place(self._folder)
            try:
                values.ValueClass = values.MultiProcessValue(process_identifier=place)  # type: ignore[no-untyped-call]  # there
            except OSError as exc:
                log.warning("each process counts alone, as TMPDIR has no room (%s)", exc.strerror)
                self._folder, values.ValueClass = None, values.MutexValue
        # Moments at which processes began counting: of no use, and as many series again.
        disable_created_metrics()  # type: ignore[no-untyped-call]  # there
        self._registry = CollectorRegistry()
        self._metrics: dict[Metric, Any] = {}
        for m in METRICS:
            if m.kind == "counter":
                self._metrics[m] = Counter(m.name, m.help, m.labels, registry=self._registry)
            if m.kind == "histogram":
                self._metrics[m] = Histogram(
                    m.name, m.help, m.labels, registry=self._registry, buckets=BUCKETS
                )
        # The library's own look-up takes longer than to count.
        self._labelled = cache(lambda metric, labels: self._metrics[metric].labels(*labels))

    @property
    def shared(self) -> bool:
        """Whether another process answers for this one too."""
        return bool(self._folder)

    def count(self, metric: Metric, *labels: str) -> None:
        """Counts one."""
        with suppress(OSError):  # no room, which a request is not to fail of
            self._labelled(metric, labels).inc()

    @contextmanager
    def timed(
        self,
        metric: Metric,
        *labels: str,
        sent: Mapping[str, Any] | None = None,  # for those who trace
    ) -> Iterator[Timed]:
        """Times the block; what it raises is its outcome."""
        timed = Timed(labels)
        began = time.perf_counter()
        try:
            yield timed
        except BaseException as exc:
            timed.outcome = outcome_of(exc)
            raise
        finally:
            seconds = time.perf_counter() - began
            with suppress(OSError):  # as above
                self._labelled(metric, timed.labels_of(metric)).observe(seconds)

    def text(self, known: Callable[[], Iterable[Reading]] | None = None) -> bytes:
        """All of it as text, with what `known` reads; that a database fails is told, and fails nothing."""
        registry = self._registry
        if self._folder:
            registry = CollectorRegistry()
            MultiProcessCollector(registry, self._folder)  # type: ignore[no-untyped-call]  # there
        counted: bytes = generate_latest(registry)
        if known is None:
            return counted
        read = CollectorRegistry()
        read.register(_Known(known))
        return counted + generate_latest(read)


class _Known(Collector):
    def __init__(self, known: Callable[[], Iterable[Reading]]) -> None:
        self._known = known

    def describe(self) -> Iterable[GaugeMetricFamily]:
        """Nothing: the database is not asked before somebody does."""
        return []

    def collect(self) -> Iterable[GaugeMetricFamily]:
        """A family for each gauge that has a value."""
        try:
            known = [*self._known(), (DATABASE_UP, (), 1.0)]
        except Exception as exc:  # noqa: BLE001  # what this process counted is told all the same
            log.warning("metrics could not be read from the database (%s)", type(exc).__name__)
            known = [(DATABASE_UP, (), 0.0)]
        families: dict[Metric, GaugeMetricFamily] = {}
        for metric, labels, value in known:
            if metric not in families:
                families[metric] = GaugeMetricFamily(metric.name, metric.help, labels=metric.labels)
            families[metric].add_metric(labels, value)
        return families.values()
