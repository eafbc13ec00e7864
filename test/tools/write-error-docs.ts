/** Writes node/errors/README.md from the error table. Run after a change of the table: `npm run build && node dist/test/tools/write-error-docs.js`. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { errorDocs } from './error-docs.ts';
import { ROOT } from './source.ts';

writeFileSync(join(ROOT, 'node/errors/README.md'), errorDocs());
