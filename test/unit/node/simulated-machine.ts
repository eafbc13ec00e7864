/** One machine of the simulator by itself: its disk loses at a crash what was not synced. Not a test itself. */
import { SimKeys } from '../../simulation/crypto.ts';
import { Fabric } from '../../simulation/network.ts';
import { SeededRandom } from '../../simulation/random.ts';
import { Scheduler } from '../../simulation/scheduler.ts';
import { SimMachine } from '../../simulation/world.ts';

export function simulatedMachine(seed: number) {
  const scheduler = new Scheduler();
  const random = new SeededRandom(seed);
  const keys = new SimKeys(random.fork(), 255);
  const fabric = new Fabric(scheduler, random.fork());
  const machine = new SimMachine({ node: 'a', scheduler, fabric, crypto: keys, random: random.fork(), say: () => {}, skewMaxMs: 0 });
  return { machine, scheduler, keys };
}
