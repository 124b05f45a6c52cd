"""How gunicorn serves. Every number has its reason; the ones to change are settings."""

import gc
import os
import sys
from threading import Thread
from typing import Any

# The console script leaves this folder off the path until it loads the application.
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from connector.config import Settings, SettingsError
from connector.log import start_log
from wire.shared_folder import VARIABLE, make_shared_folder

try:
    settings = Settings.from_env(os.environ)
    settings.check_live()
except SettingsError as exc:
    sys.exit(str(exc))

# Before anything is said, in a process that may never load the application.
start_log(settings.log_level)

# Before anything counts. A server that replaces another on the fly has a folder of its own.
if VARIABLE not in os.environ or "GUNICORN_PID" in os.environ:
    os.environ[VARIABLE] = make_shared_folder()

bind = settings.netloc
# The interpreter computes on one core, so each has a process.
workers = settings.web_workers
# A look-up waits for seconds and computes for a millisecond, so threads wait together, or greenlets.
worker_class = {
    "gthread": "connector.web.worker.DiscreetWorker",
    "gevent": "connector.web.gevent_worker.DiscreetGeventWorker",
}[settings.web_worker_class]
# Loaded once, so that processes share what is in memory. With gevent each is patched before it loads.
preload_app = settings.web_worker_class == "gthread"
# Only gthread has any. They start as they are needed, and cost little while they wait.
threads = settings.web_threads
# More than the threads, so that connections kept alive don't starve new ones.
worker_connections = settings.web_worker_connections
# Longer than the 60 s that load balancers keep a connection, so that they close first.
keepalive = settings.web_keepalive_seconds
# A burst waits in the kernel rather than being refused.
backlog = settings.web_backlog
# Longer than the longest deadline of a platform: a look-up in flight is drained, not cut.
graceful_timeout = settings.web_graceful_timeout_seconds
# Among the lines of the application, and like them.
logger_class = "connector.web.worker.ServerLog"
# The application logs each request without its query; gunicorn's own lines would repeat it.
accesslog = None
# Its debug lines hold raw paths, in which people have put keys.
loglevel = "info" if settings.log_level == "DEBUG" else settings.log_level.lower()
control_socket_disable = True
# A proxy's word is for the application to judge (TRUSTED_PROXIES), not taken from whoever is on loopback.
forwarder_headers = ""
secure_scheme_headers: dict[str, str] = {}
# The most that gunicorn allows; a handle pasted with its whole query still fits.
limit_request_line = 8190


def post_worker_init(worker: Any) -> None:
    """Starts what has threads of its own, which would not come along with a fork."""
    # Here, as gevent patches the process before this may be imported.
    from connector.bootstrap import tell_of_closed_keys
    from connector.observing import start_reports

    start_reports(settings)
    # Said once; nobody waits for a database that hangs.
    if worker.age == 1:
        Thread(target=tell_of_closed_keys, args=(settings,), daemon=True).start()


def when_ready(_server: object) -> None:
    """Keeps the collector from what is shared: it would write into every object, and so copy it."""
    gc.collect()
    gc.freeze()
