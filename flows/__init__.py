"""When and in what order, by Prefect; this package alone imports it.

Its settings stand here because Prefect reads them when it is imported: local, quiet and patient, unless
the user's own say otherwise.
"""

import os

_SETTINGS = {
    "DO_NOT_TRACK": "true",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_CLOUD_ENABLE_ORCHESTRATION_TELEMETRY": "false",
}
_ALONE = {
    "PREFECT_LOGGING_TO_API_ENABLED": "false",
    "PREFECT_LOGGING_LEVEL": "WARNING",
    # A temporary API can take longer than the default 20 s on a busy machine.
    "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "120",
}
_WITH_SERVER = {
    "PREFECT_FLOWS_HEARTBEAT_FREQUENCY": "60",  # seconds; what listens is in flows/watchdog.py
    "PREFECT_LOGGING_EXTRA_LOGGERS": "medallion,flows",  # whose lines stand among a run's logs
    "PREFECT_LOGGING_TO_API_WHEN_MISSING_FLOW": "ignore",
}

for key, value in {**_SETTINGS, **(_WITH_SERVER if "PREFECT_API_URL" in os.environ else _ALONE)}.items():
    os.environ.setdefault(key, value)
