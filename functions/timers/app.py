"""The sweep. The schedule starts it every minute, and it runs a little longer than that."""

from contextlib import suppress
from datetime import timedelta
from typing import Any

from chalice.app import Chalice

from shared import wiring
from shared.adapters import clock
from shared.adapters.aws.lambda_handler import monitored
from shared.adapters.telemetry import metrics
from shared.adapters.telemetry.metrics import Metric
from shared.settings import settings
from shared.usecases import tracing
from shared.usecases.errors import UnavailableError
from shared.usecases.sweep.run_sweep import run_sweep

app = Chalice(app_name="switchboard-timers")
log = wiring.logger("timers")
SPARE_MILLISECONDS = 5_000  # of the function's time, for the last transaction


@app.lambda_function(name="sweep")
@monitored
def sweep(_event: object, context: Any) -> dict[str, Any]:  # noqa: ANN401 - Lambda's context has no type
    remaining = timedelta(milliseconds=context.get_remaining_time_in_millis() - SPARE_MILLISECONDS)
    duration = min(timedelta(seconds=settings().sweep_seconds), remaining)
    log.info("sweep begins, for %d s", duration.total_seconds())
    with tracing.under(None):  # no request causes a timer: each transaction begins a trace
        tally = run_sweep(
            wiring.sweep_services(), wiring.housekeeping(), clock.now() + duration, clock.now, clock.sleep
        )
    log.info("sweep ends: %s", tally)
    metrics.count(Metric.REPUBLISHED, tally.republished)
    with suppress(UnavailableError):
        vitals = wiring.vitals()
        metrics.observe(Metric.OUTBOX_AGE, vitals.outbox_age)
        metrics.observe(Metric.DEAD_LETTERS, vitals.dead_letters)
        metrics.observe(Metric.TIMER_LATENESS, vitals.timers_late)
        metrics.observe(Metric.AGENT_TIME_BEHIND, vitals.agent_time_lag)
    return {"timers": tally.timers, "offers": tally.offers, "republished": tally.republished}
