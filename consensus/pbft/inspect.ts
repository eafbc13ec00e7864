/** What a PBFT frame says, for whoever watches a network (consensus/engine.ts, Inspection). */
import type { Inspection } from '../engine.ts';
import { tryDecode } from './replica.ts';

export function inspectFrame(bytes: Uint8Array): Inspection | undefined {
  const message = tryDecode(bytes);
  if (!message) return undefined;
  const { kind } = message;
  if (kind === 'committed') {
    const { height, view } = message.certificate;
    return { signer: undefined, place: { kind, height, round: view }, digest: undefined };
  }
  const place = {
    kind,
    height: 'height' in message ? message.height : undefined,
    round: 'view' in message ? message.view : undefined,
  };
  switch (kind) {
    case 'prepare':
    case 'commit':
    case 'checkpoint':
    case 'prePrepare':
      return { signer: message.node, place, digest: message.digest };
    default:
      return { signer: message.node, place, digest: undefined };
  }
}
