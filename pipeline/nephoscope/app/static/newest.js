// Of many wishes in a row only the newest counts: one request at a time, never a queue of stale ones.

const PATIENCE = 200; // ms; an answer that takes longer is given up for a newer wish

/** `task(signal)` → a function that wishes for it to be run with the state as it is then. */
export function newest(task) {
  let running = null;
  let wished = false;

  async function run() {
    wished = false;
    const controller = new AbortController();
    running = { controller, since: performance.now() };
    try {
      await task(controller.signal);
    } catch (error) {
      if (error.name !== "AbortError") throw error;
    } finally {
      running = null;
      if (wished) run();
    }
  }

  return function wish({ now = false } = {}) {
    if (!running) return void run();
    wished = true;
    if (now || performance.now() - running.since > PATIENCE) running.controller.abort();
  };
}
