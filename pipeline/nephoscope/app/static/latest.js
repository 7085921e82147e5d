// Run a task for the latest state only: one run at a time, without a queue of outdated runs.

const PATIENCE = 200; // ms; a longer run is aborted if a newer one is requested

/** `task(signal)` → a function that requests a run. If one is running, the next starts after it. */
export function latest(task) {
  let running = null;
  let requested = false;

  async function run() {
    requested = false;
    const controller = new AbortController();
    running = { controller, since: performance.now() };
    try {
      await task(controller.signal);
    } catch (error) {
      if (error.name !== "AbortError") throw error;
    } finally {
      running = null;
      if (requested) run();
    }
  }

  return function request({ now = false } = {}) {
    if (!running) return void run();
    requested = true;
    if (now || performance.now() - running.since > PATIENCE) running.controller.abort();
  };
}
