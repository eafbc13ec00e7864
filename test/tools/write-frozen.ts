/** Writes test/data/frozen. Only before a release, after a deliberate change of bytes: `npm run build && node dist/test/tools/write-frozen.js`. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { frozenFiles } from '../unit/node/format/frozen-bytes.ts';
import { ROOT } from './source.ts';

for (const [name, text] of Object.entries(frozenFiles())) writeFileSync(join(ROOT, 'test/data/frozen', name), text);
