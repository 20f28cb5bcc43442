// What was said, on its way to the service: in order, again after a failure, and kept over a reload.
import { Problem, api } from "./common.js";

const STORED = "footfall-review-unsent";
const RETRY_MS = 2000;
const WAITS = new Set([401, 408, 429]); // of the refusals, those that pass

const newKey = () => Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");

export class Outbox {
  /** `onChange(waiting, fault)` tells how many wait and what went wrong last; `onRefused` what will never be taken. */
  constructor({ onChange, onRefused, onEmpty }) {
    Object.assign(this, { onChange, onRefused, onEmpty });
    // Of this tab: a second one would send the same again.
    this.messages = JSON.parse(sessionStorage.getItem(STORED) || "[]");
    this.numbers = new Map(); // key of a label → number that the service gave it
    this.isSending = false;
    this.fault = "";
    addEventListener("beforeunload", (event) => { if (this.messages.length) event.preventDefault(); });
  }

  has(sample) { return this.messages.some((message) => message.body.sample === sample); }

  /** `answered` resolves to the answer, or to null where it was refused or taken back before it was sent. */
  label(body) {
    const key = newKey(); // sent again after an answer was lost, it is still one label
    return { key, answered: this.add({ path: "/api/v1/review/labels", body: { ...body, key } }) };
  }

  /** Take back what was said last, under this key. */
  undo(reviewer, key) {
    const last = this.messages.at(-1);
    // The first one may be there already, though no answer came.
    if (this.messages.length > 1 && last.body.key === key) {
      this.remove(last);
      return Promise.resolve(null);
    }
    return this.add({ path: "/api/v1/review/undo", body: { reviewer, label: this.numbers.get(key) }, undoes: key });
  }

  /** The service has the label: whoever waits to take it back may say which. */
  number(key, number) {
    this.numbers.set(key, number);
    for (const message of this.messages) if (message.undoes === key) message.body.label = number;
  }

  add(message) {
    const answered = new Promise((resolve) => { message.resolve = resolve; });
    this.messages.push(message);
    this.store();
    this.flush();
    return answered;
  }

  remove(message, answer = null) {
    this.messages.splice(this.messages.indexOf(message), 1);
    this.store();
    message.resolve?.(answer);
  }

  store() {
    sessionStorage.setItem(STORED, JSON.stringify(this.messages));
    this.tell(this.fault);
  }

  tell(fault) {
    this.fault = this.messages.length ? fault : "";
    this.onChange(this.messages.length, this.fault);
  }

  async flush() {
    if (this.isSending) return;
    this.isSending = true;
    while (this.messages.length) {
      const [message] = this.messages;
      try {
        const answer = await api(message.path, { method: "POST", body: message.body });
        this.fault = "";
        if (message.body.key) this.number(message.body.key, answer.number);
        this.remove(message, answer);
      } catch (error) {
        if (error instanceof Problem && error.status < 500 && !WAITS.has(error.status)) {
          this.fault = "";
          this.remove(message);
          // What was never kept must not be taken back: that would hit what was said before it.
          const undo = this.messages.find((other) => message.body.key && other.undoes === message.body.key);
          if (undo) this.remove(undo);
          this.onRefused(error.message);
        } else {
          this.tell(error.message);
          await new Promise((done) => { setTimeout(done, RETRY_MS); });
        }
      }
    }
    this.isSending = false;
    this.onEmpty();
  }
}
