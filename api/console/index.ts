/** Door of the pages that a browser is given. */
export { docsPage } from './docs-page.ts';
export { page } from './page.ts';
export { consoleScript } from './script.ts';
export { consoleIcon, consoleStyle } from './style.ts';
export type { PageFacts } from './text.ts';
