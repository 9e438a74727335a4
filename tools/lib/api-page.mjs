// The page at /api/docs: RapiDoc shows the operations; what the problem codes mean is plain HTML below them.
//
// The `type` of every problem is /api/docs#<code>. RapiDoc draws in a shadow tree, where the browser finds no anchor;
// the section is therefore a child of the page itself that RapiDoc shows in its slot `footer`. It is there without
// JavaScript, too.

import { KITS } from './kits.mjs';

/**
 * @typedef {object} ExplainedProblem an entry of `x-problems` in docs/openapi.json (tests/openapi/src/problems.rs)
 * @property {string} code
 * @property {number} status
 * @property {string} title
 * @property {string} meaning
 * @property {string} action what the caller can do
 */

/**
 * The page.
 *
 * @param {{'x-problems': ExplainedProblem[]}} document the OpenAPI document
 * @returns {string} HTML
 */
export function apiPage(document) {
  const problems = document['x-problems'];
  return `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <title>Tollgate API</title>
    <script type="module" src="/api/docs/rapidoc-min.js"></script>
    <style>${STYLE}</style>
  </head>
  <body>
    <rapi-doc
      spec-url="/openapi.json"
      render-style="read"
      show-header="false"
      allow-server-selection="false"
      allow-spec-file-download="true"
      schema-style="table"
      load-fonts="false"
      persist-auth="true"
      primary-color="#1d4ed8"
    >
      <noscript>The operations need JavaScript. The document itself is at <a href="/openapi.json">/openapi.json</a>.</noscript>
      <p slot="overview">What each error means and what to do about it: <a href="#problems">Problems</a>. What OpenAI's SDKs and other kits
      have to be told, so that a retry costs nothing: <a href="#kits">Kits</a>.</p>
      <section slot="footer" id="problems" class="problems">
        <h2>Problems</h2>
        <p>Every error is an <code>application/problem+json</code> (RFC 9457). Switch on <code>code</code>, show
        <code>detail</code>, quote <code>request_id</code>. The <code>type</code> of a problem leads to its entry here.</p>
        <ul class="codes">
${problems.map(({ code }) => `          <li><a href="#${escape(code)}">${escape(code)}</a></li>`).join('\n')}
        </ul>
${problems.map(entry).join('\n')}
        <h2 id="kits">Kits</h2>
        <p>There is <code>/v1/chat/completions</code>, and no <code>/v1/responses</code> or <code>/v1/embeddings</code>. With the same
        <code>Idempotency-Key</code> a retry gets the first answer, and one is charged; <code>key</code> is new for each question.</p>
        <table>
          <tr><th>kit</th><th>mode</th><th>a retry that costs nothing</th></tr>
${KITS.map(({ kit, mode, retry }) => `          <tr><td>${escape(kit)}</td><td>${prose(mode)}</td><td>${prose(retry)}</td></tr>`).join('\n')}
        </table>
      </section>
    </rapi-doc>
    <script>${SCRIPT}</script>
  </body>
</html>
`;
}

function entry({ code, status, title, meaning, action }) {
  return `        <article id="${escape(code)}">
          <h3><a href="#${escape(code)}"><code>${escape(code)}</code></a> <span>${status}</span> ${escape(title)}</h3>
          <p>${prose(meaning)}</p>
          <p><b>What to do:</b> ${prose(action)}</p>
        </article>`;
}

/** Text with `code` in backticks. */
function prose(text) {
  return escape(text).replaceAll(/`([^`]*)`/g, '<code>$1</code>');
}

function escape(text) {
  return String(text).replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');
}

// `:target` marks the entry that an address led to.
const STYLE = `
      body { margin: 0; font-family: sans-serif; color: #333; }
      .problems { padding: 24px 40px 60vh; max-width: 50rem; line-height: 1.5; font-size: 15px; }
      .problems h2 { font-size: 26px; margin: 0 0 12px; }
      .problems h3 { font-size: 16px; margin: 0 0 4px; }
      .problems h3 span { color: #666; font-weight: normal; }
      .problems a, p[slot] a { color: #1d4ed8; text-decoration: none; }
      p[slot] { font-size: 14px; }
      .problems p { margin: 4px 0; }
      .problems code { font-family: monospace; font-size: 14px; }
      .problems article { border-left: 3px solid #ddd; margin: 16px 0; padding: 4px 0 4px 14px; }
      .problems article:target { border-color: #1d4ed8; background: #f2f6ff; }
      .problems td { border-top: 1px solid #ddd; padding: 4px 12px 4px 0; vertical-align: top; }
      .problems .codes { columns: 16rem; padding-left: 18px; }
    `;

// The browser goes to the anchor when the page arrives; RapiDoc draws the operations above it later.
const SCRIPT = `
      const anchor = document.getElementById(location.hash.slice(1));
      if (anchor) document.querySelector('rapi-doc').addEventListener('spec-loaded', () => anchor.scrollIntoView());
    `;
