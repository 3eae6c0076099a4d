// The connection: when the server is asked for numbers, and what is made of its answer.

import { say } from "./announcer.js";
import { $, write } from "./dom.js";
import { drawLiveness } from "./liveness.js";
import { Secret, request } from "./server.js";

const HIDDEN_POLL_MS = 30_000;
const LONGEST_BACKOFF_MS = 30_000;

const dataToken = new Secret("data token");

/** Its moments are on the clock of this page, which no correction of the time moves. */
export class Connection {
  /** `onAnswer` gets each answer with numbers; `onRefusal` is called when a token is needed. */
  constructor(history, { onAnswer, onRefusal }) {
    this.history = history;
    this.onAnswer = onAnswer;
    this.onRefusal = onRefusal;
    /** "connecting", "live", "stale", or "token" while one is needed. */
    this.state = "connecting";
    this.answeredAt = null;
    /** On the clock of the server: when its exporter began, and how long it had watched then. */
    this.startedMs = null;
    this.watchedMs = null;
    /** When the question was asked that is still open. */
    this.askedAt = null;
    /** Somebody wanted to know more than the open question may tell, as after a change. */
    this.askAgain = false;
    this.retryAt = 0;
    this.timer = null;
    this.failures = 0;
    this.problem = "";
  }

  start() {
    $("retry").addEventListener("click", () => this.poll());
    $("token-form").addEventListener("submit", (event) => {
      event.preventDefault();
      dataToken.set($("token").value);
      $("token").value = "";
      this.poll();
    });
    document.addEventListener("visibilitychange", () => {
      if (this.state === "token") return;
      if (document.hidden) this.schedule(HIDDEN_POLL_MS);
      else this.poll();
    });
    setInterval(() => drawLiveness(this), 1000);
    this.poll();
  }

  async poll() {
    if (this.askedAt !== null) {
      this.askAgain = true;
      return;
    }
    this.askAgain = false;
    clearTimeout(this.timer);
    this.askedAt = performance.now();
    const token = dataToken.get();
    try {
      const response = await request(`data?since=${this.history.next}`, token);
      if (response.status === 401) return this.needToken(token);
      if (!response.ok) return this.fail(`it answered ${response.status}`);
      this.accept(await response.json());
    } catch (error) {
      // Usually no connection, but it may be a defect of this page too.
      console.error(error);
      this.fail("it does not answer");
    } finally {
      this.askedAt = null;
      drawLiveness(this);
      if (this.askAgain && this.state === "live") this.poll();
    }
  }

  schedule(ms) {
    clearTimeout(this.timer);
    this.retryAt = performance.now() + ms;
    this.timer = setTimeout(() => this.poll(), ms);
  }

  accept(answer) {
    const { history, now_ms: now, started_ms: started, tick_seconds: tick } = answer;
    const restarted = this.startedMs !== null && started !== this.startedMs;
    this.startedMs = started;
    this.failures = 0;
    if (this.history.next > 0 && (restarted || history.next < this.history.next)) {
      // The numbers of ticks began again, so this answer begins somewhere in the middle. An answer
      // to a question for everything is taken as it is: behind a balancer it may be another process
      // each time, and asking again would never end.
      this.history.reset();
      return this.schedule(0);
    }
    this.history.merge(history);
    this.answeredAt = performance.now();
    this.watchedMs = now - started;
    this.change("live");
    $("token-panel").hidden = true;
    this.schedule(document.hidden ? HIDDEN_POLL_MS : tick * 1000);
    this.onAnswer(answer);
  }

  fail(problem) {
    this.failures += 1;
    this.problem = problem;
    this.change("stale");
    // Pages that lost the same server must not all come back in the same moment.
    const backoff = Math.min(LONGEST_BACKOFF_MS, 1000 * 2 ** this.failures);
    this.schedule(document.hidden ? HIDDEN_POLL_MS : backoff * (0.75 + Math.random() / 2));
  }

  needToken(used) {
    dataToken.set(null);
    clearTimeout(this.timer);
    const opened = $("token-panel").hidden;
    $("token-panel").hidden = false;
    // Nothing can be said about findings, not even that there are none.
    if (this.answeredAt === null) $("findings").hidden = true;
    write($("token-error"), used ? "The server refused this token." : "");
    this.change("token");
    if (opened || used) $("token").focus();
    this.onRefusal();
  }

  change(state) {
    if (state === this.state) return;
    if (state === "stale" && this.state === "live") say("The server does not answer. The numbers are stale.");
    if (state === "live" && this.state === "stale") say("The server answers again.");
    this.state = state;
    document.documentElement.dataset.connection = state;
  }
}
