// What is asked of the server, and the tokens that it wants.

/** Longer than any answer takes that is still worth having. */
const TIMEOUT_MS = 10_000;

/** Asks for a path beside the page. */
export function request(path, token, { headers, ...options } = {}) {
  return fetch(`floodway/${path}`, {
    ...options,
    headers: token ? { ...headers, authorization: `Bearer ${token}` } : headers,
    cache: "no-store",
    signal: AbortSignal.timeout(TIMEOUT_MS),
  });
}

/** A secret for this tab. Where storage is forbidden it lives as long as the page. */
export class Secret {
  constructor(name) {
    // Several services may be behind one origin.
    this.key = `floodway ${location.pathname} ${name}`;
    this.value = null;
  }

  get() {
    try {
      return sessionStorage.getItem(this.key) ?? this.value;
    } catch {
      return this.value;
    }
  }

  set(value) {
    this.value = value;
    try {
      if (value === null) sessionStorage.removeItem(this.key);
      else sessionStorage.setItem(this.key, value);
    } catch {
      // `value` above has it.
    }
  }
}
