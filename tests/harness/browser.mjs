// A browser as far as a sign-in goes: it keeps cookies for each origin and is sent around, one step at a time.

/** One browser with its own cookies. */
export class Browser {
  /** By origin, then by name. @type {Map<string, Map<string, string>>} */
  #jars = new Map();

  /** A copy that knows the same cookies. */
  clone() {
    const copy = new Browser();
    for (const [origin, jar] of this.#jars) copy.#jars.set(origin, new Map(jar));
    return copy;
  }

  /** The cookies of an origin. */
  cookies(origin) {
    return this.#jars.get(origin) ?? new Map();
  }

  /**
   * One request; redirects are answers.
   * @returns {Promise<{status: number, headers: Headers, text: string, data: any, location: string | undefined}>}
   */
  async send(url, { method = 'GET', body, headers = {} } = {}) {
    const { origin } = new URL(url);
    const jar = this.#jars.get(origin) ?? new Map();
    this.#jars.set(origin, jar);
    const cookie = [...jar].map(([name, value]) => `${name}=${value}`).join('; ');
    const response = await fetch(url, { method, body, headers: { ...(cookie ? { cookie } : {}), 'user-agent': 'test browser', ...headers }, redirect: 'manual' });
    for (const line of response.headers.getSetCookie()) {
      const [pair, ...attributes] = line.split(';');
      const [name, value] = [pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1)];
      const isOver = attributes.some((attribute) => /^\s*max-age=0$/i.test(attribute) || /^\s*expires=Thu, 01 Jan 1970/i.test(attribute));
      if (isOver) jar.delete(name);
      else jar.set(name, value);
    }
    const text = await response.text();
    const location = response.headers.get('location') ? new URL(response.headers.get('location'), url).href : undefined;
    const isJson = /\bjson\b/.test(response.headers.get('content-type') ?? '');
    return { status: response.status, headers: response.headers, text, data: isJson && text ? JSON.parse(text) : undefined, location };
  }

  /** Sends a form. */
  post(url, form) {
    return this.send(url, { method: 'POST', body: new URLSearchParams(form).toString(), headers: { 'content-type': 'application/x-www-form-urlencoded' } });
  }
}
