/**
 * The plain page of a node: height, validators, last records, a trace box, and the genesis hash in the footer. One page, one script, one style, all
 * from the node itself, so that the strict Content-Security-Policy holds. Texts are in the page in English; the script puts in the Chinese ones
 * where the browser asks for them.
 */
import { escapeText, type PageFacts } from './text.ts';

export { docsPage } from './docs-page.ts';
export { consoleScript } from './script.ts';
export { consoleIcon, consoleStyle } from './style.ts';

export function page({ node, organisation, version, genesisHash }: PageFacts): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeText(node)} · Tracemill</title>
<link rel="icon" href="/icon.svg" type="image/svg+xml">
<link rel="stylesheet" href="/console.css">
<script src="/console.js" defer></script>
</head>
<body>
<header>
<h1>Tracemill</h1>
<p><b>${escapeText(node)}</b> <span class="quiet">${escapeText(organisation)}</span></p>
<button type="button" id="signout" class="plain" data-t="signout" hidden>Sign out</button>
</header>
<p id="notice" role="status" hidden></p>
<form id="signin" class="card">
<label for="token" data-t="token">Access token</label>
<input id="token" type="password" autocomplete="off" spellcheck="false" placeholder="tm1.…" required>
<button data-t="signin">Sign in</button>
<p class="quiet"><span data-t="hint">A devnet prints tokens when it starts; or run</span> <code>npm run -s tracemill -- admin token</code></p>
</form>
<main id="main" hidden>
<section class="figures">
<div><span data-t="height">Height</span><b id="height">–</b></div>
<div><span data-t="lastBlock">Last block</span><b id="age">–</b></div>
<div><span data-t="primary">Primary</span><b id="primary">–</b></div>
<div><span data-t="validators">Validators connected</span><b id="connected">–</b></div>
<div><span data-t="waiting">Waiting transactions</span><b id="waiting">–</b></div>
</section>
<section class="card">
<h2 data-t="traceTitle">Where a product came from</h2>
<form id="trace">
<label for="product" data-t="product">Product number</label>
<input id="product" autocomplete="off" spellcheck="false" required maxlength="256" placeholder="M14860">
<button data-t="trace">Trace</button>
</form>
<div id="traced" aria-live="polite"></div>
</section>
<section class="card">
<h2 data-t="recordsTitle">Last records</h2>
<table><thead><tr><th data-t="height">Height</th><th data-t="class">Class</th><th data-t="event">Event</th><th data-t="version">Version</th><th data-t="record">Record</th><th data-t="digest">Digest</th></tr></thead><tbody id="records"></tbody></table>
<p id="norecords" class="quiet" data-t="norecords" hidden>No records yet.</p>
<pre id="record" hidden></pre>
</section>
<section class="card">
<h2 data-t="nodesTitle">Nodes</h2>
<table><thead><tr><th data-t="node">Node</th><th data-t="organisation">Organisation</th><th data-t="role">Role</th><th data-t="state">State</th><th data-t="link">Connection</th></tr></thead><tbody id="nodes"></tbody></table>
</section>
</main>
<footer>
<p><span data-t="genesis">Genesis</span> <code id="genesis">${escapeText(genesisHash)}</code></p>
<p class="quiet"><span data-t="software">Version</span> ${escapeText(version)} · <a href="/docs" data-t="interfaces">Interfaces</a> · <a href="/api/v1/openapi.json">OpenAPI</a></p>
</footer>
</body>
</html>
`;
}
