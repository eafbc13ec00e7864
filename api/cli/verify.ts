/** `tracemill verify`: an evidence bundle against the genesis file, offline: no node is asked. */
import { createHash } from 'node:crypto';
import { Command } from 'commander';
import { ChainError } from '../../node/errors/index.ts';
import { nodeCrypto } from './node-crypto.ts';
import { verifyEvidence } from '../../node/format/evidence.ts';
import type { CommandFactory } from './program.ts';
import { outline } from './text.ts';
