/**
 * The plain page of a node: height, validators, last records, a trace box, and the genesis hash in the footer. One page, one script, one style, all
 * from the node itself, so that the strict Content-Security-Policy holds. Everything shown is put in as text, never as markup. The token stays in
 * the tab (sessionStorage) and goes nowhere but into the Authorization header.
 */
export interface PageFacts {
  readonly node: string;
  readonly organisation: string;
  readonly version: string;
  readonly genesisHash: string;
}

export function page({ node, organisation, version, genesisHash }: PageFacts): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeText(node)} · Tracemill</title>
<link rel="stylesheet" href="/console.css">
<script src="/console.js" defer></script>
</head>
<body>
<header>
<h1>Tracemill</h1>
<p>${escapeText(node)} <span class="quiet">${escapeText(organisation)}</span></p>
<form id="signin">
<label for="token">Token</label>
<input id="token" type="password" autocomplete="off" spellcheck="false" placeholder="tm1...." required>
<button>Sign in</button>
<button type="button" id="signout" hidden>Sign out</button>
</form>
</header>
<p id="notice" role="status">Paste an access token to see the chain. On a devnet: <code>npx tracemill admin token</code></p>
<main id="main" hidden>
<section class="figures">
<div><span>Height</span><b id="height">-</b></div>
<div><span>Last block</span><b id="age">-</b></div>
<div><span>Primary</span><b id="primary">-</b></div>
<div><span>Waiting</span><b id="waiting">-</b></div>
</section>
<section>
<h2>Where a product came from</h2>
<form id="trace">
<label for="product">product_uid</label>
<input id="product" autocomplete="off" spellcheck="false" required maxlength="256">
<button>Trace</button>
</form>
<div id="traced"></div>
</section>
<section>
<h2>Last records</h2>
<table><thead><tr><th>Height</th><th>Class</th><th>Event</th><th>Version</th><th>Record digest</th></tr></thead><tbody id="records"></tbody></table>
</section>
<section>
<h2>Nodes</h2>
<table><thead><tr><th>Node</th><th>Organisation</th><th>Role</th><th>State</th><th>Connected</th></tr></thead><tbody id="nodes"></tbody></table>
</section>
</main>
<footer>
<p>Genesis <code id="genesis">${escapeText(genesisHash)}</code></p>
<p class="quiet">Version ${escapeText(version)} · <a href="/api/v1/interfaces">interfaces</a> · <a href="/api/v1/openapi.json">OpenAPI</a></p>
</footer>
</body>
</html>
`;
}

function escapeText(text: string): string {
  return text.replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);
}

export const consoleStyle = `:root { color-scheme: light dark; --line: #8885; --accent: #0b6e6e; }
* { box-sizing: border-box; }
body { font: 15px/1.5 system-ui, sans-serif; margin: 0 auto; max-width: 68rem; padding: 1rem; }
header { display: flex; flex-wrap: wrap; align-items: center; gap: .5rem 1.5rem; border-bottom: 1px solid var(--line); padding-bottom: 1rem; }
header form { margin-left: auto; }
h1 { font-size: 1.3rem; margin: 0; } h2 { font-size: 1rem; margin: 1.5rem 0 .5rem; } p { margin: .25rem 0; }
form { display: flex; flex-wrap: wrap; gap: .5rem; align-items: center; }
input { font: inherit; padding: .3rem .5rem; min-width: min(20rem, 100%); border: 1px solid var(--line); border-radius: 4px; }
button { font: inherit; padding: .3rem .9rem; border: 1px solid var(--accent); border-radius: 4px; background: var(--accent); color: #fff; cursor: pointer; }
.quiet { opacity: .7; } .bad { color: #b3261e; }
.figures { display: grid; grid-template-columns: repeat(auto-fit, minmax(9rem, 1fr)); gap: .75rem; margin-top: 1rem; }
.figures div { border: 1px solid var(--line); border-radius: 6px; padding: .6rem .8rem; }
.figures span { display: block; opacity: .7; font-size: .85rem; } .figures b { font-size: 1.3rem; font-variant-numeric: tabular-nums; }
table { border-collapse: collapse; width: 100%; display: block; overflow-x: auto; }
th, td { text-align: left; padding: .25rem .8rem .25rem 0; border-bottom: 1px solid var(--line); white-space: nowrap; }
th { font-weight: 600; font-size: .85rem; }
code, td:last-child { font-family: ui-monospace, monospace; font-size: .85rem; overflow-wrap: anywhere; }
#notice { margin: 1rem 0; }
#traced ul { list-style: none; padding-left: 0; } #traced li { padding: .15rem 0; }
footer { margin-top: 2rem; border-top: 1px solid var(--line); padding-top: .5rem; }
`;

export const consoleScript = `'use strict';
const $ = (id) => document.getElementById(id);
const REFRESH_MS = 3000;
let token = sessionStorage.getItem('token') || '';
let timer;

async function get(path) {
  const response = await fetch('/api/v1/' + path, { headers: { authorization: 'Bearer ' + token, accept: 'application/json', 'accept-language': navigator.language } });
  const answer = await response.json();
  if (answer.code !== 'OK') throw Object.assign(new Error(answer.message), { code: answer.code, status: response.status });
  return answer.data;
}
function say(text, bad) { $('notice').textContent = text; $('notice').className = bad ? 'bad' : ''; }
function cells(values) {
  const row = document.createElement('tr');
  for (const value of values) { const cell = document.createElement('td'); cell.textContent = value === null || value === undefined ? '' : String(value); row.append(cell); }
  return row;
}
function ago(ms) {
  const s = Math.max(0, Math.round((Date.now() - ms) / 1000));
  return s < 90 ? s + ' s ago' : s < 5400 ? Math.round(s / 60) + ' min ago' : Math.round(s / 3600) + ' h ago';
}
/** The newest record events: a short window first, a long one on a quiet chain. */
async function lastRecords(height) {
  for (const window of [10, 1000]) {
    const events = await get('contracts/records/events?limit=1000&fromHeight=' + Math.max(0, height - window));
    if (events.items.length > 0 || window > height) return events.items.slice(-20).reverse();
  }
  return [];
}
async function refresh() {
  try {
    const chain = await get('consensus');
    $('height').textContent = chain.head.height;
    $('age').textContent = ago(chain.head.timestampMs);
    $('primary').textContent = chain.round.primary;
    $('waiting').textContent = chain.mempool.count;
    const [nodes, records] = await Promise.allSettled([get('nodes'), lastRecords(chain.head.height)]);
    if (nodes.status === 'fulfilled') $('nodes').replaceChildren(...nodes.value.items.map((n) => cells([n.id, n.owner, n.data.role, n.state, n.connected ? 'yes' : 'no'])));
    if (records.status === 'fulfilled') $('records').replaceChildren(...records.value.map((e) => cells([e.height, e.data.class, e.name, e.data.version, e.data.recordDigest])));
    $('main').hidden = false; $('signout').hidden = false;
    say('');
  } catch (error) {
    if (error.status === 401 || error.status === 403) return signOut(error.message);
    say('The node does not answer: ' + error.message, true);
  }
  timer = setTimeout(refresh, REFRESH_MS);
}
function signOut(text) {
  clearTimeout(timer);
  token = '';
  sessionStorage.removeItem('token');
  $('main').hidden = true; $('signout').hidden = true;
  say(text || 'Signed out.', Boolean(text));
}
$('signin').addEventListener('submit', (event) => {
  event.preventDefault();
  token = $('token').value.trim();
  $('token').value = '';
  sessionStorage.setItem('token', token);
  clearTimeout(timer);
  refresh();
});
$('signout').addEventListener('click', () => signOut());
$('trace').addEventListener('submit', async (event) => {
  event.preventDefault();
  const box = $('traced');
  box.textContent = 'Tracing...';
  try {
    const answer = await get('trace/' + encodeURIComponent($('product').value.trim()));
    const list = document.createElement('ul');
    const line = (text) => { const item = document.createElement('li'); item.textContent = text; list.append(item); };
    const name = (end) => (end && typeof end === 'object' ? [end.type, end.org || end.supplier, end.id].filter(Boolean).join(' ') : String(end));
    for (const edge of answer.edges || []) line(name(edge.from) + '  →  ' + (edge.rel || '') + '  →  ' + name(edge.to) + (edge.status === 'claimed' ? '  (claimed)' : ''));
    if (!list.children.length) for (const node of answer.nodes || []) line(name(node));
    if (!list.children.length) line(JSON.stringify(answer));
    box.replaceChildren(list);
  } catch (error) { box.textContent = error.message; }
});
if (token) refresh();
`;
