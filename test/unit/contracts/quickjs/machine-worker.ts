/** Runs the contract it is given in a thread of its own; see machine.test.ts. */
import { parentPort, workerData } from 'node:worker_threads';
import { utf8 } from '../../../../node/format/index.ts';
import { newMachine } from '../workbench.ts';
import { stand } from './stand.ts';

const { code } = workerData as { readonly code: string };
const machine = await newMachine();
parentPort!.postMessage([machine.bundleDigest, machine.load(utf8(code)).imageDigest, stand(machine, code).run('work')]);
