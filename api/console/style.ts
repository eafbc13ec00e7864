/** Style of the page at `/`: light and dark by the system's wish, no fonts or pictures from anywhere. */
export const consoleStyle = `:root { color-scheme: light dark; --line: #8883; --accent: #0b6e6e; --card: #8880000d; --quiet: #6b7280; --ground: #f6f7f8; --paper: #fff; }
@media (prefers-color-scheme: dark) { :root { --accent: #2a9d9d; --quiet: #9ca3af; --ground: #14181a; --paper: #1c2124; } }
* { box-sizing: border-box; }
[hidden] { display: none !important; }
body { font: 15px/1.5 system-ui, -apple-system, 'Segoe UI', 'Noto Sans SC', 'Microsoft YaHei', sans-serif; margin: 0 auto; max-width: 70rem; padding: 1rem; background: var(--ground); }
header { display: flex; flex-wrap: wrap; align-items: baseline; gap: .25rem 1rem; padding: .25rem 0 1rem; }
header button { margin-left: auto; }
h1 { font-size: 1.35rem; margin: 0; color: var(--accent); letter-spacing: -.01em; } h2 { font-size: 1rem; margin: 0 0 .6rem; } p { margin: .25rem 0; }
form { display: flex; flex-wrap: wrap; gap: .5rem; align-items: center; }
form p { flex-basis: 100%; }
input { font: inherit; padding: .35rem .6rem; flex: 1 1 14rem; max-width: 30rem; border: 1px solid var(--line); border-radius: 6px; background: var(--paper); }
button { font: inherit; padding: .35rem 1rem; border: 1px solid var(--accent); border-radius: 6px; background: var(--accent); color: #fff; cursor: pointer; }
button.plain { background: none; color: inherit; border-color: var(--line); }
button.link { border: 0; background: none; padding: 0; color: var(--accent); font-family: ui-monospace, monospace; font-size: .85rem; }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
.card, .figures div { background: var(--paper); border: 1px solid var(--line); border-radius: 10px; }
.card { padding: 1rem; margin-top: 1rem; }
.quiet { color: var(--quiet); } .bad { color: #c0362c; } .good { color: #1a7f4b; }
.figures { display: grid; grid-template-columns: repeat(auto-fit, minmax(10rem, 1fr)); gap: .75rem; }
.figures div { padding: .6rem .9rem; }
.figures span { display: block; color: var(--quiet); font-size: .85rem; } .figures b { font-size: 1.3rem; font-weight: 600; font-variant-numeric: tabular-nums; }
table { border-collapse: collapse; width: 100%; display: block; overflow-x: auto; }
thead, tbody { width: 100%; }
th, td { text-align: left; padding: .3rem 1.4rem .3rem 0; border-bottom: 1px solid var(--line); white-space: nowrap; }
th { font-weight: 500; font-size: .85rem; color: var(--quiet); }
code, pre, .mono { font-family: ui-monospace, monospace; font-size: .85rem; }
code { overflow-wrap: anywhere; }
pre { margin: .75rem 0 0; padding: .75rem; border-radius: 6px; background: var(--ground); max-height: 24rem; overflow: auto; }
#notice { padding: .5rem .9rem; border: 1px solid var(--line); border-radius: 6px; margin: 0 0 1rem; }
#traced > p { margin: .75rem 0 .25rem; } #traced ul { list-style: none; padding: 0; margin: .5rem 0 0; }
#traced li { padding: .3rem 0; border-bottom: 1px solid var(--line); } #traced li span { display: inline-block; min-width: 9rem; }
.docs nav ul { columns: 20rem; list-style: none; padding: 0; margin: 0 0 .75rem; } .docs a { color: var(--accent); }
.docs dl { display: grid; grid-template-columns: max-content 1fr; gap: .2rem 1rem; margin: .5rem 0; } .docs dt { color: var(--quiet); } .docs dd { margin: 0; overflow-wrap: anywhere; }
.docs td { vertical-align: top; font-size: .85rem; } .docs td.words { white-space: normal; min-width: 16rem; } .docs :target { outline: 2px solid var(--accent); }
footer { margin: 1.5rem 0 .5rem; font-size: .9rem; } footer a { color: var(--accent); }
`;

/** Two links of a chain. */
export const consoleIcon = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16" fill="none" stroke="#0b6e6e" stroke-width="2"><rect x="1" y="5" width="8" height="6" rx="3"/><rect x="7" y="5" width="8" height="6" rx="3"/></svg>
`;
